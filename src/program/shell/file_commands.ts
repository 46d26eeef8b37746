/**
 * The commands of the shell that read files, or write what all nodes say: import, boot, a dump of the system.
 * @module
 */
import { CsvParseStream } from "@std/csv/parse-stream";
import { identifierText } from "../../core/sql/tokenizer.ts";
import type { SqlValue } from "../../core/sql/value.ts";
import { bundledLibrary } from "../../drivers/libsqlite/library.ts";
import { Database, runOnce } from "../../drivers/libsqlite/driver.ts";
import { entries, fieldOf, text as textIn } from "../client/agent_api.ts";
import { Progress } from "../client/progress.ts";
import { exists } from "../client/transfer.ts";
import type { CommandSession, DotCommand } from "./dot_command.ts";

/** Rows of one request: one transaction of the cluster. */
const ROWS = 500;
/** Characters of their values, about. */
const LENGTH_MAX = 1024 * 1024;
/** The first bytes of every SQLite file. */
const MAGIC = "SQLite format 3\0";

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
  if (await isSqlite(path)) return await importSqlite(session, { path, table, signal });
  if (table === undefined) throw new Error("expected the name of a table for the rows of a CSV file");
  await importCsv(session, { path, table, signal });
}

async function isSqlite(path: string): Promise<boolean> {
  using file = await Deno.open(path);
  const head = new Uint8Array(MAGIC.length);
  await file.read(head);
  return new TextDecoder().decode(head) === MAGIC;
}

/** What is imported. */
interface Import {
  readonly path: string;
  readonly table: string | undefined;
  readonly signal: AbortSignal | undefined;
}

/** As in sqlite3: the first line has the names of the columns where the table is new, and is a row where it is there. */
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
  const lines = file.readable.pipeThrough(counting).pipeThrough(new TextDecoderStream()).pipeThrough(
    new CsvParseStream(),
  );
  let columns = (await session.query("SELECT name FROM pragma_table_info(?)", table)).rows.map(([name]) =>
    String(name)
  );
  const isNew = columns.length === 0;
  const rows = rowsOf(lines, async (first) => {
    if (!isNew) return;
    columns = [...first];
    const named = columns.map((name) => `${identifierText(name)} TEXT`).join(", ");
    await session.run(`CREATE TABLE ${identifierText(table)} (${named})`);
  }, isNew);
  const count = await insert(session, { table, columns: () => columns.length, rows, signal });
  progress?.finish();
  session.say(`${count} rows were imported into ${table}`);
}

/** The rows of a CSV file; the first is told, and left out where it has the names. */
async function* rowsOf(
  lines: AsyncIterable<unknown>,
  onFirst: (row: readonly string[]) => Promise<void>,
  isNames: boolean,
): AsyncGenerator<readonly string[]> {
  let isFirst = true;
  for await (const found of lines) {
    const line = Array.isArray(found) ? found.map(String) : [];
    if (isFirst) await onFirst(line);
    if (!(isFirst && isNames)) yield line;
    isFirst = false;
  }
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
      if (!there.includes(name)) await session.run(sql);
      const total = Number(runOnce(database, `SELECT count(*) FROM ${identifierText(name)}`)[0][0]);
      const progress = progressOf(total, "rows");
      const statement = database.prepare(`SELECT * FROM ${identifierText(name)}`);
      try {
        const rows = statement.iterate([]);
        const columns = statement.columns().length;
        const count = await insert(session, {
          table: name,
          columns: () => columns,
          rows,
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

/** Rows on their way into a table. */
interface Insertion {
  readonly table: string;
  columns(): number;
  readonly rows: Iterable<readonly SqlValue[]> | AsyncIterable<readonly SqlValue[]>;
  readonly signal: AbortSignal | undefined;
  onRows?(count: number): void;
}

/** Inserts rows, some hundred in one transaction. @throws {Error} Naming the row, when one is refused: those before stay. */
async function insert(session: CommandSession, { table, columns, rows, signal, onRows }: Insertion): Promise<number> {
  let batch: string[] = [];
  let length = 0;
  let count = 0;
  const send = async () => {
    if (batch.length === 0) return;
    signal?.throwIfAborted();
    const first = count + 1;
    await session.insert(`[${batch.join(",")}]`).catch((error) => {
      throw new Error(
        `rows ${first} to ${first + batch.length - 1} were refused, those before are there: ${error.message}`,
      );
    });
    count += batch.length;
    onRows?.(batch.length);
    batch = [];
    length = 0;
  };
  for await (const row of rows) {
    const wanted = columns();
    if (row.length !== wanted) {
      throw new Error(
        `row ${
          count + batch.length + 1
        } has ${row.length} values, the table ${wanted} columns; ${count} rows were imported`,
      );
    }
    const text = JSON.stringify(`INSERT INTO ${identifierText(table)} VALUES(${row.map(() => "?").join(",")})`);
    const line = `[${[text, ...row.map(parameterText)].join(",")}]`;
    batch.push(line);
    length += line.length;
    if (batch.length >= ROWS || length >= LENGTH_MAX) await send();
  }
  await send();
  return count;
}

/** A parameter in the body of a request: numbers as they are, bytes as a list. */
function parameterText(value: SqlValue): string {
  if (value === null) return "null";
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number") return /[.eE]/.test(String(value)) ? String(value) : `${value}.0`;
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
