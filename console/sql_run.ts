/**
 * Runs what stands in the editor: splits it into statements, gives them their parameters, and keeps what came of it.
 * @module
 */
import { splitStatements, type SqlPart } from "../src/core/sql/statement.ts";
import { follow } from "./api.ts";
import { bodyOf, type Result, resultOf, send, type Statement } from "./database.ts";
import { fieldOf, listOf, numberOf, parseJson, textOf } from "./json.ts";
import { KeptList } from "./parts/kept_list.ts";
import { valueOf } from "./parts/value.ts";
import { forgotten } from "./session.ts";
import { Store } from "./store.ts";

/** Read consistency, as the API calls it. */
export const LEVELS = ["auto", "none", "weak", "linearizable", "strong"] as const;

/** How statements are run. */
export interface RunSettings {
  readonly level: string;
  /** Whether statements may write. */
  readonly isUnlocked: boolean;
  readonly isTransaction: boolean;
  /** JSON: a list, or an object by name; empty for none. */
  readonly parameters: string;
}

/** A statement and its result. */
export interface Answered {
  readonly sql: string;
  readonly result: Result;
}

/** What came of it. */
export interface Outcome {
  readonly k: "nothing" | "running" | "done" | "failed" | "plan" | "live";
  readonly answers: readonly Answered[];
  /** Why nothing was run, or how a live query goes. */
  readonly text: string;
  readonly ms: number;
  /** Statements that were sent: behind one that fails in a transaction the others have no result. */
  readonly count: number;
  /** Whether either all statements count or none. */
  readonly isTransaction: boolean;
}

const NOTHING: Outcome = { k: "nothing", answers: [], text: "", ms: 0, count: 0, isTransaction: false };

/** The text in the editor: it stays there while other pages are looked at. */
export const draft = new Store("");
/** How it is run. */
export const settings = new Store<RunSettings>({
  level: "weak",
  isUnlocked: false,
  isTransaction: false,
  parameters: "",
});
/** What came of it last. */
export const outcome = new Store<Outcome>(NOTHING);
/** What was run before. */
export const past = new KeptList("history", 200);
/** What somebody has kept. */
export const saved = new KeptList("saved", 200);

/**
 * Takes a statement from the address of the page into the editor, and the level: so another node's console hands them over.
 * Nothing is run by it, as anybody may have made a link.
 */
export function takeOver(query: URLSearchParams): void {
  const text = query.get("q");
  if (text !== null) draft.value = text;
  const level = LEVELS.find((one) => one === query.get("level"));
  if (level) settings.value = { ...settings.value, level };
}

const READ_VERBS: ReadonlySet<string> = new Set(["SELECT", "VALUES", "EXPLAIN", "PRAGMA"]);
let running: AbortController | undefined;

forgotten.watch(() => {
  stop();
  outcome.value = NOTHING;
  settings.value = { ...settings.value, isUnlocked: false };
});

/** Ends what is running, on the node as well. */
export function stop(): void {
  running?.abort();
}

/** What is wrong with what stands in the editor. */
class InputError extends Error {}

/** Statements with their parameters. @throws {InputError} */
function statementsOf(text: string, parameters: string): readonly (Statement & { readonly part: SqlPart })[] {
  const parts = splitStatements(text).filter(({ sql }) => sql !== "");
  if (parts.length === 0) throw new InputError("There is no statement");
  let given: unknown;
  try {
    given = parameters.trim() === "" ? undefined : parseJson(parameters);
  } catch {
    throw new InputError('Parameters: expected JSON such as [1, "two"] or {"id": 1}');
  }
  const rest = Array.isArray(given) ? [...given] : [];
  const isNamed = typeof given === "object" && given !== null && !Array.isArray(given);
  return parts.map((part) => {
    const { sql, parameterCount } = part;
    if (parameterCount === 0) return { sql, part };
    if (isNamed) return { sql, part, parameters: Object.fromEntries(Object.entries(given ?? {})) };
    if (rest.length < parameterCount) throw new InputError(`Parameters: ${sql.slice(0, 60)} wants ${parameterCount}`);
    return { sql, part, parameters: rest.splice(0, parameterCount) };
  });
}

