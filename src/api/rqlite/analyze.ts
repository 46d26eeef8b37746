/**
 * `GET` and `POST /db/sql`: what would go to the log for each statement, without running it. muster rewrites no
 * statement, as the clock and the random numbers come with the log entry, so `rewritten` is the text as it was given.
 * `error` says why a statement could not run on any database: it is no SQL, or muster refuses it. Errors that depend on
 * the schema are left out: an earlier statement of the same request may create what is missing.
 * @module
 */
import { takeText } from "../../app/database/held_answer.ts";
import type { AnswerBudget } from "../../base/shared/answer_budget.ts";
import { PLAIN_RENDERING } from "../../core/sql/render_options.ts";
import type { BoundStatement } from "../../core/sql/command.ts";
import { splitStatements, type SqlPart } from "../../core/sql/statement.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import { sqlText } from "../http/sql_body.ts";
import { dataRequest, statementsOf } from "./data.ts";
import { type LeaderParts, operate } from "./leadership.ts";
import { json } from "./nodes.ts";

/** Dependencies of the handler. */
export interface AnalyzeParts extends LeaderParts {
  readonly answers: AnswerBudget;
  readonly counters: LeaderParts["counters"] & { sql_analyze: number };
}

/** A statement, as it would go to the log. */
interface Analyzed {
  readonly original: string;
  readonly rewritten?: string;
  readonly error?: string;
}

/** A result, as far as it matters here. */
interface Result {
  readonly error?: string;
  readonly error_v2?: { readonly sqlite?: unknown };
}

/** Statements that are compiled at a time: the answer to each is its program. */
const BATCH_MAX = 64;
/** What SQLite says of a text that is no SQL, whatever the schema. */
const SYNTAX = /syntax error$|^unrecognized token|^incomplete input|^malformed/;

/** Answers the request; on any node, or for a client agent on a server. */
export async function handleAnalyze(request: HttpRequest, parts: AnalyzeParts): Promise<HttpResponse> {
  parts.counters.sql_analyze++;
  const query = request.params.get("q");
  if (request.method === "GET" && query === undefined) throw new HttpError(400, "query not specified");
  const statements = request.method === "GET" ? sqlText(query ?? "") : statementsOf(request, { plainText: true });
  const originals = statements.flatMap((statement) => statement.parts);
  const results: Analyzed[] = [];
  for (let from = 0; from < originals.length; from += BATCH_MAX) {
    const batch = originals.slice(from, from + BATCH_MAX);
    const faults = await faultsOf(batch, request, parts);
    for (const { sql } of batch) {
      const error = faults.get(sql);
      results.push(error === undefined ? { original: sql, rewritten: sql } : { original: sql, error });
    }
  }
  const time = request.params.has("timings") ? { time: (performance.now() - request.startedMs) / 1000 } : {};
  return json({ results, ...time }, request);
}

/** Compiles statements on this node; returns the errors by their texts. A pragma is left out: it acts when it is compiled. */
async function faultsOf(
  statements: readonly SqlPart[],
  request: HttpRequest,
  parts: AnalyzeParts,
): Promise<Map<string, string>> {
  const compiled = statements.filter(({ verb }) => verb !== "PRAGMA");
  const { result: found } = await operate(request, parts, "query", {
    ...dataRequest(request, compiled.map(explained)),
    options: PLAIN_RENDERING,
    transaction: false,
    level: "none",
    freshness: { limitMs: 0, isStrict: false },
  });
  const results: Result[] = JSON.parse(takeText(found.results, parts.answers));
  if (found.error !== undefined) throw new HttpError(500, found.error);
  const faults = new Map<string, string>();
  for (const [at, { sql }] of compiled.entries()) {
    const { error, error_v2: detail } = results[at] ?? {};
    if (error !== undefined && (detail?.sqlite === undefined || SYNTAX.test(error))) faults.set(sql, error);
  }
  return faults;
}

/** A statement that compiles another one; what is an EXPLAIN does so as it is. */
function explained({ sql, verb }: SqlPart): BoundStatement {
  const parts = splitStatements(verb === "EXPLAIN" ? sql : `EXPLAIN ${sql}`);
  return { parts, positional: Array<null>(parts[0]?.parameterCount ?? 0).fill(null), named: null };
}
