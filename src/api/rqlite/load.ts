/**
 * `POST /db/load` and `POST /boot` (rqlite's load and boot): replace the content of the database by a SQLite file of
 * any size, or run SQL text. The first bytes of the body decide which of the two it is, not its content type.
 *
 * A file takes effect as a whole on every node, or not at all. Any node accepts it; its parts go through the log
 * (core/sql/load_step.ts). SQL text, such as a dump, is one log entry and one transaction: statements in it that begin
 * or commit transactions are left out.
 * @module
 */
import { concat } from "../../base/codec/concat.ts";
import { loadSteps } from "../../app/database/data_operations.ts";
import type { Database } from "../../app/database/database.ts";
import { LoadError, RefusedError, RequestError } from "../../app/database/errors.ts";
import { limitOfStep, loadFile } from "../../app/database/loader.ts";
import type { ReplicaClient } from "../../app/database/replica_client.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import type { BoundStatement } from "../../core/sql/command.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import { type HttpRequest, textOf } from "../http/request.ts";
import { sqlText } from "../http/sql_body.ts";
import { type DataParts, handleText } from "./data.ts";
import type { Counters } from "../../app/database/counters.ts";
import { clientOf, isClientAgent, redirected, withStatus } from "./leadership.ts";

/** Dependencies of loading. */
export interface LoadParts extends DataParts {
  readonly database: Pick<Database, "load">;
  readonly replica: Pick<ReplicaClient, "leader" | "members" | "call">;
  readonly counters: DataParts["counters"] & Pick<Counters, "loads" | "boots" | "done">;
  readonly options: DataParts["options"] & {
    /** Bytes of SQL text. */
    readonly bodyBytesMax: number;
  };
}

/** The first bytes of a database file, as far as they are checked here. */
const MAGIC = "SQLite format";
/** Longest wait for the first database of a node to be durable. */
const BOOT_MS = 30 * 60_000;
/** Entries that stay in the log behind a boot. */
const BOOT_TRAILING = 0;

/** `POST /db/load`. */
export async function handleLoad(request: HttpRequest, parts: LoadParts): Promise<HttpResponse> {
  const { replica: { leader }, options, operations, counters } = parts;
  if (!leader) {
    counters.leader_not_found++;
    throw new HttpError(503, "leader not found", { leaderless: true });
  }
  const mayRedirect = request.params.has("redirect") && !isClientAgent(parts);
  if (mayRedirect && leader.id !== options.nodeId) throw redirected(request, parts);
  counters.loads++;
  const body = await Peeked.open(request);
  if (!body.isDatabase) {
    const text = textOf(await body.whole(options.bodyBytesMax));
    return await handleText(request, parts, sqlText(text).map(withoutTransactions));
  }
  await loadFile(body.pieces(), loadSteps(operations, clientOf(request))).catch((error) => {
    if (error instanceof LoadError) throw new RequestError(error.message);
    throw error instanceof RefusedError ? withStatus(error, "loadStep", parts) : error;
  });
  if (leader.id !== options.nodeId) counters.remote_loads++;
  return { status: 200, body: `{"results":[]}`, servedBy: options.advertisedAddr };
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
    await loadFile(body.pieces(), (step) => parts.database.load(step, limitOfStep(step)));
    await replica.call("snapshot", { trailing: BOOT_TRAILING, timeoutMs: BOOT_MS });
    parts.counters.done.store.num_boots++;
  } catch (error) {
    if (error instanceof LoadError) throw new HttpError(400, error.message);
    throw new HttpError(503, messageOf(error));
  }
  return { status: 200, body: "" };
}

/** A dump brings transactions of its own; here the request is one. */
function withoutTransactions(statement: BoundStatement): BoundStatement {
  const verbs = ["BEGIN", "COMMIT", "END"];
  return { ...statement, parts: statement.parts.filter(({ verb }) => !verbs.includes(verb)) };
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

  /** All of it as it comes; each piece is valid until the next one is asked for. */
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
      pieces.push(piece.slice());
    }
    return concat(pieces);
  }
}
