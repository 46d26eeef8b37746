/**
 * The commands `kv get`, `put`, `delete`, `export` and `import`, with Consul's words and exit codes (C3.6), and `kv history`.
 * @module
 */
import { parseExact, rawInteger } from "../../base/codec/raw_json.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { answerIn, SERVER_FLAGS, serverQuery, table, text, wholeList } from "../client/agent_api.ts";
import { boolFlag, type Call, type Command, CommandError, textFlag, told } from "../client/command.ts";
import {
  change,
  dataOf,
  type KvEntry,
  kvPath,
  readEntries,
  wholeFlag,
  wholeOf,
  withoutSlash,
} from "../client/kv_entries.ts";

/** Spaces between the names and the values of `-detailed`. */
const DETAIL_GAP = 6;
const MISSING_KEY = "Error! Missing KEY argument";

const get: Command = {
  name: "kv get",
  summary: "show a key, or the keys with a prefix",
  usage: "[flags] KEY_OR_PREFIX\n\nExamples:\n  muster kv get app/color\n  muster kv get -recurse app/",
  flags: [
    boolFlag("base64", "Show values in base64"),
    boolFlag("detailed", "Show the indices, the flags and the session of each key, too"),
    boolFlag("keys", "Show the names of all keys with the prefix, and no values"),
    boolFlag("recurse", "Show all keys with the prefix"),
    wholeFlag("at", "Show what was there at this index of the log, as far back as the history reaches; 0: now"),
    textFlag("separator", "Where to cut the names that -keys shows", "/"),
    ...SERVER_FLAGS,
  ],
  async run({ flags, args, api }: Call) {
    const key = prefixIn(args);
    const [isList, isTree] = [flags.bool("keys"), flags.bool("recurse")];
    if (key === "" && !isList && !isTree) throw new CommandError(MISSING_KEY);
    const index = wholeOf(flags.string("at"), "at");
    const at: Record<string, string> = index === 0n ? {} : { at: String(index) };
    if (isList) {
      const query = serverQuery(flags, { ...at, separator: flags.string("separator") });
      const { text: answer } = await api().askState(withFlag(kvPath(key) + query, "keys"));
      const names = answerIn(answer ?? "[]", (found) => wholeList(JSON.parse(found)));
      for (const name of names) console.log(String(name));
      return 0;
    }
    const target = kvPath(key) + serverQuery(flags, at);
    const { entries } = await readEntries(api(), isTree ? withFlag(target, "recurse") : target);
    if (!isTree && entries.length === 0) throw new CommandError(`Error! No key exists at: ${key}`);
    const isEncoded = flags.bool("base64");
    entries.forEach((entry, at) => {
      const value = isEncoded ? new TextEncoder().encode(entry.value.toBase64()) : entry.value;
      if (flags.bool("detailed")) print(details(entry), value);
      else print(isTree ? `${entry.key}:` : "", value);
      if (flags.bool("detailed") && at < entries.length - 1) console.log("");
    });
    return 0;
  },
};

/** The one argument; a `/` in front of it is left out. */
function prefixIn(args: readonly string[]): string {
  if (args.length > 1) throw new CommandError(`Too many arguments (expected 1, got ${args.length})`);
  return withoutSlash(args[0] ?? "");
}

function withFlag(target: string, flag: string): string {
  return target + (target.includes("?") ? "&" : "?") + flag;
}

/** Everything of a key up to its value. */
function details(entry: KvEntry): string {
  const rows: [string, string][] = [
    ["CreateIndex", String(entry.createIndex)],
    ["Flags", String(entry.flags)],
    ["Key", entry.key],
    ["LockIndex", String(entry.lockIndex)],
    ["ModifyIndex", String(entry.modifyIndex)],
    ["Session", entry.session || "-"],
    ...(entry.expireTime === "" ? [] : [["ExpireTime", entry.expireTime] as [string, string]]),
    ["Value", ""],
  ];
  const width = Math.max(...rows.map(([name]) => name.length)) + DETAIL_GAP;
  return rows.map(([name, value]) => name.padEnd(width) + value).join("\n");
}

/** Prints a value as it is: one that is no text, such as an image, must come out as its bytes. */
function print(before: string, value: Uint8Array): void {
  try {
    console.log(before + new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value));
  } catch {
    const bytes = new Uint8Array([...new TextEncoder().encode(before), ...value, 0x0a]);
    for (let written = 0; written < bytes.length;) written += Deno.stdout.writeSync(bytes.subarray(written));
  }
}

