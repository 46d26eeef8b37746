/**
 * The shell at a terminal: editing, history and completion by the runtime's own line editor (`node:readline`). Elsewhere lines
 * come from standard input as they are. Ctrl-C ends the statement that runs, or forgets what was typed; it leaves the
 * shell when there is neither.
 * @module
 */
import { createInterface, type Interface } from "node:readline/promises";
import process from "node:process";
import { utf8Text } from "../../base/net/utf8_lines.ts";
import { COMMANDS } from "./dot_commands.ts";
import { Lines } from "./lines.ts";
import type { Session } from "./session.ts";

const HISTORY_LINES = 1000;
const KEYWORDS =
  ("SELECT FROM WHERE INSERT INTO VALUES UPDATE SET DELETE CREATE TABLE INDEX VIEW TRIGGER DROP ALTER JOIN LEFT " +
    "ON GROUP BY ORDER HAVING LIMIT OFFSET AS AND OR NOT NULL PRIMARY KEY UNIQUE DEFAULT RETURNING EXPLAIN QUERY PLAN PRAGMA " +
    "WITH UNION DISTINCT CASE WHEN THEN ELSE END LIKE BETWEEN EXISTS COUNT").split(" ");
const NAMES_QUERY = "SELECT DISTINCT name FROM (SELECT name FROM sqlite_master WHERE type IN ('table', 'view') " +
  "UNION SELECT p.name FROM sqlite_master AS m, pragma_table_info(m.name) AS p WHERE m.type = 'table') ORDER BY 1";

/** Runs the session with lines from standard input. */
export async function runSession(session: Session, prompt: string): Promise<void> {
  if (Deno.stdin.isTerminal()) await atTerminal(session, prompt);
  else await fromPipe(session);
}

async function fromPipe(session: Session): Promise<void> {
  let rest = "";
  for await (const text of utf8Text(Deno.stdin.readable)) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (session.isOver) return;
      await session.take(line);
    }
  }
  if (!session.isOver) await session.take(rest);
  await session.flush();
}

async function atTerminal(session: Session, prompt: string): Promise<void> {
  const path = historyPath();
  const editor = createInterface({
    input: process.stdin,
    output: process.stdout,
    history: await readHistory(path),
    historySize: HISTORY_LINES,
    completer: (line: string) => completions(session, line),
  });
  let running: AbortController | undefined;
  const lines = new Lines(editor);
  editor.on("SIGINT", () => {
    if (running) {
      lines.forget();
      running.abort();
    } else if (session.isPending || editor.line !== "") {
      session.forget();
      editor.write(null, { ctrl: true, name: "u" });
      console.log("^C");
      editor.prompt();
    } else editor.close();
  });
  while (!session.isOver) {
    const line = await lines.next(session.isPending ? `${" ".repeat(prompt.length - 2)}> ` : prompt);
    if (line === undefined) break;
    running = new AbortController();
    await session.take(line, running.signal);
    running = undefined;
  }
  editor.close();
  await keepHistory(path, editor);
  console.log("bye~");
}

async function completions(session: Session, line: string): Promise<[string[], string]> {
  const [word = ""] = /[\w.]+$/.exec(line) ?? [];
  if (word === "") return [[], word];
  if (line.startsWith(".")) {
    return [COMMANDS.map(({ name }) => `.${name}`).filter((name) => name.startsWith(line)), line];
  }
  const { rows } = await session.query(NAMES_QUERY).catch(() => ({ rows: [] }));
  const names = [...rows.map(([name]) => String(name)), ...KEYWORDS];
  return [names.filter((name) => name.toLowerCase().startsWith(word.toLowerCase())), word];
}

function historyPath(): string | undefined {
  const home = Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE");
  return home === undefined ? undefined : `${home}/.muster_history`;
}

async function readHistory(path: string | undefined): Promise<string[]> {
  if (path === undefined) return [];
  const text = await Deno.readTextFile(path).catch(() => "");
  return text.split("\n").filter((line) => line !== "").reverse().slice(0, HISTORY_LINES);
}

/** Nobody else may read it: statements may hold secrets. */
async function keepHistory(path: string | undefined, editor: Interface): Promise<void> {
  const history: unknown = Reflect.get(editor, "history");
  if (path === undefined || !Array.isArray(history)) return;
  const lines = history.slice(0, HISTORY_LINES).map(String).reverse();
  await Deno.writeTextFile(path, `${lines.join("\n")}\n`, { mode: 0o600 }).catch(() => {}); // then there is none
}
