/**
 * The commands `snapshot save`, `restore` and `inspect`, with Consul's words and exit codes (C3.10).
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import { openSnapshot, type SnapshotArchive, SnapshotFileError } from "../../app/services/snapshot_archive.ts";
import { type AgentApi, fieldOf, SERVER_FLAGS, serverQuery, text } from "../client/agent_api.ts";
import { boolFlag, type Call, type Command, CommandError, intFlag, textFlag, told } from "../client/command.ts";

/** Time that a snapshot may take on its way. */
const TRANSFER_MS = 600_000;
/** Parts of a name that the agent tells. */
const NAME_PARTS = ["version", "dc", "node", "status"];

const save: Command = {
  name: "snapshot save",
  summary: "write the catalog, the keys and the sessions to a file",
  usage: "[flags] FILE\n\nThe SQL data have backups of their own: muster backup.",
  flags: [
    textFlag("append-filename", "What to add to the name of the file, of version, dc, node and status; with commas"),
    ...SERVER_FLAGS,
  ],
  async run({ flags, args, api }: Call) {
    const path = await named(fileIn(args), flags.string("append-filename"), api());
    const target = `/v1/snapshot${serverQuery(flags)}`;
    const response = await told("Error saving snapshot", () => {
      return api().ask("GET", target, { timeoutMs: TRANSFER_MS });
    });
    const part = `${path}.unverified`;
    try {
      await attempted("Error writing unverified snapshot file", () => write(part, response));
      await attempted("Error verifying snapshot file", async () => await openSnapshot(await Deno.readFile(part)));
      await attempted(`Error renaming "${part}" to "${path}"`, () => Deno.rename(part, path));
    } finally {
      await Deno.remove(part).catch(() => {}); // there is none when all went well
    }
    console.log(`Saved and verified snapshot to index ${response.headers.get("x-consul-index") ?? 0}`);
    return 0;
  },
};

function fileIn(args: readonly string[]): string {
  const [file] = args;
  if (file === undefined) throw new CommandError("Missing FILE argument");
  if (args.length > 1) throw new CommandError(`Too many arguments (expected 1, got ${args.length})`);
  return file;
}

/** The name with what the agent says of itself in front of its extension. */
async function named(path: string, parts: string, api: AgentApi): Promise<string> {
  if (parts === "") return path;
  const wrong = parts.split(",").find((part) => !NAME_PARTS.includes(part));
  if (wrong !== undefined) throw new CommandError(`-append-filename takes ${NAME_PARTS.join(", ")}, not "${wrong}"`);
  const failed = "Error connecting to Consul agent and fetching datacenter/version";
  const self = await told(failed, () => api.get("/v1/agent/self"));
  const config = fieldOf(self, "Config");
  const isLeader = text(fieldOf(fieldOf(self, "Stats"), "consul"), "leader") === "true";
  const values: Readonly<Record<string, string>> = {
    version: text(fieldOf(fieldOf(self, "Stats"), "build"), "version"),
    dc: text(config, "Datacenter"),
    node: text(config, "NodeName"),
    status: isLeader ? "leader" : "follower",
  };
  const added = NAME_PARTS.filter((part) => parts.split(",").includes(part)).map((part) => `-${values[part]}`).join("");
  const dot = path.lastIndexOf(".");
  return dot > path.lastIndexOf("/") + 1 ? path.slice(0, dot) + added + path.slice(dot) : path + added;
}

/** Writes an answer to disk; it holds every value of every key, so that nobody else may read it. */
async function write(path: string, { body }: Response): Promise<void> {
  await Deno.remove(path).catch(() => {}); // which might have another mode
  using file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
  for await (const piece of body ?? []) {
    for (let written = 0; written < piece.length;) written += await file.write(piece.subarray(written));
  }
  await file.sync();
}

async function attempted<T>(prefix: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new CommandError(`${prefix}: ${messageOf(error)}`);
  }
}

const restore: Command = {
  name: "snapshot restore",
  summary: "replace the catalog, the keys and the sessions by those of a file",
  usage: "[flags] FILE\n\nWhat is there now is discarded. Members stay, and agents register their services again.",
  flags: SERVER_FLAGS,
  async run({ flags, args, api }: Call) {
    const file = fileIn(args);
    const body = await attempted("Error opening snapshot file", () => Deno.readFile(file));
    const target = `/v1/snapshot${serverQuery(flags)}`;
    await told("Error restoring snapshot", () => api().askText("PUT", target, { body, timeoutMs: TRANSFER_MS }));
    console.log("Restored snapshot");
    return 0;
  },
};

/** Rows of one kind. */
interface Sum {
  readonly Name: string;
  /** Their bytes. */
  readonly Sum: number;
  readonly Count: number;
}

/** What is shown of a snapshot; names as in Consul's JSON. */
interface Shown {
  readonly Meta: Readonly<Record<string, string | number>>;
  readonly Stats: readonly Sum[];
  readonly StatsKV: readonly Sum[] | null;
  readonly TotalSize: number;
  readonly TotalSizeKV: number;
}

/** Names of Consul for the rows of a table. */
const KINDS: Readonly<Record<string, string>> = {
  nodes: "Register",
  services: "Register",
  checks: "Register",
  sessions: "Session",
  session_checks: "SessionCheck",
  kv: "KVS",
  queries: "PreparedQuery",
  config_entries: "ConfigEntry",
  acl_tokens: "ACLToken",
  acl_users: "ACLUser",
  acl_policies: "ACLPolicy",
  acl_roles: "ACLRole",
  acl_state: "ACLBootstrap",
};

