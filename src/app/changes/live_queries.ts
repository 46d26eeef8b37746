/**
 * Live queries: the result of a read, and then what has changed of it, whenever a table that it reads has.
 *
 * - The tables are those that SQLite's authorizer names: views and what is behind them as well.
 * - All that follow the same query share one running of it. It is run again when something has changed, but not more often
 *   than its interval, and not for more than a part of the time; equal results are told to nobody.
 * - One that is slow gets the latest result compared with what it has, and none of those between.
 * - A result has a tag, made of its content: who comes again with it and has missed nothing gets nothing.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import { parseRaw } from "../../base/codec/raw_json.ts";
import type { AnswerBudget } from "../../base/shared/answer_budget.ts";
import { pause } from "../../base/worker/backoff.ts";
import { type BoundStatement, encodeCommand } from "../../core/sql/command.ts";
import type { RenderOptions } from "../../core/sql/render_options.ts";
import { rowChanges } from "../../core/sql/row_changes.ts";
import { splitStatements } from "../../core/sql/statement.ts";
import { allowedStatements } from "../database/allowed.ts";
import { TooManyWaitError } from "../database/errors.ts";
import { takeText } from "../database/held_answer.ts";
import type { Readers } from "../database/readers.ts";
import { QUIET_MS } from "./change_feed.ts";
import type { TableWatch, TableWatches } from "./table_watches.ts";

/** Different queries at a time. */
const QUERIES_MAX = 2000;
/** Time for one running. */
const READ_TIMEOUT_MS = 10_000;
/** Characters of a result. */
const RESULT_LENGTH_MAX = 4 * 1024 * 1024;
/** A query rests so many times as long as its last running took. */
const RESTS = 4;
/** Until a running that failed for want of a reader is tried again. */
const RETRY_MS = 1000;
const INDEX: BoundStatement = {
  parts: splitStatements("SELECT applied FROM _muster WHERE id = 0"),
  positional: [],
  named: null,
};

/** A query, and how it is shown. */
export interface LiveQuery {
  readonly statement: BoundStatement;
  readonly options: RenderOptions;
  /** Least time between two runnings. */
  readonly intervalMs: number;
}

/** What is told of a query, as JSON. */
export interface LivePiece {
  readonly k: "result" | "change" | "position" | "error";
  /** Of the result; empty for an error. */
  readonly tag: string;
  readonly text: string;
}

/** A result. */
interface Result {
  /** Index up to which it is known to hold. */
  index: number;
  readonly tag: string;
  /** As a reader has rendered it. */
  readonly text: string;
  readonly error: string | undefined;
  parsed?: { readonly head: string; readonly rows: readonly string[] };
}

/** Dependencies of live queries. */
export interface LiveQueriesParts {
  readonly readers: Pick<Readers, "read">;
  readonly answers: AnswerBudget;
  readonly watches: TableWatches;
}

/** All live queries of this node. */
export class LiveQueries {
  readonly #parts: LiveQueriesParts;
  readonly #shared = new Map<string, SharedQuery>();

  constructor(parts: LiveQueriesParts) {
    this.#parts = parts;
  }

  /** Different queries that are followed. */
  get size(): number {
    return this.#shared.size;
  }

