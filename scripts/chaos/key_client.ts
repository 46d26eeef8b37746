/**
 * One request to Consul's API and what is known of it afterwards. Nothing is sent twice.
 *
 * Not done: the connection could not be opened, the node refused (4xx), or it knew no leader. Unknown: a broken
 * connection, a timeout, and every other 5xx.
 * @module
 */
import { type Answer, NoAnswerError, NotSentError, requestOnce } from "./http_once.ts";

/** The outcome of a request; 404 is an answer, too. */
export type KeyReply =
  | { readonly outcome: "done"; readonly status: number; readonly text: string }
  | { readonly outcome: "notDone" | "unknown"; readonly reason: string };

const REASON_CHARACTERS = 90;
const NO_LEADER = "No cluster leader";
/** Refused by the state machine: the session of an acquisition has ended. */
const NO_SESSION = "invalid session";

/** Sends a request. */
export async function requestKeys(
  method: string,
  url: string,
  options: { readonly body: string; readonly timeoutMs: number },
): Promise<KeyReply> {
  let answer: Answer;
  try {
    answer = await requestOnce(method, url, options);
  } catch (error) {
    if (error instanceof NotSentError) return { outcome: "notDone", reason: error.message };
    if (error instanceof NoAnswerError) return { outcome: "unknown", reason: error.message };
    throw error;
  }
  const { status, text } = answer;
  if (status === 200 || status === 404) return { outcome: "done", status, text };
  const isRefused = status < 500 || text === NO_LEADER || text.startsWith(NO_SESSION);
  const reason = `${status} ${text.trim().replace(/[\da-f-]{8,}|\d{3,}/g, "#").slice(0, REASON_CHARACTERS)}`;
  return { outcome: isRefused ? "notDone" : "unknown", reason };
}
