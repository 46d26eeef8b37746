/**
 * Reads of the catalog at the level that was asked for: at once, or when something has changed (blocking queries, C6.3, C6.4).
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import type { NodeState } from "../../base/shared/node_state.ts";
import { NoLeaderError, NotLeaderError, OperationError } from "../database/errors.ts";
import { isConfirmedLeader } from "../database/freshness.ts";
import type { ReplicaClient } from "../database/replica_client.ts";
import type { Catalog, CatalogRead } from "./catalog.ts";
import { type AnyQuery, planOf } from "./catalog_query.ts";

/** Consistency of a read, as in Consul. */
export const CONSISTENCIES = ["default", "stale", "consistent"] as const;

/** A read of the catalog. */
export interface CatalogReadRequest<Query = AnyQuery> {
  readonly query: Query;
  /** `stale`: on any node; `default`: on the leader; `consistent`: on the leader once a majority has confirmed it. */
  readonly consistency: typeof CONSISTENCIES[number];
  /** The asker knows the state up to here, and waits for another one; 0: none. */
  readonly index: number;
  /** Longest wait. */
  readonly waitMs: number;
}

/** What was found, and how fresh it is. */
export interface CatalogFound<Query = AnyQuery> extends CatalogRead {
  /** The query that it answers: it says how many results there are. */
  readonly query: Query;
  readonly isLeaderKnown: boolean;
  /** Time since the leader was heard; 0 on the leader. */
  readonly lastContactMs: number;
  /** Whether rows were left out that the asker's token may not see. */
  readonly isFiltered?: boolean | undefined;
}

/** Dependencies of reads. */
export interface CatalogReadParts {
  readonly catalog: Catalog;
  readonly state: NodeState;
  readonly replica: Pick<ReplicaClient, "leader" | "confirmRead">;
  readonly options: {
    /** A leader that no majority has answered for so long may have been replaced. */
    readonly heartbeatTimeoutMs: number;
  };
}

/** Longest wait for the word of a majority. */
const CONFIRM_MS = 10_000;

/**
 * Reads, at once or when the index is above the one that the request names.
 * @throws {NotLeaderError} Elsewhere than on the leader, unless it may be stale.
 * @throws {OperationError} When it cannot be read.
 * @throws {import("../database/errors.ts").TooManyWaitError} When as many wait as may.
 */
export async function readCatalog<Query extends AnyQuery>(
  parts: CatalogReadParts,
  request: CatalogReadRequest<Query>,
  whenOver?: () => Promise<void>,
): Promise<CatalogFound<Query>> {
  const { state, replica, catalog } = parts;
  const { consistency, index, query } = request;
  if (consistency !== "stale") {
    if (!state.isLeader) throw new NotLeaderError();
    if (consistency === "consistent" || !isConfirmedLeader(parts)) await confirm(replica);
  }
  let found = await sharedRead(catalog, query);
  if (index > 0 && found.index <= index) found = await blocked(parts, request, whenOver?.());
  const lastContactMs = state.isLeader ? 0 : Math.max(0, Date.now() - state.leaderContactMs);
  return { ...found, query, isLeaderKnown: replica.leader !== null, lastContactMs };
}

/** One reading serves all that ask for the same until the catalog changes, unless it is large. */
function sharedRead(catalog: Catalog, query: AnyQuery): Promise<CatalogRead> {
  const { statements, index, isShared } = planOf(query);
  const read = () => catalog.read(statements, index);
  return isShared ? catalog.shared.get(JSON.stringify(query), read) : read();
}

async function confirm(replica: CatalogReadParts["replica"]): Promise<void> {
  try {
    await replica.confirmRead(CONFIRM_MS);
  } catch (error) {
    throw new OperationError(messageOf(error));
  }
}

/** Waits until the index has passed, or the time: up to a sixteenth more of it, so that many do not return at once. */
async function blocked(
  { catalog, state }: CatalogReadParts,
  { query, consistency, index, waitMs }: CatalogReadRequest,
  over: Promise<void> | undefined,
): Promise<CatalogRead> {
  let isOver = false;
  over?.then(() => isOver = true);
  const deadline = performance.now() + jittered(waitMs);
  const watch = catalog.watch(planOf(query).watched);
  try {
    for (;;) {
      const found = await sharedRead(catalog, query);
      const leftMs = deadline - performance.now();
      if (found.index > index || leftMs <= 0 || isOver) return found;
      await watch.next(leftMs, over);
      if (consistency !== "stale" && !state.isLeader) throw new NoLeaderError();
    }
  } finally {
    watch.end();
  }
}

function jittered(waitMs: number): number {
  return waitMs * (1 + Math.random() / 16);
}
