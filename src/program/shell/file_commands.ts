/**
 * The commands of the shell that read files, or write what all nodes say: import, boot, a dump of the system.
 * @module
 */
import { identifierText } from "../../core/sql/tokenizer.ts";
import type { SqlValue } from "../../core/sql/value.ts";
import { bundledLibrary } from "../../drivers/libsqlite/library.ts";
import { Database, runOnce } from "../../drivers/libsqlite/driver.ts";
import { entries, fieldOf, text as textIn } from "../client/agent_api.ts";
import { Progress } from "../client/progress.ts";
import { checkSource, isDatabaseFile, refuseUnlessOrdinary } from "../client/restore_source.ts";
import { exists } from "../client/transfer.ts";
import { csvRows } from "./csv_file.ts";
import type { CommandSession, DotCommand } from "./dot_command.ts";
import { realText } from "./modes.ts";

/** Rows of one request: one transaction of the cluster. */
const ROWS = 500;
/** Characters of their values, about. */
const LENGTH_MAX = 1024 * 1024;

/** These commands. */
export const FILE_COMMANDS: readonly DotCommand[] = [
  {
    name: "import",
    usage: "FILE [TABLE]",
    help: "Insert the rows of a CSV file into a table, or copy the tables of a SQLite file",
    run: importFile,
  },
  {
    name: "boot",
    usage: "FILE",
    help: "Have a single node begin with a SQLite file, without its log",
    async run(session, args) {
      const [path, ...others] = args;
      if (path === undefined || others.length > 0) throw new Error("expected the name of a SQLite file");
      await checkSource(path);
      await session.api.askText("POST", "/boot", { body: await Deno.readFile(path), timeoutMs: 3_600_000 });
      session.say("Node booted successfully.");
    },
  },
  {
    name: "sysdump",
    usage: "FILE",
    help: "Write what all nodes say of themselves, for whoever is to help",
    run: sysdump,
  },
];

async function importFile(session: CommandSession, args: readonly string[], signal?: AbortSignal): Promise<void> {
  const [path, table, ...others] = args;
  if (path === undefined || others.length > 0) throw new Error("expected the name of a file, and of a table");
  await refuseUnlessOrdinary(path);
  if (isDatabaseFile(path)) return await importSqlite(session, { path, table, signal });
  if (table === undefined) throw new Error("expected the name of a table for the rows of a CSV file");
  await importCsv(session, { path, table, signal });
}

/** What is imported. */
interface Import {
  readonly path: string;
  readonly table: string | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * As in sqlite3: the first line has the names of the columns where the table is new, and is a row where it is there. A new table
 * is made with its first rows or not at all, so that a file which is put right finds it as new as before.
 */
async function importCsv(session: CommandSession, { path, table = "", signal }: Import): Promise<void> {
  const file = await Deno.open(path);
  const { size } = await file.stat();
  const progress = progressOf(size);
  const counting = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(piece, controller) {
      progress?.advance(piece.length);
      controller.enqueue(piece);
    },
  });
  const there = await session.query("SELECT count(*) FROM pragma_table_info(?)", table);
  let columns = Number(there.rows[0]?.[0] ?? 0);
  let create: string | undefined;
  const rows = async function* (): AsyncGenerator<Row> {
    for await (const { line, values } of csvRows(file.readable.pipeThrough(counting))) {
      if (columns > 0) yield { at: line, values };
      else {
        columns = values.length;
        const named = values.map((name) => `${identifierText(name)} TEXT`).join(", ");
        create = `CREATE TABLE ${identifierText(table)} (${named})`;
      }
    }
  };
  const count = await insert(session, {
    table,
    create: () => create,
    columns: () => columns,
    rows: rows(),
    unit: "line",
    signal,
  });
  progress?.finish();
  session.say(`${count} rows were imported into ${table}`);
}

async function importSqlite(session: CommandSession, { path, table, signal }: Import): Promise<void> {
  const database = new Database(path, {
    readOnly: true,
    foreignKeys: false,
    library: { path: bundledLibrary(), extensions: [] },
  });
  try {
    const found = runOnce(
      database,
      "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' AND sql NOT LIKE 'CREATE VIRTUAL%'",
    ).map(([name, sql]) => ({ name: String(name), sql: String(sql) }));
    const wanted = found.filter(({ name }) => table === undefined || name === table);
    if (wanted.length === 0) {
      throw new Error(`there is no such table in it; it has ${found.map(({ name }) => name).join(", ") || "none"}`);
    }
    const there = (await session.query("SELECT name FROM sqlite_master WHERE type = 'table'")).rows.flat().map(String);
    for (const { name, sql } of wanted) {
      const total = Number(runOnce(database, `SELECT count(*) FROM ${identifierText(name)}`)[0][0]);
      const progress = progressOf(total, "rows");
      const statement = database.prepare(`SELECT * FROM ${identifierText(name)}`);
      try {
        const columns = statement.columns().length;
        const count = await insert(session, {
          table: name,
          create: () => there.includes(name) ? undefined : sql,
          columns: () => columns,
          rows: numbered(statement.iterate([])),
          unit: "row",
          signal,
          onRows: (some) => progress?.advance(some),
        });
        progress?.finish();
        session.say(`${count} rows were imported into ${name}`);
      } finally {
        statement.finalize();
      }
    }
  } finally {
    database.close();
  }
}

