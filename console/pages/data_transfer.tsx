/**
 * The ways in and out: a CSV file into a table, and links to backups of the whole database.
 * @module
 */
import type { JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { parse } from "@std/csv/parse";
import { send } from "../database.ts";
import type { Table } from "../table.ts";
import { tell } from "../parts/dialog.tsx";
import { bytesText, countText } from "../parts/format.ts";
import { quoted, type Value } from "../parts/value.ts";
import { goTo, linkTo } from "../router.ts";
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
      <h1>Import and back up</h1>
      {may("execute") && <ImportCsv tables={tables} onChanged={onChanged} />}
      {(may("backup") || may("load")) && <Others />}
      {!may("backup") && !may("execute") && !may("load") && <p class="muted">You may not back up, and not write.</p>}
    </>
  );
}

/** The ways that stand on the page Operations. */
function Others(): JSX.Element {
  return (
    <section class="card" aria-labelledby="others-title">
      <h2 id="others-title">The whole database</h2>
      <ul class="links">
        {may("backup") && (
          <li>
            <a href={linkTo("operations")}>Back up</a>
            <span class="muted">a SQLite file or SQL text, on the page Operations</span>
          </li>
        )}
        {may("load") && (
          <li>
            <a href={linkTo("operations")}>Restore</a>
            <span class="muted">a SQLite file in the place of the database, on the page Operations</span>
          </li>
        )}
      </ul>
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
