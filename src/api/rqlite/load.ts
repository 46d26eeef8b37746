/**
 * `POST /db/load` and `POST /boot` (rqlite's load and boot): replace the content of the database by a SQLite file of
 * any size, or run SQL text. The first bytes of the body decide which of the two it is, not its content type.
 *
 * A file takes effect as a whole on every node, or not at all. Any node accepts it; its parts go through the log
 * (core/sql/load_step.ts). SQL text, such as a dump, is one log entry and one transaction: statements in it that begin
 * or commit transactions are left out.
 * @module
 */
import type { Database } from "../../app/database/database.ts";
import { BusyError, LoadError, NotLeaderError, RequestError } from "../../app/database/errors.ts";
import { type DoLoadStep, loadFile } from "../../app/database/loader.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import type { BoundStatement } from "../../core/sql/command.ts";
import { LOAD_PART_BYTES, type LoadStep } from "../../core/sql/load_step.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import { type HttpRequest, textOf } from "../http/request.ts";
import { sqlText } from "./body.ts";
import { type DataParts, dataRequest, orAskLeader } from "./data.ts";
import { askLeader, handOn, type LeaderParts } from "./leadership.ts";

/** Dependencies of loading. */
export interface LoadParts extends DataParts {
  readonly database: Database;
  readonly counters: DataParts["counters"] & { loads: number; boots: number };
  readonly options: DataParts["options"] & {
    /** Bytes of SQL text. */
    readonly bodyBytesMax: number;
  };
}

/** The first bytes of a database file, as far as they are checked here. */
const MAGIC = "SQLite format";
/** The parameter of a step that one node asks of another. */
const STEP = "muster_load";
/** Longest wait for a part, and for the file to take its place. */
const PART_MS = 30_000;
const INSTALL_MS = 30 * 60_000;
/** Entries that stay in the log behind a boot. */
const BOOT_TRAILING = 0;

/** `POST /db/load`. */
export async function handleLoad(request: HttpRequest, parts: LoadParts): Promise<HttpResponse> {
  if (request.params.has(STEP) && request.forwarded) return await handleStep(request, parts);
  if (!parts.replica.leader) {
    parts.counters.leader_not_found++;
    throw new HttpError(503, "leader not found", { leaderless: true });
  }
  if (request.params.has("redirect") && parts.replica.leader.id !== parts.options.nodeId) {
    return await askLeader(request, parts, "data");
  }
  parts.counters.loads++;
  const body = await Peeked.open(request);
  if (!body.isDatabase) return await loadText(request, await body.whole(parts.options.bodyBytesMax), parts);
  await loadFile(body.pieces(), stepThroughLeader(request, parts)).catch((error) => {
    throw error instanceof LoadError ? new RequestError(error.message) : error;
  });
  return { status: 200, body: `{"results":[]}`, servedBy: parts.options.advertisedAddr };
}

/** `POST /boot`: on a node that is a cluster by itself. */
export async function handleBoot(request: HttpRequest, parts: LoadParts): Promise<HttpResponse> {
  const { replica, options } = parts;
  if (replica.leader?.id !== options.nodeId) throw new HttpError(503, "not leader");
  if (replica.members.length !== 1) throw new HttpError(503, "not single-node");
  const body = await Peeked.open(request);
  if (body.isEmpty) throw new HttpError(503, "EOF");
  if (!body.isDatabase) throw new HttpError(400, "invalid SQLite data");
  parts.counters.boots++;
  try {
    await loadFile(body.pieces(), (step) => parts.database.load(step, limitOf(step)));
    await replica.call("snapshot", { trailing: BOOT_TRAILING, timeoutMs: INSTALL_MS });
  } catch (error) {
    if (error instanceof LoadError) throw new HttpError(400, error.message);
    throw new HttpError(503, messageOf(error));
  }
  return { status: 200, body: "" };
}

/** SQL text as one statement with many parts: the result is that of the last one. */
async function loadText(request: HttpRequest, bytes: Uint8Array, parts: LoadParts): Promise<HttpResponse> {
  const statements = sqlText(textOf(bytes)).map(withoutTransactions);
  const asked = { ...dataRequest(request, statements), transaction: true };
  return await orAskLeader({ ...request, body: bytes }, parts, () => parts.database.execute(asked));
}

/** A dump brings transactions of its own; here the request is one. */
function withoutTransactions(statement: BoundStatement): BoundStatement {
  const verbs = ["BEGIN", "COMMIT", "END"];
  return { ...statement, parts: statement.parts.filter(({ verb }) => !verbs.includes(verb)) };
}

