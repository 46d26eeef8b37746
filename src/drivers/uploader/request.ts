/**
 * One request to a store in a network. Errors say what was asked, of whom, and what came of it; they repeat no header, no body and
 * no URL, as some URLs let whoever knows them write.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";

/** Longest wait for the head of an answer; a part of the largest size is sent in this time at 140 kB/s. */
const ANSWER_MS = 120_000;

/** A store refuses. */
export class StoreError extends Error {
  /** Always `StoreError`. */
  override readonly name = "StoreError";
  /** HTTP status. */
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

/** A request. */
export interface StoreRequest {
  /** What is to be done, for people, as in `Cannot …`. */
  readonly task: string;
  readonly url: string;
  readonly method: string;
  readonly headers: HeadersInit;
  readonly body?: BodyInit | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Further statuses that are no failure. */
  readonly also?: readonly number[];
}

/**
 * Sends a request; whoever gets the answer reads its body, or cancels it.
 * @throws {StoreError} When the store refuses.
 * @throws {Error} When it cannot be reached, or does not answer.
 */
export async function send({ task, url, method, headers, body, signal, also = [] }: StoreRequest): Promise<Response> {
  const wait = new AbortController();
  const timer = setTimeout(() => wait.abort(new Error(`no answer within ${ANSWER_MS / 1000} s`)), ANSWER_MS);
  let answer: Response;
  try {
    answer = await fetch(url, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
      redirect: "manual", // another host would get to see what is signed for this one
      signal: signal ? AbortSignal.any([signal, wait.signal]) : wait.signal,
    });
  } catch (error) {
    throw new Error(`Cannot ${task}: ${new URL(url).host}: ${reasonOf(error)}`);
  } finally {
    clearTimeout(timer);
  }
  if (answer.ok || also.includes(answer.status)) return answer;
  const reason = method === "HEAD" ? "" : refusalOf(await answer.text().catch(() => ""));
  throw new StoreError(`Cannot ${task}: ${new URL(url).host} answers ${answer.status}${reason}`, answer.status);
}

/** The innermost cause: what is around it says only that a request has failed, and may name its URL. */
function reasonOf(error: unknown): string {
  if (error instanceof Error && error.cause !== undefined) return reasonOf(error.cause);
  return messageOf(error).replace(/ for url \(.*?\)(?=:|$)/, "");
}

/** The code of an error, which S3 tells in XML and Google in JSON; their texts may hold what was sent. */
function refusalOf(text: string): string {
  const code = /<Code>([A-Za-z0-9.]{1,64})<\/Code>/.exec(text) ??
    /"(?:reason|error)"\s*:\s*"([A-Za-z0-9_.]{1,64})"/.exec(text);
  return code ? ` (${code[1]})` : "";
}

/** A name as it stands in a path: with `/` between its elements, or without. */
export function encodeName(name: string, { keepsSlashes }: { keepsSlashes: boolean }): string {
  const encoded = encodeURIComponent(name).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return keepsSlashes ? encoded.replaceAll("%2F", "/") : encoded;
}
