/**
 * Copies of catalog, keys and sessions, and their restore (C7.7), as the leader does them. A restore goes through the log in
 * pieces, and takes effect in the last of them, or not at all.
 * @module
 */
import { DecodeError } from "../../base/codec/cursor.ts";
import { record, whole } from "../../base/codec/shape.ts";
import { needs } from "../../core/acl/resource.ts";
import type { CatalogWrite } from "../../core/catalog/catalog.ts";
import {
  forgetStaged,
  restoreWrites,
  SNAPSHOT_HEAD,
  SNAPSHOT_TABLES,
  snapshotReads,
  stagedWrites,
} from "../../core/catalog/snapshot.ts";
import { indexQuery } from "../../core/catalog/watch.ts";
import type { NodeState } from "../../base/shared/node_state.ts";
import type { Catalog } from "../agent/catalog.ts";
import type { KeyTimers } from "../keys/key_timers.ts";
import { expectToLead } from "../agent/catalog_operations.ts";
import { NotLeaderError, OperationError } from "../database/errors.ts";
import { type Implementations, NOTHING, type OperationTable } from "../database/operation.ts";

/** A copy, as lines of JSON (core/catalog/snapshot.ts). */
export interface CatalogSnapshot {
  readonly lines: Uint8Array;
  /** The index of its last change. */
  readonly index: number;
}

/** These operations. */
export interface SnapshotOperations {
  readonly snapshotSave: { readonly params: { readonly isStale: boolean }; readonly result: CatalogSnapshot };
  readonly snapshotRestore: { readonly params: { readonly lines: Uint8Array }; readonly result: void };
}

const facts = record({ index: whole() });
const NO_BYTES = new Uint8Array();

/** As in Consul, where a snapshot has the tokens. */
const MANAGING = { needs: () => [needs("acl", "write")] };

/** These operations, and how they travel. */
export const SNAPSHOT_OPERATIONS: OperationTable<SnapshotOperations> = {
  snapshotSave: {
    permissions: ["operator-write"], // it holds every value of every key
    acl: MANAGING,
    params: {
      encode: ({ isStale }) => ({ value: { isStale }, body: NO_BYTES }),
      decode: ({ value }) => ({ isStale: JSON.stringify(value) === `{"isStale":true}` }),
    },
    result: {
      encode: ({ lines, index }) => ({ value: { index }, body: lines }),
      decode: ({ value, body }) => ({ ...facts(value, "the result"), lines: body }),
    },
  },
  snapshotRestore: {
    permissions: ["operator-write"],
    acl: MANAGING,
    isForLeader: () => true,
    mayWrite: true,
    params: {
      encode: ({ lines }) => ({ value: undefined, body: lines }),
      decode: ({ body }) => ({ lines: body }),
    },
    result: NOTHING,
  },
};

/** What these operations work with. */
export interface SnapshotParts {
  readonly catalog: Catalog;
  readonly state: NodeState;
  readonly keyTimers: KeyTimers;
}

/** Lines of one entry of the log, and their characters. */
const LINES_MAX = 500;
const CHARACTERS_MAX = 1024 * 1024;

/** Does these operations on this node. */
export function snapshotImplementations(parts: SnapshotParts): Implementations<SnapshotOperations> {
  const { catalog } = parts;
  return {
    async snapshotSave({ isStale }) {
      if (!isStale && !parts.state.isLeader) throw new NotLeaderError();
      const { rows, index } = await catalog.read(snapshotReads(), indexQuery(SNAPSHOT_TABLES));
      const lines = [JSON.stringify(SNAPSHOT_HEAD), ...rows.flat().map(({ line }) => String(line))];
      return { lines: new TextEncoder().encode(`${lines.join("\n")}\n`), index };
    },
    async snapshotRestore({ lines }) {
      expectToLead(parts);
      await restore(catalog, linesOf(lines));
      parts.keyTimers.look();
    },
  };
}

/** @throws {OperationError} When it is no snapshot of this program. */
function linesOf(bytes: Uint8Array): string[] {
  try {
    const [head, ...rows] = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes).trimEnd().split(
      "\n",
    );
    const { snapshot, version } = JSON.parse(head);
    if (snapshot !== SNAPSHOT_HEAD.snapshot || version !== SNAPSHOT_HEAD.version) throw new DecodeError("another kind");
    for (const row of rows) {
      const { table } = JSON.parse(row);
      if (!SNAPSHOT_TABLES.includes(table)) throw new DecodeError("a row of another table");
    }
    return rows;
  } catch {
    throw new OperationError(
      `the state in this snapshot is none that this version knows: expected "${SNAPSHOT_HEAD.snapshot}" of version ` +
        `${SNAPSHOT_HEAD.version}`,
    );
  }
}

async function restore(catalog: Catalog, lines: readonly string[]): Promise<void> {
  const id = crypto.randomUUID();
  try {
    for (let at = 0; at < lines.length;) {
      const some: CatalogWrite[] = [];
      for (let characters = 0; at < lines.length && some.length < LINES_MAX && characters < CHARACTERS_MAX; at++) {
        some.push(...stagedWrites(id, at, [lines[at]]));
        characters += lines[at].length;
      }
      await catalog.write(some);
    }
    await catalog.write(restoreWrites(id));
  } catch (error) {
    await catalog.write([forgetStaged(id)]).catch(() => {}); // the next restore does
    throw error;
  }
}