const inspect: Command = {
  name: "snapshot inspect",
  summary: "show what the file of a snapshot holds",
  usage: "[flags] FILE",
  flags: [
    textFlag("format", "pretty or json", "pretty"),
    boolFlag("kvdetails", "Show how much space keys take, by their prefixes"),
    intFlag("kvdepth", "Parts of a key, between slashes, that make a prefix; with -kvdetails", 2),
    textFlag("kvfilter", "Prefix of the keys to show; with -kvdetails"),
  ],
  isLocal: true,
  async run({ flags, args }: Call) {
    const file = fileIn(args);
    const format = flags.string("format");
    if (format !== "pretty" && format !== "json") {
      throw new CommandError(`Error outputting enhanced snapshot data: Unknown format: ${format}`);
    }
    const bytes = await attempted("Error opening snapshot file", () => Deno.readFile(file));
    const archive = await attempted("Error reading snapshot", () => openSnapshot(bytes));
    const details = flags.bool("kvdetails")
      ? { depth: Math.max(1, flags.int("kvdepth")), filter: flags.string("kvfilter") }
      : undefined;
    const shown = await attempted("Error extracting snapshot data", () => Promise.resolve(sumUp(archive, details)));
    console.log(format === "json" ? JSON.stringify(shown, undefined, 3) : pretty(shown));
    return 0;
  },
};

/** Counts rows and their bytes. @throws {SnapshotFileError} When the state is none of this program. */
function sumUp({ meta, state }: SnapshotArchive, details: { depth: number; filter: string } | undefined): Shown {
  const [kinds, keys] = [new Map<string, Sum>(), new Map<string, Sum>()];
  const lines = new TextDecoder().decode(state).trimEnd().split("\n");
  for (const [at, line] of lines.entries()) {
    const row = rowIn(line);
    if (at === 0 && fieldOf(row, "snapshot") !== undefined) continue;
    const table = text(row, "table");
    if (table === "") throw new SnapshotFileError("the state is none of muster; one of Consul cannot be read here");
    const size = new TextEncoder().encode(line).length + 1;
    add(kinds, KINDS[table] ?? table, size);
    const key = text(fieldOf(row, "row"), "key");
    if (table === "kv" && details && key.startsWith(details.filter)) {
      add(keys, key.split("/").slice(0, details.depth).join("/"), size);
    }
  }
  const number = (name: string) => Number(text(meta, name));
  return {
    Meta: {
      ID: text(meta, "ID"),
      Size: number("Size"),
      Index: number("Index"),
      Term: number("Term"),
      Version: number("Version"),
    },
    Stats: sorted(kinds),
    StatsKV: keys.size === 0 ? null : sorted(keys),
    TotalSize: total(kinds),
    TotalSizeKV: total(keys),
  };
}

function rowIn(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function add(sums: Map<string, Sum>, name: string, size: number): void {
  const { Sum, Count } = sums.get(name) ?? { Sum: 0, Count: 0 };
  sums.set(name, { Name: name, Sum: Sum + size, Count: Count + 1 });
}

/** The largest first. */
function sorted(sums: ReadonlyMap<string, Sum>): Sum[] {
  return [...sums.values()].sort((a, b) => b.Sum - a.Sum || (a.Name < b.Name ? -1 : 1));
}

function total(sums: ReadonlyMap<string, Sum>): number {
  return [...sums.values()].reduce((sum, { Sum }) => sum + Sum, 0);
}

function pretty({ Meta, Stats, StatsKV, TotalSize, TotalSizeKV }: Shown): string {
  const head = Object.entries(Meta).map(([name, value]) => ` ${name.padEnd(13)}${value}`).join("\n");
  const parts = [head, columns("Type", Stats, { total: TotalSize, widthMin: 8, gap: 6 })];
  if (StatsKV) parts.push(columns("Key Name", StatsKV, { total: TotalSizeKV, widthMin: 30, gap: 12 }));
  return parts.join("\n\n");
}

function columns(
  name: string,
  sums: readonly Sum[],
  { total, widthMin, gap }: { total: number; widthMin: number; gap: number },
): string {
  const line = ["----", "----", "----"];
  const rows = [
    [name, "Count", "Size"],
    line,
    ...sums.map(({ Name, Sum, Count }) => [Name, String(Count), bytesText(Sum)]),
    line,
    ["Total", "", bytesText(total)],
  ].map(([first, ...rest]) => [` ${first}`, ...rest]);
  const widths = rows[0].map((_, at) => Math.max(widthMin, ...rows.map((row) => row[at].length + gap)));
  return rows.map((row) => row.map((cell, at) => cell.padEnd(widths[at])).join("")).join("\n");
}

/** Bytes as Consul shows them: `1.5KB`. */
function bytesText(bytes: number): string {
  if (bytes === 0) return "0";
  const units = ["B", "KB", "MB", "GB", "TB"];
  const at = Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** at).toFixed(1).replace(/\.0$/, "")}${units[at]}`;
}

/** Commands about snapshots. */
export const SNAPSHOT_COMMANDS: readonly Command[] = [inspect, restore, save];
