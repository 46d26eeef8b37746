/**
 * The commands of the shell that begin with a dot: those of rqlite's shell, and of SQLite's where they make sense here.
 * @module
 */
import { wholeUtf8Text } from "../../base/net/utf8_lines.ts";
import { entries, fieldOf, text as textIn } from "../client/agent_api.ts";
import { download, exists, load } from "../client/transfer.ts";
import { FILE_COMMANDS } from "./file_commands.ts";
import { FOLLOWING_COMMANDS } from "./following.ts";
import type { CommandSession, DotCommand } from "./dot_command.ts";
import { describeCluster } from "./cluster_screen.ts";
import { isMode, MODES } from "./modes.ts";

const LEVELS = ["none", "weak", "linearizable", "strong", "auto"];
const IS_USERS_TABLE = "name NOT LIKE 'sqlite!_%' ESCAPE '!'";

function command(name: string, usage: string, help: string, run: DotCommand["run"]): DotCommand {
  return { name, usage, help, run };
}

/** A setting that is on or off. */
function toggle(name: string, help: string, setting: "timer" | "changes" | "hasHeader"): DotCommand {
  return command(name, "[on|off]", help, (session, [value]) => {
    const { settings } = session;
    if (value === undefined) return session.say(settings[setting] ? "on" : "off");
    settings[setting] = isOn(value);
  });
}

function isOn(value: string): boolean {
  const word = value.toLowerCase();
  if (["on", "1", "yes", "true"].includes(word)) return true;
  if (["off", "0", "no", "false"].includes(word)) return false;
  throw new Error(`expected on or off, found ${JSON.stringify(value)}`);
}

/** JSON of a node as indented lines, of all or of one of its fields. */
function shownJson(path: string): DotCommand["run"] {
  return async (session, [key]) => {
    const whole = await session.api.get(path);
    const part = key === undefined ? whole : fieldOf(whole, key);
    if (part === undefined) {
      throw new Error(`there is no ${JSON.stringify(key)}: ${entries(whole).map(([name]) => name).join(", ")}`);
    }
    for (const line of indented(part)) session.say(line);
  };
}

function* indented(value: unknown, depth = 0): Generator<string> {
  const space = "  ".repeat(depth);
  for (const [name, inner] of entries(value)) {
    if (typeof inner === "object" && inner !== null && entries(inner).length > 0) {
      yield `${space}${name}:`;
      yield* indented(inner, depth + 1);
    } else yield `${space}${name}: ${typeof inner === "object" ? JSON.stringify(inner) : inner}`;
  }
  if (typeof value !== "object" || value === null) yield `${space}${value}`;
}

function oneArgument(args: readonly string[], what: string): string {
  if (args.length !== 1) throw new Error(`expected ${what}`);
  return args[0];
}

/** Writes what a node sends to a file that does not exist yet. */
async function save(session: CommandSession, target: string, path: string): Promise<void> {
  if (await exists(path)) throw new Error(`${path} exists: it is not overwritten`);
  await download(session.api, target, { path, check: () => {} });
}

