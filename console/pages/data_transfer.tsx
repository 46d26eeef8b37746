/**
 * The ways in and out: a backup, a CSV file into a table, a SQLite file in the place of the database.
 * @module
 */
import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { parse } from "@std/csv/parse";
import { ask } from "../api.ts";
import { send } from "../database.ts";
import type { Table } from "../table.ts";
import { confirmed, tell } from "../parts/dialog.tsx";
import { saveFile } from "../parts/clipboard.ts";
import { bytesText, countText } from "../parts/format.ts";
import { Icon } from "../parts/icon.tsx";
import { quoted, type Value } from "../parts/value.ts";
import { goTo } from "../router.ts";
import { may } from "../session.ts";

/** Rows of one request: a file becomes several transactions, which is said. */
const BATCH_ROWS = 500;
/** A longer file is for `muster shell`, which reads it piece by piece. */
const CSV_BYTES_MAX = 64 * 2 ** 20;

/** The part of the page. */
export function Transfer(
  { tables, onChanged }: { readonly tables: readonly Table[]; readonly onChanged: () => void },
): JSX.Element {
  return (
    <>
      <h1>Import and export</h1>
      {may("backup") && <Backup />}
      {may("execute") && <ImportCsv tables={tables} onChanged={onChanged} />}
      {may("load") && <LoadDatabase onChanged={onChanged} />}
      {!may("backup") && !may("execute") && !may("load") && <p class="muted">You may not back up, and not write.</p>}
    </>
  );
}

function Backup(): JSX.Element {
  const [isRunning, setRunning] = useState(false);
  const [isVacuumed, setVacuumed] = useState(false);
  const save = async (format: "sqlite" | "sql") => {
    setRunning(true);
    try {
      const options = [
        ...(format === "sql" ? ["fmt=sql"] : []),
        ...(isVacuumed && format === "sqlite" ? ["vacuum"] : []),
      ];
      const content = await (await ask(`db/backup?${options.join("&")}`)).blob();
      const stamp = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
      saveFile(`muster-${stamp}.${format}`, content);
      tell(`Backed up: ${bytesText(content.size)}`);
    } catch (error) {
      tell(error instanceof Error ? error.message : String(error), { isError: true });
    }
    setRunning(false);
  };
  return (
    <section class="card" aria-labelledby="backup-title">
      <h2 id="backup-title">Back up</h2>
      <p>A copy of the whole database as it is on the leader now. Nodes go on working meanwhile.</p>
      <div class="toolbar">
        <button type="button" class="primary" disabled={isRunning} onClick={() => save("sqlite")}>
          <Icon name="save" /> SQLite file
        </button>
        <button type="button" disabled={isRunning} onClick={() => save("sql")}>
          <Icon name="save" /> SQL
        </button>
        <label>
          <input type="checkbox" checked={isVacuumed} onChange={(event) => setVacuumed(event.currentTarget.checked)} />
          Without free pages (VACUUM)
        </label>
        {isRunning && <span class="muted" role="status">Copying…</span>}
      </div>
      <p class="muted hint">
        From a terminal: <code>muster backup FILE</code>, or <code>curl -o FILE ADDRESS/db/backup</code>
      </p>
    </section>
  );
}

