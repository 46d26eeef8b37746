/**
 * `GET /db/changes`: the rows that are changed, as they are, from any index of the log on that is still kept; on every node
 * that has the data. `/db/changes/log` says whether, and how much of them, the cluster keeps. Both are muster's own.
 *
 * What is sent is JSON, an entry of the log a line, or events as browsers read them (`text/event-stream`, WHATWG HTML §9.2),
 * whose ids are indices, so that a browser goes on where it was.
 * @module
 */
import {
  type Change,
  type ChangeEvent,
  type ChangeFeed,
  ForgottenChangesError,
  NoChangeLogError,
  QUIET_MS,
} from "../../app/changes/change_feed.ts";
import { TooManyWaitError } from "../../app/database/errors.ts";
import { needs } from "../../core/acl/resource.ts";
import { pause } from "../../base/worker/backoff.ts";
import { parseRaw } from "../../base/codec/raw_json.ts";
import { CHANGE_LOG_BYTES_DEFAULT } from "../../core/sql/change_log.ts";
import { CHANGE_LOG_BYTES_MAX, CHANGE_LOG_BYTES_MIN } from "../../app/changes/change_operations.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import { type HttpRequest, textOf } from "../http/request.ts";
import { expectAllowed, isClientAgent, type LeaderParts, operate } from "./leadership.ts";

/** Dependencies of these endpoints. */
export interface ChangesParts extends LeaderParts {
  readonly changes: ChangeFeed;
}

/** Longest wait of a node for what the leader has done, and how often it looks. */
const APPLIED_MS = 5000;
const LOOK_MS = 20;
const OPERATIONS = ["insert", "update", "delete"];
/** A browser that was cut off comes again after so many milliseconds. */
const RETRY_MS = 1000;

/** `GET /db/changes`, `?since=INDEX`, `?tables=`, `?ops=`, `?format=sse`, `?follow=false`. */
export async function handleChanges(request: HttpRequest, parts: ChangesParts): Promise<HttpResponse> {
  if (isClientAgent(parts)) throw new HttpError(501, "a client agent keeps no data: ask a server");
  const select = selection(request);
  const since = sinceOf(request) ?? await refusing(() => parts.changes.last());
  const mayWait = request.params.get("follow") !== "false";
  await refusing(() => parts.changes.read(since));
  return streamed(request, async function* (isSse, over) {
    const { changes } = parts;
    let toldMs = -Infinity;
    try {
      for await (const piece of mayWait ? changes.follow(since, over) : [await changes.read(since)]) {
        await expectAllowed(parts, request, [needs("sql", "read")]);
        const text = rendered(piece.changes, select, isSse);
        if (text === "" && piece.changes.length > 0 && performance.now() - toldMs < QUIET_MS) continue;
        toldMs = performance.now();
        yield text || position(piece.index, isSse);
      }
    } catch (error) {
      const isTold = [ForgottenChangesError, NoChangeLogError, HttpError].some((kind) => error instanceof kind);
      if (!isTold || !(error instanceof Error)) throw error;
      const text = JSON.stringify({ error: error.message });
      yield isSse ? `event: error\ndata: ${text}\n\n` : `${text}\n`;
    }
  });
}

/** An answer that goes on: events for browsers where the client asks for them, lines of JSON else. */
export function streamed(
  { params, accept = "" }: HttpRequest,
  pieces: (isSse: boolean, over: Promise<void>) => AsyncIterable<string>,
): HttpResponse {
  const format = params.get("format");
  const isSse = format === "sse" || format === undefined && accept.includes("event-stream");
  return {
    status: 200,
    body: "",
    contentType: isSse ? "text/event-stream" : "application/x-ndjson",
    headers: { "Cache-Control": "no-store", "X-Accel-Buffering": "no" },
    stream: {
      async *pieces(over) {
        if (isSse) yield `retry: ${RETRY_MS}\n\n`;
        yield* pieces(isSse, over);
      },
    },
  };
}

/** Behind which index to begin; undefined: the last one that was applied here. */
function sinceOf({ params, lastEventId = "" }: HttpRequest): number | undefined {
  const text = lastEventId || (params.get("since") ?? "");
  if (text === "") return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new HttpError(400, "since: expected an index of the log, such as 42");
  return Number(text);
}