/** All, by name. */
export const COMMANDS: readonly DotCommand[] = [
  ...FILE_COMMANDS,
  ...FOLLOWING_COMMANDS,
  command("backup", "FILE", "Write a backup of the database, a SQLite file", async (session, args) => {
    const path = oneArgument(args, "the name of a file that does not exist");
    await save(session, "/db/backup", path);
    session.say("backup file written successfully");
  }),
  toggle("changes", "Whether a change is shown with the last rowid", "changes"),
  command("cluster", "", "Show who leads, and how the nodes are", async (session) => {
    session.say(await describeCluster(session.api));
  }),
  command("consistency", `[${LEVELS.join("|")}]`, "Read level of queries", (session, [level]) => {
    const { settings } = session;
    if (level === undefined) return session.say(settings.level || "weak");
    if (!LEVELS.includes(level.toLowerCase())) throw new Error(`expected one of ${LEVELS.join(", ")}`);
    settings.level = level.toLowerCase();
  }),
  command(
    "dump",
    "FILE [TABLES]",
    "Write the database, or tables with commas between, as SQL",
    async (session, args) => {
      const [path, tables] = args;
      if (path === undefined || args.length > 2) throw new Error("expected the name of a file that does not exist");
      const chosen = tables === undefined ? "" : `&tables=${encodeURIComponent(tables)}`;
      await save(session, `/db/backup?fmt=sql${chosen}`, path);
      session.say("SQL text file written successfully");
    },
  ),
  command("extensions", "", "List the extensions of SQLite that are loaded", async (session) => {
    const names = fieldOf(fieldOf(await session.api.get("/status"), "extensions"), "names");
    for (const name of Array.isArray(names) ? names : []) session.say(String(name));
  }),
  command(
    "reap",
    "",
    "Remove what is left of snapshots, as rqlite does; there is nothing to remove here",
    async (session) => {
      const answer = JSON.parse((await session.api.askText("POST", "/reap")).text);
      session.say(
        `snapshots reaped: ${textIn(answer, "snapshots_reaped")}, WALs checkpointed: ${
          textIn(answer, "wals_checkpointed")
        }`,
      );
    },
  ),
  command("exit", "", "Leave", (session) => session.leave()),
  command("expvar", "[KEY]", "Show the node's counters", shownJson("/debug/vars")),
  toggle("headers", "Whether the names of columns are shown", "hasHeader"),
  command("help", "", "Show this", (session) => {
    for (const { name, usage, help } of COMMANDS) session.say(`${`.${name} ${usage}`.padEnd(34)} ${help}`);
  }),
  command("indexes", "[TABLE]", "Show the indexes", async (session, [table]) => {
    const of = table === undefined ? ["", []] as const : [" AND tbl_name = ?", [table]] as const;
    session.show(
      await session.query(
        `SELECT sql FROM sqlite_master WHERE type = 'index' AND sql <> ''${of[0]} ORDER BY name`,
        ...of[1],
      ),
    );
  }),
  command("leader", "", "Show the leader", async (session) => {
    const nodes = entries(await session.api.get("/nodes"));
    const leader = nodes.find(([, node]) => fieldOf(node, "leader") === true);
    if (leader === undefined) throw new Error("no leader found");
    for (const line of indented(leader[1])) session.say(line);
  }),
  command(
    "mode",
    `[${MODES.join("|")}]`,
    "How rows are shown; insert takes the name of a table, too",
    (session, [mode, table]) => {
      const { settings } = session;
      if (mode === undefined) return session.say(settings.mode);
      const wanted = mode.toLowerCase();
      if (!isMode(wanted)) throw new Error(`expected one of ${MODES.join(", ")}`);
      settings.mode = wanted;
      if (table !== undefined) settings.table = table;
    },
  ),
  command("nodes", "[all]", "Show the nodes; all: those without a vote, too", async (session, [all]) => {
    for (const line of indented(await session.api.get(`/nodes${all === "all" ? "?nonvoters" : ""}`))) session.say(line);
  }),
  command("nullvalue", "TEXT", "Shown in place of NULL", ({ settings }, args) => {
    settings.nullText = oneArgument(args, "a text");
  }),
  command("output", "[FILE]", "Write what is shown to a file, or back to here", (session, [path]) => {
    session.redirect(undefined);
    if (path === undefined) return;
    const encoder = new TextEncoder();
    Deno.writeFileSync(path, encoder.encode("")); // it is begun anew
    session.redirect((text) => Deno.writeFileSync(path, encoder.encode(text), { append: true }));
  }),
  command("quit", "", "Leave", (session) => session.leave()),
  command("read", "FILE", "Run the statements and commands of a file", async (session, args) => {
    const path = oneArgument(args, "the name of a file");
    const content = await wholeUtf8Text((await Deno.open(path)).readable);
    for (const line of content.split("\n")) {
      if (session.isOver) return;
      await session.take(line);
    }
    await session.flush();
  }),
  command("ready", "", "Show whether the node is ready", async (session) => {
    const { status } = await session.api.askText("GET", "/readyz", {}, [503]);
    session.say(status === 200 ? "ready" : "not ready");
  }),
  command(
    "restore",
    "FILE",
    "Replace the database by a SQLite file, or run a file of SQL text",
    async (session, args) => {
      await load(session.api, oneArgument(args, "the name of a file"));
      session.say("Database restored successfully.");
    },
  ),
  command("schema", "[TABLE]", "Show the statements that made the tables", async (session, [table]) => {
    const of = table === undefined ? ["", []] as const : [" AND tbl_name = ?", [table]] as const;
    session.show(await session.query(`SELECT sql FROM sqlite_master WHERE sql <> ''${of[0]} ORDER BY rowid`, ...of[1]));
  }),
  command("show", "", "Show the settings", (session) => {
    for (const [name, value] of Object.entries(session.settings)) session.say(`${name.padStart(10)}: ${value ?? ""}`);
  }),
  command("snapshot", "", "Have the node make a snapshot", async ({ api }) => {
    await api.askText("POST", "/snapshot");
  }),
  command("status", "[KEY]", "Show the node's status", shownJson("/status")),
  command("stepdown", "[ID]", "Have another node lead, any or the one that is named", async ({ api }, [id]) => {
    const body = id === undefined ? undefined : new TextEncoder().encode(JSON.stringify({ id }));
    await api.askText("POST", "/leader?wait", { body });
  }),
  command("remove", "ID", "Take a node out of the cluster", async ({ api }, args) => {
    const body = new TextEncoder().encode(JSON.stringify({ id: oneArgument(args, "the id of a node") }));
    await api.askText("DELETE", "/remove", { body });
  }),
  command(
    "tables",
    "[PATTERN]",
    "List the tables and views; the pattern is one of LIKE",
    async (session, [pattern = "%"]) => {
      const sql =
        `SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND ${IS_USERS_TABLE} AND name LIKE ? ORDER BY name`;
      session.show(await session.query(sql, pattern));
    },
  ),
  toggle("timer", "Whether times are shown", "timer"),
  command("verify", "", "Compare the data of all nodes", async (session) => {
    const answer = JSON.parse((await session.api.askText("POST", "/verify")).text);
    session.say(`equal: ${textIn(answer, "equal")}, complete: ${textIn(answer, "complete")}`);
  }),
].toSorted((a, b) => a.name < b.name ? -1 : 1);
