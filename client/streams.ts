/**
 * Streams that go on: the changes of rows, and live queries. Where a node is lost, another one is asked to go on from where the
 * stream was; nothing is missed, and nothing comes twice.
 * @module
 */
import { MusterError, UnavailableError } from "./errors.ts";
import { type Nodes, pause } from "./nodes.ts";
import { parseExact, resultOf, type SqlResult } from "./values.ts";

/** What happened to a row. Values are as JSON has them; BLOBs are base64. */
export interface ChangeEvent {
  /** Missing where `error` tells that rows are missing. */
  readonly op?: "INSERT" | "UPDATE" | "DELETE";
  /** Whose row it is. */
  readonly table?: string;
  /** Its rowid now; not of a DELETE. */
  readonly newRowId?: number | bigint;
  /** Its rowid before; not of an INSERT. */
  readonly oldRowId?: number | bigint;
  /** The row before; not of an INSERT. */
  readonly before?: Readonly<Record<string, unknown>>;
  /** The row now; not of a DELETE. */
  readonly after?: Readonly<Record<string, unknown>>;
  /** Rows are missing: read the tables anew. */
  readonly error?: string;
}

/** The changes of one transaction. */
export interface Change {
  /** Where to go on: the index in the Raft log. */
  readonly index: number;
  /** When it was committed, by the leader's clock. */
  readonly at: Date;
  /** In the order in which they were done. */
  readonly events: readonly ChangeEvent[];
}

/** Which changes to follow. */
export interface ChangesOptions {
  /** Behind this index; by default what comes from now on. */
  readonly since?: number;
  /** Of these tables alone. */
  readonly tables?: readonly string[];
  /** Of these kinds alone. */
  readonly ops?: readonly ("insert" | "update" | "delete")[];
  /** Ends the stream. */
  readonly signal?: AbortSignal;
}

/** How to follow a query. */
export interface LiveOptions {
  /** Least time between two runs, in milliseconds. @default {200} */
  readonly intervalMs?: number;
  /** Ends the stream. */
  readonly signal?: AbortSignal;
}

const AGAIN_MS = 200;

/** Follows the changes of rows. @throws {MusterError} When the log does not reach back so far, or there is none. */
export async function* changes(nodes: Nodes, { since, tables, ops, signal }: ChangesOptions): AsyncGenerator<Change> {
  let behind = since;
  const fixed = new URLSearchParams({
    ...(tables ? { tables: tables.join(",") } : {}),
    ...(ops ? { ops: ops.join(",") } : {}),
  });
  for (;;) {
    const query = new URLSearchParams(fixed);
    if (behind !== undefined) query.set("since", String(behind));
    for await (const line of lines(nodes, `/db/changes?${query}`, signal)) {
      const { index, commit_timestamp, events, error } = line as Line;
      if (error !== undefined) throw new MusterError(error);
      behind = index;
      if (events && events.length > 0) {
        yield { index, at: new Date(commit_timestamp ?? 0), events: events.map(eventOf) };
      }
    }
    await pause(AGAIN_MS, signal);
  }
}

interface Line {
  readonly index: number;
  readonly commit_timestamp?: number;
  readonly events?: readonly (ChangeEvent & { new_row_id?: number | bigint; old_row_id?: number | bigint })[];
  readonly error?: string;
}

function eventOf({ new_row_id, old_row_id, ...event }: NonNullable<Line["events"]>[number]): ChangeEvent {
  return {
    ...event,
    ...(new_row_id === undefined ? {} : { newRowId: new_row_id }),
    ...(old_row_id === undefined ? {} : { oldRowId: old_row_id }),
  };
}

/** What a live query sends. */
interface LiveLine<Row> {
  readonly tag?: string;
  readonly types?: Readonly<Record<string, string>>;
  readonly rows?: Row[];
  readonly splices?: readonly { readonly at: number; readonly delete: number; readonly insert: Row[] }[];
  readonly error?: string;
}

/** Follows a query: its rows, and all of them again whenever they change. @throws {MusterError} When it fails. */
export async function* live<Row>(
  nodes: Nodes,
  body: string,
  { intervalMs = 200, signal }: LiveOptions,
): AsyncGenerator<readonly Row[]> {
  let rows: Record<string, unknown>[] | undefined;
  let types: Readonly<Record<string, string>> = {};
  let tag = "";
  for (;;) {
    const path = `/db/live?associative&interval=${intervalMs}ms${tag === "" ? "" : `&tag=${tag}`}`;
    for await (const line of lines(nodes, path, signal, body)) {
      const piece = line as LiveLine<Record<string, unknown>>;
      if (piece.error !== undefined) throw new MusterError(piece.error);
      tag = piece.tag ?? "";
      if (piece.types) [types, rows] = [piece.types, piece.rows ?? []];
      else if (piece.splices && rows) {
        for (const { at, delete: gone, insert } of piece.splices) rows.splice(at, gone, ...insert);
      } else continue;
      yield rows.map((row) => typed<Row>(row, types));
    }
    await pause(AGAIN_MS, signal);
  }
}

/** A row with its values as they are. */
export function typed<Row>(row: Readonly<Record<string, unknown>>, types: Readonly<Record<string, string>>): Row {
  const values: Record<string, SqlResult> = {};
  for (const [name, value] of Object.entries(row)) values[name] = resultOf(value, types[name]);
  return values as Row;
}

/** The lines of a stream until it ends or breaks. */
async function* lines(
  nodes: Nodes,
  path: string,
  signal: AbortSignal | undefined,
  body?: string,
): AsyncGenerator<unknown> {
  const method = body === undefined ? "GET" : "POST";
  let response: Response;
  try {
    response = await nodes.open({ method, path, isIdempotent: true, signal, ...(body === undefined ? {} : { body }) });
  } catch (error) {
    if (error instanceof UnavailableError) return; // a stream goes on when there is somebody again
    throw error;
  }
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const next = await reader?.read().catch(() => undefined);
      if (signal?.aborted) throw signal.reason;
      if (!next || next.done) return;
      const parts = (rest + next.value).split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) yield parseExact(part);
    }
  } finally {
    await reader?.cancel().catch(() => {});
  }
}
