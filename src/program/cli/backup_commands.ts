/**
 * The commands `backup` and `restore`. Exit codes for scripts: 0 done and checked, 1 failed. A backup that is
 * interrupted leaves no file under the requested name.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import { type AgentApi } from "../client/agent_api.ts";
import { boolFlag, type Call, type Command, CommandError, textFlag, told } from "../client/command.ts";
import { describe, inspectDatabase, isDatabaseFile } from "../client/database_file.ts";
import { Progress, thousands } from "../client/progress.ts";

const FORMATS = ["binary", "delete", "sql"];
/** The first bytes of gzip data. */
const GZIP = [0x1f, 0x8b];

const backup: Command = {
  name: "backup",
  summary: "write a backup of the database to a file, and check it",
  usage: "[flags] FILE\n\nExamples:\n  muster backup today.sqlite\n  muster backup -format sql -compress today.sql.gz",
  flags: [
    textFlag("format", "binary (a SQLite file), delete (one in DELETE mode) or sql (text)", "binary"),
    boolFlag("vacuum", "Leave out free pages (binary)"),
    boolFlag("compress", "Compress with gzip"),
    textFlag("tables", "Comma-separated list of the tables to write (sql)"),
    boolFlag("noleader", "Take the state of the node that is asked, whether or not it has a leader"),
    boolFlag("force", "Replace a file of that name"),
  ],
  async run({ flags, args, api }: Call) {
    const path = onlyArgument(args, "backup");
    const format = flags.string("format");
    if (!FORMATS.includes(format)) throw new CommandError(`-format must be one of ${FORMATS.join(", ")}`, 2);
    if (!flags.bool("force") && await exists(path)) throw new CommandError(`${path} exists: -force replaces it`);
    const query = new URLSearchParams({ fmt: format });
    for (const name of ["vacuum", "compress", "noleader"]) if (flags.bool(name)) query.set(name, "");
    if (flags.string("tables") !== "") query.set("tables", flags.string("tables"));
    const part = `${path}.part`;
    try {
      const bytes = await told("backup failed", () => download(api(), `/db/backup?${query}`, part));
      const found = format !== "sql" && !flags.bool("compress") ? describe(inspectDatabase(part)) : undefined;
      await Deno.rename(part, path);
      console.log(`${path}: ${thousands(bytes)} bytes${found === undefined ? "" : `, checked: ${found}`}`);
      return 0;
    } catch (error) {
      await Deno.remove(part).catch(() => {});
      throw error instanceof CommandError ? error : new CommandError(`backup failed: ${messageOf(error)}`);
    }
  },
};

/** Writes what a node sends to a file, on disk. @returns Its bytes. */
async function download(api: AgentApi, target: string, path: string): Promise<number> {
  const response = await api.stream("GET", target);
  const length = Number(response.headers.get("content-length") ?? 0);
  const progress = progressOf(length);
  const file = await Deno.open(path, { write: true, create: true, truncate: true });
  let bytes = 0;
  try {
    for await (const piece of response.body ?? []) {
      for (let written = 0; written < piece.length;) written += await file.write(piece.subarray(written));
      bytes += piece.length;
      progress?.advance(piece.length);
    }
    await file.sync();
  } catch (error) {
    throw new CommandError(`backup failed: it broke off after ${thousands(bytes)} bytes: ${messageOf(error)}`);
  } finally {
    file.close();
  }
  progress?.finish();
  if (length > 0 && bytes !== length) throw new CommandError(`backup failed: ${bytes} of ${length} bytes have come`);
  return bytes;
}

const restore: Command = {
  name: "restore",
  summary: "replace the database by a SQLite file, or run a file of SQL text",
  usage:
    "[flags] FILE\n\nA SQLite file takes the place of all that the database holds, on every node at once; SQL text, such as " +
    "a dump, is run\nas one transaction. Either may be compressed with gzip.\n\nExamples:\n  muster restore today.sqlite",
  flags: [boolFlag("no-check", "Do not check the file before it is sent")],
  async run({ flags, args, api }: Call) {
    const path = onlyArgument(args, "restore");
    try {
      const isPacked = await beginsWith(path, GZIP);
      const isDatabase = !isPacked && isDatabaseFile(path);
      if (isDatabase && !flags.bool("no-check")) console.log(`${path}: ${describe(inspectDatabase(path))}`);
      const answer = await told("restore failed", () => upload(api(), path, isPacked));
      const fault = answer.error ?? answer.results?.find(({ error }) => error !== undefined)?.error;
      if (fault !== undefined) throw new CommandError(`restore failed: ${fault}`);
      console.log("restored");
      return 0;
    } catch (error) {
      throw error instanceof CommandError ? error : new CommandError(`restore failed: ${messageOf(error)}`);
    }
  },
};

/** Answer of `/db/load`. */
interface LoadAnswer {
  readonly error?: string;
  readonly results?: readonly { readonly error?: string }[];
}

async function upload(api: AgentApi, path: string, isPacked: boolean): Promise<LoadAnswer> {
  const { size } = await Deno.stat(path);
  const progress = progressOf(size);
  const file = await Deno.open(path);
  const counted = file.readable.pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(piece, controller) {
        progress?.advance(piece.length);
        controller.enqueue(piece);
      },
    }),
  );
  const body = isPacked ? counted.pipeThrough(new DecompressionStream("gzip")) : counted;
  const response = await api.stream("POST", "/db/load", body);
  progress?.finish();
  return await response.json();
}

/** On a terminal alone: a script reads what stands in its output. */
function progressOf(bytes: number): Progress | undefined {
  const output = {
    isTerminal: () => Deno.stderr.isTerminal(),
    writeSync: (text: Uint8Array) => Deno.stderr.writeSync(text),
  };
  return output.isTerminal() && bytes > 0 ? new Progress(bytes, "bytes", output) : undefined;
}

function onlyArgument(args: readonly string[], name: string): string {
  const [path, ...others] = args;
  if (path === undefined || others.length > 0) throw new CommandError(`usage: muster ${name} [flags] FILE`, 2);
  return path;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

async function beginsWith(path: string, bytes: readonly number[]): Promise<boolean> {
  using file = await Deno.open(path);
  const head = new Uint8Array(bytes.length);
  await file.read(head);
  return bytes.every((byte, at) => head[at] === byte);
}

/** The commands of this file. */
export const BACKUP_COMMANDS: readonly Command[] = [backup, restore];
