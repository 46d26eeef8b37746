/**
 * One request and what is known of it afterwards. Nothing is sent twice.
 *
 * Not done: the connection could not be opened, the node refused (4xx, 503), or its answer has an `error` without
 * `"outcome":"unknown"`. Unknown: everything else that is no result, above all a broken connection and a time-out.
 * @module
 */
import { type Answer, NoAnswerError, NotSentError, postOnce } from "./http_once.ts";

/** Rows and counts of one statement. */
export interface StatementResult {
  readonly values?: readonly (readonly unknown[])[];
  readonly rows_affected?: number;
  readonly error?: string;
}

/** The outcome of a request. */
export type Reply =
  | { readonly outcome: "done"; readonly results: readonly StatementResult[]; readonly index: number | undefined }
  | { readonly outcome: "notDone" | "unknown"; readonly reason: string };

interface Body {
  readonly results: readonly StatementResult[];
  readonly error?: string;
  readonly outcome?: string;
  readonly raft_index?: number;
}

const REASON_CHARACTERS = 90;

/** Sends statements to an endpoint with its parameters. */
export async function send(url: string, statements: readonly unknown[], timeoutMs: number): Promise<Reply> {
  let answer: Answer;
  try {
    answer = await postOnce(url, JSON.stringify(statements), timeoutMs);
  } catch (error) {
    if (error instanceof NotSentError) return { outcome: "notDone", reason: error.message };
    if (error instanceof NoAnswerError) return { outcome: "unknown", reason: error.message };
    throw error;
  }
  const { status, text } = answer;
  if (status !== 200) {
    const isRefused = status === 503 || (status >= 400 && status < 500);
    return { outcome: isRefused ? "notDone" : "unknown", reason: `${status} ${shortened(text)}` };
  }
  const body: Body = JSON.parse(text);
  const error = body.error ?? body.results.find((one) => one.error !== undefined)?.error;
  if (error === undefined) return { outcome: "done", results: body.results, index: body.raft_index };
  return { outcome: body.outcome === "unknown" ? "unknown" : "notDone", reason: shortened(error) };
}

function shortened(text: string): string {
  return text.trim().replace(/\d{3,}/g, "#").slice(0, REASON_CHARACTERS);
}