/** A CSV file that was read. */
interface Csv {
  readonly name: string;
  readonly heads: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

function ImportCsv(
  { tables, onChanged }: { readonly tables: readonly Table[]; readonly onChanged: () => void },
): JSX.Element {
  const [csv, setCsv] = useState<Csv | undefined>();
  const [target, setTarget] = useState("");
  const [fault, setFault] = useState("");
  const [done, setDone] = useState(-1);
  const stopped = useRef(false);
  const writable = tables.filter(({ isView }) => !isView);
  const table = writable.find(({ name }) => name === target);
  const choose = async (file: File | undefined) => {
    setCsv(undefined);
    setFault("");
    if (!file) return;
    try {
      if (file.size > CSV_BYTES_MAX) {
        throw new Error(`More than ${bytesText(CSV_BYTES_MAX)}: use muster shell and .import`);
      }
      const [heads = [], ...rows] = parse(await file.text());
      if (heads.length === 0) throw new Error("The file is empty");
      setCsv({ name: file.name.replace(/\.[^.]*$/, ""), heads, rows });
      const known = writable.find(({ name }) => name === file.name.replace(/\.[^.]*$/, ""));
      setTarget(known?.name ?? "");
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    }
  };
  const start = async () => {
    if (!csv) return;
    stopped.current = false;
    setFault("");
    try {
      const into = table?.name ?? csv.name;
      const columns = table ? csv.heads.map((head) => columnOf(table, head)) : csv.heads;
      if (!table) await written([{ sql: `CREATE TABLE ${quoted(into)} (${csv.heads.map(quoted).join(", ")})` }]);
      const head = `INSERT INTO ${quoted(into)} (${columns.map(quoted).join(", ")}) VALUES `;
      const sql = `${head}(${columns.map(() => "?").join(", ")})`;
      for (let at = 0; at < csv.rows.length && !stopped.current; at += BATCH_ROWS) {
        setDone(at);
        await written(
          csv.rows.slice(at, at + BATCH_ROWS).map((row) => ({
            sql,
            parameters: columns.map((_, of) => valueOf(row[of])),
          })),
        );
      }
      tell(stopped.current ? "Stopped" : `${countText(csv.rows.length, "row")} imported`);
      onChanged();
      goTo("data", "table", into);
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    }
    setDone(-1);
  };
  return (
    <section class="card" aria-labelledby="csv-title">
      <h2 id="csv-title">Import CSV</h2>
      <p>
        The first line names the columns. An empty field is NULL. {BATCH_ROWS}{" "}
        rows at a time are written, all or none of them.
      </p>
      <div class="toolbar">
        <input
          type="file"
          accept=".csv,text/csv"
          aria-label="CSV file"
          onChange={(event) => choose(event.currentTarget.files?.[0])}
        />
        {csv && (
          <>
            <label>
              Into
              <select value={target} onChange={(event) => setTarget(event.currentTarget.value)}>
                <option value="">a new table, {csv.name}</option>
                {writable.map(({ name }) => <option key={name} value={name}>{name}</option>)}
              </select>
            </label>
            {done < 0
              ? (
                <button type="button" class="primary" onClick={start}>
                  Import {countText(csv.rows.length, "row")}
                </button>
              )
              : <button type="button" class="danger" onClick={() => stopped.current = true}>Stop</button>}
          </>
        )}
      </div>
      {csv && done >= 0 && <progress max={csv.rows.length} value={done} aria-label="Rows imported" />}
      {fault !== "" && <p class="note error" role="alert">{fault}</p>}
    </section>
  );
}

function valueOf(text: string | undefined): Value {
  return text === undefined || text === "" ? null : text;
}

/** The column that a heading means. @throws {Error} When there is none. */
function columnOf({ name, columns }: Table, head: string): string {
  const found = columns.find((one) => one.name.toLowerCase() === head.trim().toLowerCase());
  if (found) return found.name;
  throw new Error(`The table ${name} has no column ${head}: it has ${columns.map((one) => one.name).join(", ")}`);
}

async function written(statements: Parameters<typeof send>[0]): Promise<void> {
  const results = await send(statements, { writes: true, isTransaction: true });
  const failed = results.find(({ error }) => error !== "");
  if (failed) throw new Error(failed.error);
}

function LoadDatabase({ onChanged }: { readonly onChanged: () => void }): JSX.Element {
  const [isRunning, setRunning] = useState(false);
  const [fault, setFault] = useState("");
  const load = async (file: File | undefined) => {
    if (!file) return;
    const isSure = await confirmed({
      title: "Replace the whole database?",
      text: `Every table of this cluster is replaced by what ${file.name} (${bytesText(file.size)}) has. ` +
        "There is no way back but a backup.",
      action: "Replace the database",
      commands: [
        `muster restore ${file.name}`,
        `curl -T ${file.name} -H 'Content-Type: application/octet-stream' -X POST ADDRESS/db/load`,
      ],
    });
    if (!isSure) return;
    setRunning(true);
    try {
      await ask("db/load", { method: "POST", body: file });
      tell("The database is replaced");
      setFault("");
      onChanged();
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    }
    setRunning(false);
  };
  return (
    <section class="card" aria-labelledby="load-title">
      <h2 id="load-title">Load a SQLite file</h2>
      <p>It takes the place of the whole database, on all nodes. Back up before.</p>
      <div class="toolbar">
        <input
          type="file"
          aria-label="Database file"
          disabled={isRunning}
          onChange={(event) => {
            load(event.currentTarget.files?.[0]);
            event.currentTarget.value = ""; // the same file may be chosen again
          }}
        />
        {isRunning && <span class="muted" role="status">Loading…</span>}
      </div>
      {fault !== "" && <p class="note error" role="alert">{fault}</p>}
    </section>
  );
}