/** Begins something in the place of what is running. */
async function begun(
  text: string,
  work: (signal: AbortSignal) => Promise<Outcome>,
  stopped = () => "Stopped",
): Promise<void> {
  running?.abort();
  const own = running = new AbortController();
  outcome.value = { ...NOTHING, k: "running" };
  const startedMs = performance.now();
  try {
    outcome.value = { ...await work(own.signal), ms: performance.now() - startedMs };
  } catch (error) {
    if (own !== running) return; // something else has begun
    if (own.signal.aborted && outcome.value.k === "live") {
      outcome.value = { ...outcome.value, k: "done" }; // what it was at last stays
      return;
    }
    const why = own.signal.aborted ? stopped() : error instanceof Error ? error.message : String(error);
    outcome.value = { ...NOTHING, k: "failed", text: why, ms: performance.now() - startedMs };
  }
  const { answers, k } = outcome.value;
  const failed = answers.find(({ result }) => result.error !== "");
  const rows = answers.reduce((sum, { result }) => sum + result.rows.length, 0);
  past.add(text, k === "failed" || failed ? "failed" : `${rows} rows`);
}

/** Runs the statements of a text. */
export function run(text: string): Promise<void> {
  const { level, isUnlocked, isTransaction, parameters } = settings.value;
  let writes = false;
  const stopped = () =>
    writes
      ? "Not waited for any longer. A write cannot be taken back: it goes on, on all nodes, until it is done or exceeds " +
        "its limit of steps, and its outcome is not known here"
      : "Stopped";
  return begun(text, async (signal) => {
    const statements = statementsOf(text, parameters);
    const writing = statements.find(({ part: { verb } }) => !READ_VERBS.has(verb));
    if (writing && !isUnlocked) {
      throw new InputError(`Read-only: unlock to run ${writing.part.verb || "this"}`);
    }
    writes = writing !== undefined;
    const results = await send(statements, { writes, isTransaction, level, signal });
    const answers = results.map((result, at) => ({ sql: statements[at].sql, result }));
    return { ...NOTHING, k: "done", answers, count: statements.length, isTransaction: writes && isTransaction };
  }, stopped);
}

/** Shows how SQLite would run the statements. */
export function explain(text: string): Promise<void> {
  const { level, parameters } = settings.value;
  return begun(text, async (signal) => {
    const statements = statementsOf(text, parameters);
    const asked = statements.map((one) => ({ ...one, sql: `EXPLAIN QUERY PLAN ${one.sql}` }));
    const results = await send(asked, { level, signal });
    const answers = results.map((result, at) => ({ sql: statements[at].sql, result }));
    return { ...NOTHING, k: "plan", answers, count: statements.length };
  });
}

/** Follows the result of a query. */
export function goLive(text: string): Promise<void> {
  return begun(text, async (signal) => {
    const statements = statementsOf(text, settings.value.parameters);
    if (statements.length > 1) throw new InputError("A live query is a single statement: select one");
    const [{ sql }] = statements;
    let result = resultOf(undefined);
    const path = "db/live?format=sse&blob_array&interval=250ms";
    for await (const { event, data } of follow(path, { method: "POST", body: bodyOf(statements), signal })) {
      if (event === "error") throw new InputError(textOf(fieldOf(data, "error")));
      if (event === "position") continue;
      result = changed(result, data);
      outcome.value = { ...NOTHING, k: "live", answers: [{ sql, result }], text: new Date().toLocaleTimeString() };
    }
    return { ...NOTHING, k: "done", answers: [{ sql, result }], text: "The node has ended it" };
  });
}

/** A result with what has changed of it. */
function changed(before: Result, data: unknown): Result {
  const splices = fieldOf(data, "splices");
  if (!Array.isArray(splices)) return resultOf(data);
  const rows = [...before.rows];
  for (const splice of splices) {
    const inserted = listOf(fieldOf(splice, "insert")).map((row) => listOf(row).map(valueOf));
    rows.splice(numberOf(fieldOf(splice, "at")) ?? 0, numberOf(fieldOf(splice, "delete")) ?? 0, ...inserted);
  }
  return { ...before, rows };
}
