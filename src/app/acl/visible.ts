/**
 * What a token needs for a read of the cluster's own tables, and which rows of it the token may see (Consul's
 * `acl:filter`): what it may not see is left out, as if it were not there, and the answer says so. Pure.
 * @module
 */
import type { Authorizer } from "../../core/acl/authorizer.ts";
import { needs, needsOf } from "../../core/acl/resource.ts";
import type { Needs, OperationAcl, ReadRows } from "../../core/acl/guard.ts";

type Row = Readonly<Record<string, unknown>>;

/** A read, as far as its rules go (app/agent/catalog_query.ts has the kinds). */
interface Query {
  readonly k: string;
  readonly key?: string;
  readonly prefix?: string;
  readonly name?: string;
  readonly kind?: string;
  readonly watchesNodes?: boolean;
}

/** What was found. */
interface Found {
  readonly rows: readonly (readonly Row[])[];
  readonly index: number;
  readonly text: string;
  /** Whether rows were left out that the token may not see. */
  readonly isFiltered?: boolean | undefined;
}

/** Entries of configuration that are about one service; the others are the operator's. */
const SERVICE_DEFAULTS = "service-defaults";
/** What everybody may read. */
const PROXY_DEFAULTS = "proxy-defaults";

/** The rules of a read. */
export function readAcl<Q extends Query, F extends Found>(): OperationAcl<{ readonly query: Q }, F> {
  return {
    needs: ({ query }, read) => needsOfRead(query, read),
    seen: (found, may, { query }) => seenOf(found, may, query),
  };
}

/** What is refused altogether where it is not allowed; what is filtered needs nothing. */
function needsOfRead({ k, key = "", prefix = "", kind, name = "" }: Query, read: ReadRows): Needs | Promise<Needs> {
  switch (k) {
    case "key":
    case "keyAt":
    case "keyHistory":
      return [needsOf("key", "read", key)];
    case "tree":
    case "keys":
    case "treeAt":
      return [{ ...needsOf("key", "list", prefix), isForLists: true }];
    case "query":
      return needsOfPrepared(name, read);
    case "configEntry":
      if (kind === PROXY_DEFAULTS) return [];
      return [kind === SERVICE_DEFAULTS ? needsOf("service", "read", name) : needs("operator", "read")];
    case "aclTokens":
    case "aclPolicies":
    case "aclRoles":
      return [needs("acl", "read")];
    default:
      return [];
  }
}

/** A query is asked for by its id, too: the rules are about its name. */
async function needsOfPrepared(asked: string, read: ReadRows): Promise<Needs> {
  const [row] = await read("SELECT name FROM _muster_queries WHERE id = ?", [asked]);
  return [needsOf("query", "read", row ? String(row.name) : asked)];
}

function seenOf<F extends Found>(found: F, may: Authorizer, query: Query): F {
  if (may.isUnlimited) return found;
  const tests = testsOf(query, may);
  const rows = found.rows.map((some, at) => {
    const test = tests[at];
    return test ? some.filter(test) : some;
  });
  // Without their node services are nobody's.
  if (query.k === "node" && rows[0].length === 0) rows[1] = [];
  if (rows.every(({ length }, at) => length === found.rows[at].length)) return found;
  const text = JSON.stringify([{ rows: [{ value: found.index }] }, ...rows.map((some) => ({ rows: some }))]);
  return { ...found, rows, text, isFiltered: true };
}

/** For the rows of each statement of a query, whether they may be seen; undefined: all of them. */
function testsOf(
  { k, watchesNodes }: Query,
  may: Authorizer,
): (((row: Row) => boolean) | undefined)[] {
  const isNode = (name: unknown) => may.allows(needsOf("node", "read", String(name)));
  const isService = (name: unknown) => name === "" || may.allows(needsOf("service", "read", String(name)));
  const isInstance = ({ node, name }: Row) => isNode(node) && isService(name);
  const isCheck = ({ node, service_name: service }: Row) => isNode(node) && isService(service);
  const isKey = ({ key }: Row) => may.allows(needsOf("key", "read", String(key)));
  switch (k) {
    case "nodes":
      return [({ name }) => isNode(name)];
    case "node":
      return [({ name }) => isNode(name), ({ name }) => isService(name)];
    case "services":
      return [watchesNodes ? isInstance : ({ name }) => isService(name)];
    case "service":
      return [isInstance];
    case "nodeChecks":
    case "checksInState":
    case "serviceChecks":
      return [isCheck];
    case "health":
      return [isInstance, isCheck];
    case "agent":
      return [({ name }) => isNode(name), isInstance, isCheck];
    case "key": // which is needed to be asked for at all
    case "keyAt":
    case "keyHistory":
    case "treeAt":
    case "tree":
    case "keys":
      return [isKey];
    case "session":
    case "sessions":
    case "nodeSessions":
      return [({ node }) => may.allows(needsOf("session", "read", String(node)))];
    case "query":
    case "queries":
      return [({ name }) => may.allows(needsOf("query", "read", String(name)))];
    case "configEntries":
      return [
        ({ kind, name }) => kind === SERVICE_DEFAULTS ? isService(name) : kind === PROXY_DEFAULTS || isOperator(may),
      ];
    default:
      return [];
  }
}

function isOperator(may: Authorizer): boolean {
  return may.allows(needs("operator", "read"));
}
