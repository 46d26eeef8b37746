/**
 * The operations about the log of changed rows: to keep one, to keep none, and to note how far it was delivered.
 * @module
 */
import { record, text, whole } from "../../base/codec/shape.ts";
import { needs } from "../../core/acl/resource.ts";
import { CHANGE_LOG_OFF, CHANGE_SINKS_TABLE, changeLogOn } from "../../core/sql/change_log.ts";
import type { Catalog } from "../agent/catalog.ts";
import { expectToLead } from "../agent/catalog_operations.ts";
import type { CatalogReadParts } from "../agent/catalog_read.ts";
import { type Implementations, jsonCodec, NOTHING, type OperationTable } from "../database/operation.ts";

/** These operations. */
export interface ChangeOperations {
  /** Keeps a log of at most so many bytes. */
  readonly changesOn: { readonly params: { readonly maxBytes: number }; readonly result: void };
  /** Keeps none any more. */
  readonly changesOff: { readonly params: Record<string, never>; readonly result: void };
}

/** Least and most bytes of a log. */
export const CHANGE_LOG_BYTES_MIN = 64 * 1024;
export const CHANGE_LOG_BYTES_MAX = 64 * 1024 * 1024 * 1024;
/** Characters of the name of a sink. */
const SINK_NAME_MAX = 255;

const OPERATING = { needs: () => [needs("operator", "write")] };

/** These operations, and how they travel. */
export const CHANGE_OPERATIONS: OperationTable<ChangeOperations> = {
  changesOn: {
    permissions: ["load"],
    acl: OPERATING,
    params: jsonCodec(record({ maxBytes: whole() })),
    result: NOTHING,
  },
  changesOff: { permissions: ["load"], acl: OPERATING, params: jsonCodec(record({})), result: NOTHING },
};

/** Does these operations on this node. */
export function changeImplementations(
  parts: Pick<CatalogReadParts, "state"> & { readonly catalog: Catalog },
): Implementations<ChangeOperations> {
  const { catalog } = parts;
  return {
    async changesOn({ maxBytes }) {
      expectToLead(parts);
      await keepChanges(catalog, maxBytes);
    },
    async changesOff() {
      expectToLead(parts);
      await catalog.write(CHANGE_LOG_OFF.map((sql) => ({ sql, positional: [] })));
    },
  };
}

/**
 * Keeps a log; on the leader.
 * @throws {import("../agent/catalog.ts").CatalogError} As well where a member of the cluster may not record changes yet.
 */
export async function keepChanges(catalog: Catalog, maxBytes: number): Promise<void> {
  const limit = Math.min(CHANGE_LOG_BYTES_MAX, Math.max(CHANGE_LOG_BYTES_MIN, maxBytes));
  await catalog.expectNewCommands("the log of changed rows");
  await catalog.write(changeLogOn(limit).map((sql) => ({ sql, positional: [] })));
}

/** Notes up to which index a sink has everything; on the leader. */
export async function noteDelivered(catalog: Catalog, sink: string, index: number): Promise<void> {
  const sql = `INSERT INTO ${CHANGE_SINKS_TABLE} VALUES(?, ?) ` +
    "ON CONFLICT(name) DO UPDATE SET delivered = max(delivered, excluded.delivered)";
  await catalog.write([{ sql, positional: [text(SINK_NAME_MAX)(sink, "the name of the sink"), BigInt(index)] }]);
}
