/**
 * Data: the tables with what is in them, how they hang together, and the ways in and out.
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { readTables, rowsOf, send } from "../database.ts";
import type { Table } from "../table.ts";
import type { PageProps } from "../pages.ts";
import { Diagram, type ForeignKey } from "../parts/diagram.tsx";
import { countText } from "../parts/format.ts";
import { Icon } from "../parts/icon.tsx";
import { quoted } from "../parts/value.ts";
import { linkTo } from "../router.ts";
import { may } from "../session.ts";
import { TableView } from "./data_table.tsx";
import { Transfer } from "./data_transfer.tsx";

/** What was read of the database. */
interface Found {
  readonly tables: readonly Table[];
  readonly keys: readonly ForeignKey[];
}

/** Tables whose rows are counted at once: each count reads the table. */
const COUNTED_MAX = 100;
/** A count that takes longer is given up. */
const COUNT_LIMIT = "1s";
const KEYS = `SELECT l.name, f."from", f."table", f."to" FROM pragma_table_list l JOIN pragma_foreign_key_list(l.name) f
WHERE l.schema = 'main' AND l.type = 'table' ORDER BY l.name, f.id, f.seq`;

async function read(): Promise<Found> {
  const [tables, keys] = await Promise.all([readTables(), rowsOf(KEYS)]);
  return {
    tables,
    keys: keys.map(([table, column, target, targetColumn]) => ({
      table: String(table),
      column: String(column),
      target: String(target),
      targetColumn: targetColumn === null ? "" : String(targetColumn),
    })),
  };
}

/** Counts of rows by table; a table whose count takes too long has none. */
async function readCounts(tables: readonly Table[]): Promise<ReadonlyMap<string, string>> {
  const counted = tables.filter(({ isView }) => !isView).slice(0, COUNTED_MAX);
  const found = await Promise.all(counted.map(async ({ name }): Promise<[string, string]> => {
    try {
      const [{ rows }] = await send([{ sql: `SELECT count(*) FROM ${quoted(name)}` }], { limit: COUNT_LIMIT });
      return [name, rows.length === 0 ? "many" : Number(rows[0][0]).toLocaleString("en")];
    } catch {
      return [name, "many"];
    }
  }));
  return new Map(found);
}

/** The page. */
export function DataPage({ rest: [part = "", name = "", tab = ""] }: PageProps): JSX.Element {
  const [found, setFound] = useState<Found | undefined>();
  const [counts, setCounts] = useState<ReadonlyMap<string, string>>(new Map());
  const [fault, setFault] = useState("");
  const renew = async () => {
    try {
      const next = await read();
      setFound(next);
      setFault("");
      setCounts(await readCounts(next.tables));
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    }
  };
  useEffect(() => {
    renew();
  }, []);
  if (fault !== "") return <p class="note error" role="alert">{fault}</p>;
  if (!found) return <p class="muted">Reading the schema…</p>;
  const table = part === "table" ? found.tables.find((one) => one.name === name) : undefined;
  return (
    <div class="data-page">
      <TableList tables={found.tables} counts={counts} current={table} part={part} onRenew={renew} />
      <div class="data-main">
        {table
          ? <TableView key={table.name} table={table} keys={found.keys} tab={tab} onChanged={renew} />
          : part === "transfer"
          ? <Transfer tables={found.tables} onChanged={renew} />
          : part === "table"
          ? <p class="note error">There is no table {name} any more.</p>
          : <Start found={found} counts={counts} />}
      </div>
    </div>
  );
}

function TableList(
  { tables, counts, current, part, onRenew }: {
    readonly tables: readonly Table[];
    readonly counts: ReadonlyMap<string, string>;
    readonly current: Table | undefined;
    readonly part: string;
    readonly onRenew: () => void;
  },
): JSX.Element {
  const [wanted, setWanted] = useState("");
  const shown = tables.filter(({ name }) => name.toLowerCase().includes(wanted.toLowerCase()));
  return (
    <nav class="card table-list" aria-label="Tables">
      <div class="toolbar">
        <input
          type="search"
          placeholder="Find a table"
          aria-label="Find a table"
          value={wanted}
          onInput={(event) => setWanted(event.currentTarget.value)}
        />
        <button type="button" class="plain" onClick={onRenew} aria-label="Read again" title="Read again">
          <Icon name="refresh" />
        </button>
      </div>
      <ul>
        <li>
          <a href={linkTo("data")} aria-current={part === "" ? "page" : undefined}>
            <Icon name="tree" /> <span>All tables</span>
          </a>
        </li>
        <li>
          <a href={linkTo("data", "transfer")} aria-current={part === "transfer" ? "page" : undefined}>
            <Icon name="save" /> <span>Import and back up</span>
          </a>
        </li>
        {shown.map((table) => (
          <li key={table.name}>
            <a
              href={linkTo("data", "table", table.name)}
              aria-current={table === current ? "page" : undefined}
              title={table.name}
            >
              <Icon name="data" /> <bdi>{table.name}</bdi>
              <span class="count">{table.isView ? "view" : counts.get(table.name) ?? "…"}</span>
            </a>
          </li>
        ))}
      </ul>
      {tables.length > 0 && shown.length === 0 && <p class="muted">No table is called so.</p>}
    </nav>
  );
}

/** What is shown before a table is chosen. */
function Start(
  { found: { tables, keys }, counts }: { readonly found: Found; readonly counts: ReadonlyMap<string, string> },
): JSX.Element {
  if (tables.length === 0) {
    return (
      <div class="empty">
        <h1>No tables yet</h1>
        <p>
          {may("execute") ? "Make one" : "Whoever may write can make one"} on the page <a href={linkTo("sql")}>SQL</a>
          {may("load") && (
            <>
              , or <a href={linkTo("data", "transfer")}>import a file</a>
            </>
          )}.
        </p>
        <code>CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)</code>
      </div>
    );
  }
  return (
    <>
      <h1>Data</h1>
      <section class="card" aria-labelledby="diagram-title">
        <h2 id="diagram-title">
          {countText(tables.filter(({ isView }) => !isView).length, "table")}, {countText(keys.length, "foreign key")}
        </h2>
        <Diagram tables={tables.filter(({ isView }) => !isView)} keys={keys} />
      </section>
      <section class="card" aria-labelledby="tables-title">
        <h2 id="tables-title">Tables</h2>
        <div class="scroll" tabIndex={0} role="region" aria-label="Tables, scrollable">
          <table class="plain-table">
            <thead>
              <tr>{["Name", "Rows", "Columns", "Kind"].map((title) => <th key={title} scope="col">{title}</th>)}</tr>
            </thead>
            <tbody>
              {tables.map((table) => (
                <tr key={table.name}>
                  <th scope="row">
                    <a href={linkTo("data", "table", table.name)}>
                      <bdi>{table.name}</bdi>
                    </a>
                  </th>
                  <td class="number">{table.isView ? "–" : counts.get(table.name) ?? "…"}</td>
                  <td class="number">{table.columns.length}</td>
                  <td>
                    {table.fault !== ""
                      ? "broken view"
                      : table.isView
                      ? "view"
                      : table.hasNoRowid
                      ? "without rowid"
                      : "table"}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </section>
    </>
  );
}