const put: Command = {
  name: "kv put",
  summary: "write a key",
  usage:
    "[flags] KEY [DATA]\n\nDATA is the value, @FILE for what a file holds, or - for standard input.\n\nExamples:\n" +
    "  muster kv put app/color blue\n  muster kv put -cas -modify-index=123 app/color green",
  flags: [
    boolFlag("cas", "Write only if the key was last changed at -modify-index, or with 0 if there is no such key"),
    wholeFlag("modify-index", "Index for -cas"),
    wholeFlag("flags", "A number that is kept with the key, for clients"),
    textFlag("ttl", "Time to live: the key is deleted so long after its last write, such as 30s"),
    boolFlag("base64", "DATA is in base64"),
    boolFlag("acquire", "Lock the key for -session"),
    boolFlag("release", "Give up the lock that -session has"),
    textFlag("session", "Id of the session for -acquire and -release"),
    ...SERVER_FLAGS,
  ],
  async run({ flags, args, api }: Call) {
    const { key, body } = await written(args, flags.bool("base64"));
    const modifyIndex = wholeOf(flags.string("modify-index"), "modify-index");
    const query: Record<string, string> = { flags: String(wholeOf(flags.string("flags"), "flags")) };
    const [session, isCas] = [flags.string("session"), flags.bool("cas")];
    const action = flags.bool("acquire") ? "acquire" : flags.bool("release") ? "release" : undefined;
    if (action && session === "") {
      throw new CommandError("Error! Missing -session (required with -acquire and -release)");
    }
    const ttl = flags.string("ttl");
    if (ttl !== "") query.ttl = ttl;
    if (isCas) query.cas = String(modifyIndex);
    else if (action) query[action] = session;
    const failed = isCas ? `Error! Did not write to ${key}` : "Error! Failed writing data";
    const target = kvPath(key) + serverQuery(flags, query);
    const isDone = await told(failed, () => change(api(), "PUT", target, { body }));
    if (isCas && !isDone) throw new CommandError(`Error! Did not write to ${key}: CAS failed`);
    if (!isDone) throw new CommandError(`Error! Did not ${action ?? "write"}${action ? " lock" : ` to ${key}`}`);
    const what = isCas || !action ? "Data written to" : action === "acquire" ? "Lock acquired on" : "Lock released on";
    console.log(`Success! ${what}: ${key}`);
    return 0;
  },
};

async function written(
  args: readonly string[],
  isEncoded: boolean,
): Promise<{ key: string; body: Uint8Array<ArrayBuffer> }> {
  const [key, data = ""] = args;
  if (key === undefined) throw new CommandError(MISSING_KEY);
  if (args.length > 2) throw new CommandError(`Error! Too many arguments (expected 1 or 2, got ${args.length})`);
  let body: Uint8Array<ArrayBuffer>;
  try {
    body = await dataOf(data);
  } catch (error) {
    throw new CommandError(`Error! ${messageOf(error)}`);
  }
  try {
    if (isEncoded) body = Uint8Array.fromBase64(new TextDecoder().decode(body));
  } catch (error) {
    throw new CommandError(`Error! Cannot base 64 decode data: ${messageOf(error)}`);
  }
  return { key: keyOf(key), body };
}

function keyOf(key: string): string {
  if (!key.startsWith("/")) return key;
  console.error(`[WARN] invalid key path: ${key}: the leading "/" is left out`);
  return withoutSlash(key);
}

const remove: Command = {
  name: "kv delete",
  summary: "delete a key, or the keys with a prefix",
  usage: "[flags] KEY_OR_PREFIX",
  flags: [
    boolFlag("cas", "Delete only if the key was last changed at -modify-index"),
    wholeFlag("modify-index", "Index for -cas"),
    boolFlag("recurse", "Delete all keys with the prefix"),
    ...SERVER_FLAGS,
  ],
  async run({ flags, args, api }: Call) {
    const key = prefixIn(args);
    const [isTree, isCas] = [flags.bool("recurse"), flags.bool("cas")];
    const index = wholeOf(flags.string("modify-index"), "modify-index");
    if (key === "" && !isTree) throw new CommandError(MISSING_KEY);
    if (isCas && index === 0n) {
      throw new CommandError("Cannot delete a key that does not exist. Provide a -modify-index greater than than 0.");
    }
    if (index !== 0n && !isCas) throw new CommandError("Cannot specify -modify-index without -cas!");
    if (isTree && isCas) throw new CommandError("Cannot specify both -cas and -recurse!");
    const failed = isTree
      ? `Error! Did not delete prefix ${key}`
      : isCas
      ? `Error! Did not delete key ${key}`
      : `Error deleting key ${key}`;
    const target = kvPath(key) + serverQuery(flags, isCas ? { cas: String(index) } : {});
    const isDone = await told(failed, () => change(api(), "DELETE", isTree ? withFlag(target, "recurse") : target));
    if (!isDone) throw new CommandError(`${failed}${isCas ? ": CAS failed" : ""}`);
    console.log(isTree ? `Success! Deleted keys with prefix: ${key}` : `Success! Deleted key: ${key}`);
    return 0;
  },
};