/** What a client wants to see of an entry; undefined where nothing of it is left. */
type Select = (change: Change) => string | undefined;

function selection({ params }: HttpRequest): Select {
  const tables = listOf(params.get("tables"));
  const operations = listOf(params.get("ops"));
  const wrong = operations.find((one) => !OPERATIONS.includes(one));
  if (wrong !== undefined) throw new HttpError(400, `ops: expected some of ${OPERATIONS.join(", ")}, found "${wrong}"`);
  if (tables.length === 0 && operations.length === 0) return ({ events }) => events;
  const isWanted = ({ op, table = "", error }: ChangeEvent): boolean =>
    error !== undefined ||
    (tables.length === 0 || tables.includes(table.toLowerCase())) &&
      (operations.length === 0 || operations.includes(op?.toLowerCase() ?? ""));
  return ({ events }) => {
    // The writer's own words; numbers stay as they are.
    const left = (parseRaw(events) as ChangeEvent[]).filter(isWanted);
    return left.length === 0 ? undefined : JSON.stringify(left);
  };
}

function listOf(text = ""): string[] {
  return text.toLowerCase().split(",").map((one) => one.trim()).filter((one) => one !== "");
}

/** Entries as text, as far as the client wants to see them. */
function rendered(changes: readonly Change[], select: Select, isSse: boolean): string {
  let text = "";
  for (const change of changes) {
    const events = select(change);
    if (events === undefined) continue;
    const data = `{"index":${change.index},"commit_timestamp":${change.timeMs},"events":${events}}`;
    text += isSse ? `id: ${change.index}\ndata: ${data}\n\n` : `${data}\n`;
  }
  return text;
}

/** How far the log is. */
function position(index: number, isSse: boolean): string {
  return isSse ? `event: position\nid: ${index}\ndata: {"index":${index}}\n\n` : `{"index":${index},"events":[]}\n`;
}

/** Refusals of the log as answers. */
async function refusing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof NoChangeLogError) throw new HttpError(404, error.message);
    if (error instanceof ForgottenChangesError) throw new HttpError(410, error.message);
    throw error instanceof TooManyWaitError ? new HttpError(503, error.message, { retryAfter: 1 }) : error;
  }
}

/** `PUT`, `DELETE` and `GET /db/changes/log`. */
export async function handleChangeLog(request: HttpRequest, parts: ChangesParts): Promise<HttpResponse> {
  switch (request.method) {
    case "PUT":
      await operate(request, parts, "changesOn", { maxBytes: maxBytesOf(request) });
      await appliedHere(parts, true);
      break;
    case "DELETE":
      await operate(request, parts, "changesOff", {});
      await appliedHere(parts, false);
      break;
    default:
      if (isClientAgent(parts)) throw new HttpError(501, "a client agent keeps no data: ask a server");
  }
  if (isClientAgent(parts)) return { status: 200, body: "{}\n" };
  return { status: 200, body: `${JSON.stringify(await parts.changes.status())}\n` };
}

/** Waits until this node has it as well, so that whoever asked can go on here. */
async function appliedHere(parts: ChangesParts, isOn: boolean): Promise<void> {
  if (isClientAgent(parts)) return;
  for (let left = APPLIED_MS; left > 0; left -= LOOK_MS) {
    if ((await parts.changes.status()).enabled === isOn) return;
    await pause(LOOK_MS);
  }
}

function maxBytesOf({ body }: HttpRequest): number {
  const text = textOf(body).trim();
  if (text === "") return CHANGE_LOG_BYTES_DEFAULT;
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    // it is told below
  }
  const bytes = typeof found === "object" && found !== null && "max_bytes" in found ? found.max_bytes : undefined;
  const isRight = typeof bytes === "number" && Number.isSafeInteger(bytes) && bytes >= CHANGE_LOG_BYTES_MIN &&
    bytes <= CHANGE_LOG_BYTES_MAX;
  if (isRight) return bytes;
  const limits = `from ${CHANGE_LOG_BYTES_MIN} to ${CHANGE_LOG_BYTES_MAX}`;
  throw new HttpError(400, `expected {"max_bytes": N}, N ${limits}, or no body`);
}
