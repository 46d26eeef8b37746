/**
 * The commands `backup` and `restore`. Exit codes for scripts: 0 done and checked, 1 failed. A backup that is
 * interrupted leaves no file under the requested name.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import { boolFlag, type Call, type Command, CommandError, textFlag } from "../client/command.ts";
import { describe, inspectDatabase } from "../client/database_file.ts";
import { thousands } from "../client/progress.ts";
import { checkSource, isCompressed, isDatabaseFile, isTextFile } from "../client/restore_source.ts";
import { download, exists, load } from "../client/transfer.ts";

const FORMATS = ["binary", "delete", "sql"];

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
    const check = (part: string) =>
      format !== "sql" && !flags.bool("compress") ? describe(inspectDatabase(part)) : undefined;
    try {
      const { bytes, checked } = await download(api(), `/db/backup?${query}`, { path, check });
      console.log(`${path}: ${thousands(bytes)} bytes${checked === undefined ? "" : `, checked: ${checked}`}`);
      return 0;
    } catch (error) {
      throw error instanceof CommandError ? error : new CommandError(`backup failed: ${messageOf(error)}`);
    }
  },
};

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
      await checkSource(path);
      const isPacked = isCompressed(path);
      const isDatabase = !isPacked && isDatabaseFile(path);
      if (!isPacked && !isDatabase && !isTextFile(path)) {
        throw new CommandError(`${path} is neither a SQLite database nor SQL text, compressed by gzip or not`);
      }
      if (isDatabase && !flags.bool("no-check")) console.log(`${path}: ${describe(inspectDatabase(path))}`);
      await load(api(), path);
      console.log("restored");
      return 0;
    } catch (error) {
      throw error instanceof CommandError ? error : new CommandError(`restore failed: ${messageOf(error)}`);
    }
  },
};

function onlyArgument(args: readonly string[], name: string): string {
  const [path, ...others] = args;
  if (path === undefined || others.length > 0) throw new CommandError(`usage: muster ${name} [flags] FILE`, 2);
  return path;
}

/** The commands of this file. */
export const BACKUP_COMMANDS: readonly Command[] = [backup, restore];