  /** Runs a query once. @returns What is wrong with it; undefined: nothing. */
  async fault(query: LiveQuery): Promise<string | undefined> {
    return (await runQuery(this.#parts, query)).result.error;
  }

  /**
   * Tells of a query until `over` resolves: its result, unless that is what `tag` is of, and then what changes. When nothing
   * has for a while, how far it holds.
   * @throws {TooManyWaitError} When as many are followed as may.
   */
  async *follow(query: LiveQuery, tag: string, over: Promise<void>): AsyncGenerator<LivePiece> {
    const [shared, leave] = this.#join(query);
    let isOver = false;
    const wake = new Set<() => void>();
    over.then(() => {
      isOver = true;
      for (const one of wake) one();
    });
    let known: Result | undefined;
    try {
      while (!isOver) {
        const result = await shared.next(known, wake);
        if (isOver) return;
        const isKnown = result === known || known === undefined && result.tag === tag;
        yield isKnown ? positionOf(result) : told(result, known);
        known = result;
      }
    } finally {
      leave();
    }
  }

  #join(query: LiveQuery): [SharedQuery, leave: () => void] {
    const key = keyOf(query);
    let shared = this.#shared.get(key);
    if (!shared) {
      if (this.#shared.size >= QUERIES_MAX) {
        throw new TooManyWaitError(`${QUERIES_MAX} live queries run on this node: ask another one`);
      }
      shared = new SharedQuery(this.#parts, query);
      this.#shared.set(key, shared);
    }
    const joined = shared;
    joined.users++;
    return [joined, () => {
      if (--joined.users > 0) return;
      this.#shared.delete(key);
      joined.stop();
    }];
  }
}

function keyOf({ statement, options, intervalMs }: LiveQuery): string {
  const command = encodeCommand({ kind: "query", transaction: false, statements: [statement] });
  return `${intervalMs} ${JSON.stringify(options)} ${command.toBase64()}`;
}

/** A query that some follow. */
class SharedQuery {
  /** Those that follow it. */
  users = 0;
  readonly #parts: LiveQueriesParts;
  readonly #query: LiveQuery;
  readonly #watch: TableWatch;
  readonly #stopping = new AbortController();
  readonly #waiting = new Set<() => void>();
  #result: Result | undefined;

  constructor(parts: LiveQueriesParts, query: LiveQuery) {
    this.#parts = parts;
    this.#query = query;
    this.#watch = parts.watches.watch();
    this.#run();
  }

  /** Ends it. */
  stop(): void {
    this.#stopping.abort();
    this.#watch.wake();
    this.#watch.end();
  }

  /** The result, when it is another than the known one, or a while has passed; or when it is woken. */
  async next(known: Result | undefined, wake: Set<() => void>): Promise<Result> {
    if (this.#result && this.#result !== known) return this.#result;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, QUIET_MS);
    for (const set of [this.#waiting, wake]) set.add(resolve);
    await promise;
    for (const set of [this.#waiting, wake]) set.delete(resolve);
    clearTimeout(timer);
    return this.#result ?? { index: 0, tag: "", text: "", error: "no result in time" };
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      this.#watch.reset();
      const startedMs = performance.now();
      try {
        const { result, tables } = await runQuery(this.#parts, this.#query);
        this.#watch.about(tables);
        this.#take(result);
      } catch {
        await pause(RETRY_MS, signal); // too many reads wait
        continue;
      }
      const restMs = Math.max(this.#query.intervalMs, RESTS * (performance.now() - startedMs));
      while (!signal.aborted && !await this.#watch.changed(QUIET_MS));
      await pause(restMs, signal);
    }
  }

  #take(result: Result): void {
    if (this.#result?.text === result.text && this.#result.error === result.error) {
      this.#result.index = result.index;
      return;
    }
    this.#result = result;
    for (const wake of this.#waiting) wake();
  }
}

async function runQuery(
  { readers, answers }: LiveQueriesParts,
  { statement, options }: LiveQuery,
): Promise<{ result: Result; tables: readonly string[] }> {
  const read = await readers.read({
    statements: [INDEX, ...allowedStatements([statement])],
    transaction: true,
    options: { ...options, timings: false },
    timeoutMs: READ_TIMEOUT_MS,
    onlyIfReadOnly: false,
    wantsTables: true,
  });
  const failed = (error: string) => ({ result: { index: 0, tag: "", text: "", error }, tables: read?.tables ?? [] });
  if (read === undefined) return failed(`it takes longer than ${READ_TIMEOUT_MS / 1000} s`);
  const text = takeText(read.results, answers);
  if (text.length > RESULT_LENGTH_MAX) {
    return failed(
      `the result is larger than ${RESULT_LENGTH_MAX} characters: a live query is for what changes; use LIMIT`,
    );
  }
  // The first result is the index alone, and the second all of the rest.
  const end = text.indexOf(options.associative ? "}]}" : "]]}") + 3;
  const index = Number(/(\d+)\D*$/.exec(text.slice(0, end))?.[1] ?? 0);
  const own = text.slice(end + 1, -1);
  const error = faultOf(own);
  return {
    result: { index, tag: error === undefined ? tagOf(own) : "", text: error === undefined ? own : "", error },
    tables: read.tables ?? [],
  };
}

function faultOf(text: string): string | undefined {
  if (!text.startsWith('{"error"')) return undefined;
  try {
    return String(JSON.parse(text).error);
  } catch (error) {
    return messageOf(error);
  }
}

function positionOf({ index, tag }: Result): LivePiece {
  return { k: "position", tag, text: `{"index":${index},"tag":"${tag}"}` };
}

/** What there is to tell of a result to who knows another one. */
function told(result: Result, known: Result | undefined): LivePiece {
  const { index, tag, text, error } = result;
  if (error !== undefined) return { k: "error", tag: "", text: JSON.stringify({ error }) };
  const before = known?.error === undefined ? known && parsedOf(known) : undefined;
  const after = parsedOf(result);
  const head = `{"index":${index},"tag":"${tag}",`;
  if (before?.head !== after.head) return { k: "result", tag, text: head + text.slice(1) };
  const splices = rowChanges(before.rows, after.rows)
    .map((splice) => `{"at":${splice.at},"delete":${splice.delete},"insert":[${splice.insert.join(",")}]}`);
  return { k: "change", tag, text: `${head}"splices":[${splices.join(",")}]}` };
}

/** The rows as texts, and all else as one. */
function parsedOf(result: Result): { readonly head: string; readonly rows: readonly string[] } {
  if (result.parsed) return result.parsed;
  // A reader's own words; numbers stay as they are.
  const { values, rows, ...head } = parseRaw(result.text) as { values?: unknown[]; rows?: unknown[] };
  return result.parsed = {
    head: JSON.stringify(head),
    rows: (values ?? rows ?? []).map((row) => JSON.stringify(row)),
  };
}

/** Two hashes of 32 bits (FNV-1a, with two beginnings): enough to tell two results of one query apart. */
function tagOf(text: string): string {
  let [a, b] = [0x811c_9dc5, 0x1000_193b];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    a = Math.imul(a ^ code, 0x0100_0193);
    b = Math.imul(b ^ code, 0x0100_0193) ^ b >>> 15;
  }
  return [a, b].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
}