const history: Command = {
  name: "kv history",
  summary: "show what a key held before",
  usage: "[flags] KEY\n\nThe newest comes first. How much is kept says the entry of configuration kv-history.\n\n" +
    "Examples:\n  muster kv history app/color\n  muster kv get -at=1234 app/color",
  flags: [textFlag("format", "pretty or json", "pretty"), ...SERVER_FLAGS],
  async run({ flags, args, api }: Call) {
    const key = prefixIn(args);
    const format = flags.string("format");
    if (key === "") throw new CommandError(MISSING_KEY);
    if (format !== "pretty" && format !== "json") throw new CommandError(`Unknown format: ${format}`);
    const { text: answer } = await api().askState(withFlag(kvPath(key) + serverQuery(flags), "history"));
    const versions = answerIn(answer ?? "[]", (found) => wholeList(parseExact(found)));
    if (format === "json") {
      console.log(JSON.stringify(versions, undefined, "  "));
      return 0;
    }
    if (versions.length === 0) throw new CommandError(`Error! Nothing is known of a key at: ${key}`);
    const rows = versions.flatMap((version) => {
      const held = [text(version, "ModifyIndex"), text(version, "ModifyTime") || "-", preview(text(version, "Value"))];
      const end = [text(version, "EndIndex"), text(version, "EndTime") || "-", "(deleted)"];
      return text(version, "Deleted") === "true" ? [end, held] : [held];
    });
    console.log(table([["Index", "Time", "Value"], ...rows]));
    return 0;
  },
};

/** Characters of a value in the list of versions. */
const PREVIEW_CHARS_MAX = 60;

/** The beginning of a value in base64, as a line. */
function preview(encoded: string): string {
  const bytes = Uint8Array.fromBase64(encoded);
  let shown: string;
  try {
    shown = JSON.stringify(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return `${bytes.length} bytes`;
  }
  return shown.length > PREVIEW_CHARS_MAX ? `${shown.slice(0, PREVIEW_CHARS_MAX)}… (${bytes.length} bytes)` : shown;
}

const exported: Command = {
  name: "kv export",
  summary: "write all keys with a prefix as JSON",
  usage: "[flags] [PREFIX]\n\nExample:\n  muster kv export app/ > app.json",
  flags: SERVER_FLAGS,
  async run({ flags, args, api }: Call) {
    const target = kvPath(prefixIn(args)) + serverQuery(flags);
    const { entries } = await readEntries(api(), withFlag(target, "recurse"));
    const shown = entries.map(({ key, flags, value }) => ({ key, flags: rawInteger(flags), value: value.toBase64() }));
    console.log(JSON.stringify(shown, undefined, "\t"));
    return 0;
  },
};

const imported: Command = {
  name: "kv import",
  summary: "write the keys of an export",
  usage: "[flags] DATA\n\nDATA is JSON as `kv export` writes it, @FILE, or - for standard input.",
  flags: [textFlag("prefix", "Put this before each key"), ...SERVER_FLAGS],
  async run({ flags, args, api }: Call) {
    const prefix = withoutSlash(flags.string("prefix"));
    for (const entry of await importedEntries(args)) {
      const key = joined(prefix, text(entry, "key"));
      let body: Uint8Array<ArrayBuffer>;
      try {
        body = Uint8Array.fromBase64(text(entry, "value"));
      } catch (error) {
        throw new CommandError(`Error base 64 decoding value for key ${key}: ${messageOf(error)}`);
      }
      const query = { flags: text(entry, "flags") };
      await told(
        `Error! Failed writing data for key ${key}`,
        () => api().ask("PUT", kvPath(key) + serverQuery(flags, query), { body }),
      );
      console.log(`Imported: ${key}`);
    }
    return 0;
  },
};

/** Both with one `/` between them. */
function joined(prefix: string, key: string): string {
  return prefix === "" || prefix.endsWith("/") ? prefix + key : `${prefix}/${key}`;
}

async function importedEntries(args: readonly string[]): Promise<readonly unknown[]> {
  const [data] = args;
  if (data === undefined) throw new CommandError("Error! Missing DATA argument");
  if (args.length > 1) throw new CommandError(`Error! Too many arguments (expected 1, got ${args.length})`);
  if (data === "") throw new CommandError("Error! Empty DATA argument");
  let bytes: Uint8Array;
  try {
    bytes = await dataOf(data);
  } catch (error) {
    throw new CommandError(`Error! ${messageOf(error)}`);
  }
  try {
    const parsed = parseExact(new TextDecoder().decode(bytes));
    if (!Array.isArray(parsed)) throw new Error("expected a list of entries");
    return parsed;
  } catch (error) {
    throw new CommandError(`Cannot unmarshal data: ${messageOf(error)}`);
  }
}

/** Commands about keys. */
export const KV_COMMANDS: readonly Command[] = [remove, exported, get, history, imported, put];
