/**
 * The operations about what the cluster keeps for clients as documents of JSON: prepared queries, and entries of
 * configuration for all (C7.9).
 * @module
 */
import { flag, optional, record, text } from "../../base/codec/shape.ts";
import { type CatalogWrite, expectRow, guard, remove, upsert } from "../../core/catalog/catalog.ts";
import { ConflictError } from "../agent/catalog.ts";
import { expectToLead, plainName, readOperation } from "../agent/catalog_operations.ts";
import { type ConfigQuery, configQuery, type PreparedQuery, preparedQuery } from "../agent/catalog_query.ts";
import {
  type CatalogFound,
  type CatalogReadParts,
  type CatalogReadRequest,
  readCatalog,
} from "../agent/catalog_read.ts";
import { needsOfEntry, needsOfQuery } from "../acl/write_needs.ts";
import { OperationError } from "../database/errors.ts";
import { type Implementations, jsonOperation, type OperationTable } from "../database/operation.ts";
import type { Agent } from "../agent/agent.ts";

/** Characters of a document. */
export const DOCUMENT_CHARS_MAX = 64 * 1024;

/** A prepared query to be written. */
export interface QueryToPut {
  /** Empty: a new one. */
  readonly id: string;
  /** Unique, or empty. */
  readonly name: string;
  /** With which it ends; empty: none. */
  readonly session: string;
  /** JSON. */
  readonly body: string;
}

/** An entry of configuration to be written. */
export interface EntryToPut {
  readonly kind: string;
  readonly name: string;
  /** JSON. */
  readonly body: string;
  /** The modify index that is expected, as text; undefined: any. */
  readonly cas: string | undefined;
}

/** These operations. */
export interface DocumentOperations {
  readonly queryRead: {
    readonly params: CatalogReadRequest<PreparedQuery>;
    readonly result: CatalogFound<PreparedQuery>;
  };
  readonly queryPut: { readonly params: QueryToPut; readonly result: { readonly id: string } };
  readonly queryDelete: { readonly params: { readonly id: string }; readonly result: { readonly isDone: boolean } };
  readonly configRead: { readonly params: CatalogReadRequest<ConfigQuery>; readonly result: CatalogFound<ConfigQuery> };
  /** Whether the entry was as expected. */
  readonly configPut: { readonly params: EntryToPut; readonly result: { readonly isDone: boolean } };
  readonly configDelete: {
    readonly params: Pick<EntryToPut, "kind" | "name">;
    readonly result: { readonly isDone: boolean };
  };
}

const document = text(DOCUMENT_CHARS_MAX);
const done = record({ isDone: flag });

/** These operations, and how they travel. */
export const DOCUMENT_OPERATIONS: OperationTable<DocumentOperations> = {
  queryRead: readOperation("query-read", preparedQuery),
  queryPut: jsonOperation(
    ["query-write"],
    record({ id: plainName, name: plainName, session: plainName, body: document }),
    record({ id: plainName }),
    { needs: ({ id, name }, read) => needsOfQuery(id, name, read) },
  ),
  queryDelete: jsonOperation(["query-write"], record({ id: plainName }), done, {
    needs: ({ id }, read) => needsOfQuery(id, undefined, read),
  }),
  configRead: readOperation("operator-read", configQuery),
  configPut: jsonOperation(
    ["operator-write"],
    record({ kind: plainName, name: plainName, body: document, cas: optional(plainName) }),
    done,
    { needs: (entry) => needsOfEntry(entry) },
  ),
  configDelete: jsonOperation(["operator-write"], record({ kind: plainName, name: plainName }), done, {
    needs: needsOfEntry,
  }),
};

/** What these operations work with. */
export interface DocumentParts extends CatalogReadParts {
  readonly agent: Agent | undefined;
}

/** Does these operations on this node. */
export function documentImplementations(parts: DocumentParts): Implementations<DocumentOperations> {
  const { catalog } = parts;
  const bounded = <Query>(request: CatalogReadRequest<Query>): CatalogReadRequest<Query> => ({
    ...request,
    waitMs: Math.min(request.waitMs, parts.agent?.options.queryTimeMs.most ?? 0),
  });
  /** Whether the conditions of writes held. */
  const written = async (writes: readonly CatalogWrite[]): Promise<boolean> => {
    try {
      await catalog.write(writes);
      return true;
    } catch (error) {
      if (error instanceof ConflictError) return false;
      throw error;
    }
  };
  return {
    queryRead: (request, { whenOver }) => readCatalog(parts, bounded(request), whenOver),
    async queryPut({ id, name, session, body }) {
      expectToLead(parts);
      const own = id || crypto.randomUUID();
      const isFree = "NOT EXISTS(SELECT 1 FROM _muster_queries WHERE name = ? AND name <> '' AND id <> ?)";
      const isThere = "EXISTS(SELECT 1 FROM _muster_queries WHERE id = ?)";
      const hasSession = "? = '' OR EXISTS(SELECT 1 FROM _muster_sessions WHERE id = ?)";
      const conditions = [guard(isFree, [name, own]), guard(hasSession, [session, session])];
      if (id !== "") conditions.push(guard(isThere, [id]));
      try {
        await catalog.write([...conditions, upsert("queries", ["id"], { id: own, name, session, body })]);
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
        const reasons = [`name '${name}' aliases an existing query name`, `invalid session "${session}"`];
        throw new OperationError(reasons[error.at] ?? "Cannot modify non-existent query: '" + id + "'");
      }
      return { id: own };
    },
    async queryDelete({ id }) {
      expectToLead(parts);
      return { isDone: await written([remove("queries", { id })]) };
    },
    configRead: (request, { whenOver }) => readCatalog(parts, bounded(request), whenOver),
    async configPut({ kind, name, body, cas }) {
      expectToLead(parts);
      const condition = cas === undefined ? [] : [expectRow("config_entries", { kind, name }, BigInt(cas))];
      return {
        isDone: await written([...condition, upsert("config_entries", ["kind", "name"], { kind, name, body })]),
      };
    },
    async configDelete({ kind, name }) {
      expectToLead(parts);
      return { isDone: await written([remove("config_entries", { kind, name })]) };
    },
  };
}