function* numbered(rows: Iterable<readonly SqlValue[]>): Generator<Row> {
  let at = 0;
  for (const values of rows) yield { at: ++at, values };
}

/** A row, and its number or its line. */
interface Row {
  readonly at: number;
  readonly values: readonly SqlValue[];
}

/** Rows on their way into a table. */
interface Insertion {
  readonly table: string;
  /** The statement that makes the table, once rows have come; undefined where it is there. */
  create(): string | undefined;
  columns(): number;
  readonly rows: Iterable<Row> | AsyncIterable<Row>;
  /** What a row is known by. */
  readonly unit: "row" | "line";
  readonly signal: AbortSignal | undefined;
  onRows?(count: number): void;
}

/**
 * Inserts rows, some hundred in one transaction; the first makes the table where it is new.
 * @throws {Error} Naming the row, when one is refused: those before stay.
 */
async function insert(session: CommandSession, insertion: Insertion): Promise<number> {
  const { table, rows, unit, signal } = insertion;
  let batch: string[] = [];
  let places: number[] = [];
  let length = 0;
  let count = 0;
  let isThere = false;
  const imported = () => count === 0 ? "nothing was imported" : `the ${count} rows before are there`;
  const send = async () => {
    const create = isThere ? undefined : insertion.create();
    if (batch.length === 0 && create === undefined) return;
    signal?.throwIfAborted();
    const body = `[${[...(create === undefined ? [] : [JSON.stringify(create)]), ...batch].join(",")}]`;
    await session.insert(body).catch((error) => {
      const [first = 0] = places;
      const refused = places.length === 0 ? `${table} was` : `${unit}s ${first} to ${places.at(-1)} were`;
      throw new Error(`${refused} refused, ${imported()}: ${error.message}`);
    });
    isThere = true;
    count += batch.length;
    insertion.onRows?.(batch.length);
    [batch, places, length] = [[], [], 0];
  };
  for await (const { at, values } of rows) {
    const wanted = insertion.columns();
    if (values.length !== wanted) {
      throw new Error(`${unit} ${at} has ${values.length} values, the table ${wanted} columns; ${imported()}`);
    }
    const line = statementOf(table, values);
    batch.push(line);
    places.push(at);
    length += line.length;
    if (batch.length >= ROWS || length >= LENGTH_MAX) await send();
  }
  await send();
  return count;
}

/** The statement for a row, with its parameters. Infinity is no number of JSON: it stands in the text, as SQLite reads it. */
function statementOf(table: string, values: readonly SqlValue[]): string {
  const fitsJson = (value: SqlValue) => typeof value !== "number" || Number.isFinite(value);
  const marks = values.map((value) => fitsJson(value) ? "?" : Number(value) > 0 ? "9e999" : "-9e999");
  const sql = `INSERT INTO ${identifierText(table)} VALUES(${marks.join(",")})`;
  return `[${[JSON.stringify(sql), ...values.filter(fitsJson).map(parameterText)].join(",")}]`;
}

/** A parameter in the body of a request: numbers as they are, bytes as a list. */
function parameterText(value: SqlValue): string {
  if (value === null) return "null";
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number") return realText(value);
  return value instanceof Uint8Array ? `[${value.join(",")}]` : JSON.stringify(value);
}

function progressOf(total: number, unit = "bytes"): Progress | undefined {
  return Deno.stderr.isTerminal() ? new Progress(total, unit, Deno.stderr) : undefined;
}

async function sysdump(session: CommandSession, args: readonly string[]): Promise<void> {
  const [path, ...others] = args;
  if (path === undefined || others.length > 0) throw new Error("expected the name of a file that does not exist");
  if (await exists(path)) throw new Error(`${path} exists: it is not overwritten`);
  const nodes = entries(await session.api.get("/nodes?nonvoters"));
  const parts: string[] = [];
  for (const [id, node] of nodes) {
    const address = textIn(node, "api_addr");
    for (const target of ["/status?pretty", "/nodes?pretty&nonvoters", "/readyz", "/debug/vars", "/metrics"]) {
      const said = fieldOf(node, "reachable") === true && address !== ""
        ? await session.api.at(address).askText("GET", target, {}, [401, 503]).then(
          ({ text }) => text,
          (error) => `Error: ${error.message}`,
        )
        : "Error: it cannot be reached";
      parts.push(`== node ${id}, ${address}${target}\n${said.trimEnd()}\n`);
    }
  }
  await Deno.writeTextFile(path, parts.join("\n"), { createNew: true, mode: 0o600 });
  session.say(`${nodes.length} nodes were written to ${path}`);
}