function limitOf({ k }: LoadStep): number {
  return k === "install" ? INSTALL_MS : PART_MS;
}

/** Does steps here while this node leads, and through the leader otherwise. */
function stepThroughLeader(request: HttpRequest, parts: LoadParts): DoLoadStep {
  return async (step) => {
    try {
      await parts.database.load(step, limitOf(step));
    } catch (error) {
      if (!(error instanceof NotLeaderError)) throw error;
      await askForStep(step, request, parts);
    }
  };
}

/** Has the leader do a step, in the name of who loads. */
async function askForStep(step: LoadStep, { authorization, address }: HttpRequest, parts: LeaderParts): Promise<void> {
  const { k, id } = step;
  const number = k === "part" ? step.at : k === "install" ? step.size : 0;
  const target = `/db/load?${STEP}=${k}&id=${id}&n=${number}`;
  const body = k === "part" ? step.bytes : new Uint8Array(0);
  const request = { method: "POST", target, contentType: "application/octet-stream", authorization, address, body };
  const answer = await handOn(request, { timeoutMs: limitOf(step), retries: 2 }, parts);
  const text = typeof answer.body === "string" ? answer.body : textOf(answer.body);
  if (answer.status === 503) throw new BusyError(text.trim());
  if (answer.status === 422) throw new LoadError(text.trim());
  if (answer.status !== 200 || text !== "") {
    const isUnknown = text.includes(`"outcome":"unknown"`);
    throw new RequestError(`the leader answers: ${text.trim() || answer.status}`, isUnknown ? "unknown" : "none");
  }
}

/** A step that another node asks for. */
async function handleStep({ params, body }: HttpRequest, { database }: LoadParts): Promise<HttpResponse> {
  const step = stepOf(params.get(STEP) ?? "", params.get("id") ?? "", { number: Number(params.get("n")), body });
  try {
    await database.load(step, limitOf(step));
    return { status: 200, body: "" };
  } catch (error) {
    if (error instanceof LoadError) throw new HttpError(422, error.message);
    if (error instanceof NotLeaderError) throw new HttpError(503, "not leader", { leaderless: true });
    throw error;
  }
}

function stepOf(k: string, id: string, { number, body }: { number: number; body: Uint8Array }): LoadStep {
  if (!Number.isSafeInteger(number) || number < 0 || id.length > 64) throw new HttpError(400, "no step of a load");
  if (k === "install") return { k, id, size: number };
  if (k === "drop") return { k, id };
  if (k !== "part" || body.length > LOAD_PART_BYTES) throw new HttpError(400, "no step of a load");
  return { k, id, at: number, bytes: body };
}

/** A body whose first bytes were looked at. */
class Peeked {
  readonly #first: Uint8Array;
  readonly #rest: AsyncIterator<Uint8Array> | undefined;

  private constructor(first: Uint8Array, rest: AsyncIterator<Uint8Array> | undefined) {
    this.#first = first;
    this.#rest = rest;
  }

  /** Reads as much as is needed to tell what it is. */
  static async open({ body, incoming }: HttpRequest): Promise<Peeked> {
    const rest = incoming?.[Symbol.asyncIterator]();
    let first = body;
    while (rest && first.length < MAGIC.length) {
      const { value, done } = await rest.next();
      if (done) break;
      first = concat([first, value]);
    }
    return new Peeked(first, rest);
  }

  get isEmpty(): boolean {
    return this.#first.length === 0;
  }

  get isDatabase(): boolean {
    return this.#first.length >= MAGIC.length && textOf(this.#first.subarray(0, MAGIC.length)) === MAGIC;
  }

  /** All of it as it comes. */
  async *pieces(): AsyncGenerator<Uint8Array> {
    if (this.#first.length > 0) yield this.#first;
    for (;;) {
      const next = await this.#rest?.next();
      if (!next || next.done) return;
      yield next.value;
    }
  }

  /**
   * All of it at once.
   * @throws {HttpError} 413 when it is longer than `bytesMax`.
   */
  async whole(bytesMax: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let length = 0;
    for await (const piece of this.pieces()) {
      length += piece.length;
      if (length > bytesMax) {
        const advice = "load a SQLite file instead, which may have any size";
        throw new HttpError(413, `SQL text of more than ${bytesMax} bytes, the limit set by -http-max-body: ${advice}`);
      }
      pieces.push(piece);
    }
    return concat(pieces);
  }
}

function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
