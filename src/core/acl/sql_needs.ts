/**
 * What a token needs for the SQL of a request: reading or writing the database, and for the cluster's own tables what it
 * takes to see all that is in them. They lie in the same database, and `SELECT * FROM muster.kv` must not be a way around
 * the rules for keys. The names in a text are looked at; what a view shows that somebody made who may read the table is
 * that one's decision. Pure.
 * @module
 */
import { CATALOG_PREFIX } from "../catalog/catalog.ts";
import type { SqlPart } from "../sql/statement.ts";
import { identifierName, Tokenizer } from "../sql/tokenizer.ts";
import { type Need, needs, needsAllOf } from "./resource.ts";

const CATALOG: readonly Need[] = [needsAllOf("node", "read"), needsAllOf("service", "read")];
const KEYS: readonly Need[] = [needsAllOf("key", "read")];
/** By the names of tables without their prefix; others need the operator's right. */
const TABLES: ReadonlyMap<string, readonly Need[]> = new Map([
  ...["nodes", "services", "checks", "members", "session_checks"].map((name) => [name, CATALOG] as const),
  ...["kv", "kv_history", "tombstones", "lock_delays", "fences"].map((name) => [name, KEYS] as const),
  // Rows of the database's own tables alone: GET /db/changes shows them as well.
  ["changes", []],
  ["sessions", [needsAllOf("session", "read")]],
  ["queries", [needsAllOf("query", "read")]],
  ["config_entries", [needsAllOf("service", "read"), needs("operator", "read")]],
  ...["acl_tokens", "acl_policies", "acl_roles", "acl_users", "acl_state"].map((name) =>
    [name, [needs("acl", "read")]] as const
  ),
]);
const OTHERS: readonly Need[] = [needs("operator", "read")];
/** What `muster_fence` is written out as: it tells of one lock whose name and token the statement has already. */
const FENCE_CONDITION = " WHERE key = muster_lock AND token = muster_token)";

/** A quick look: false of a text that names no table of the cluster's own. */
function mayNameOwn(sql: string): boolean {
  return /muster/i.test(sql);
}

/** What statements need beside `access` to the database. */
export function sqlNeeds(access: "read" | "write", parts: Iterable<Pick<SqlPart, "sql">>): readonly Need[] {
  const found = new Set<Need>();
  for (const { sql } of parts) {
    if (!mayNameOwn(sql)) continue;
    for (const need of ownTableNeeds(sql)) found.add(need);
  }
  return [needs("sql", access), ...found];
}

function ownTableNeeds(sql: string): Need[] {
  const tokenizer = new Tokenizer(sql);
  const found: Need[] = [];
  let before: readonly string[] = ["", ""];
  while (tokenizer.next()) {
    const { kind, start, end } = tokenizer;
    const text = sql.slice(start, end);
    const name = nameOf(kind, text);
    if (name.startsWith(CATALOG_PREFIX) && name !== CATALOG_PREFIX) {
      if (!sql.startsWith(FENCE_CONDITION, end)) found.push(...TABLES.get(name.slice(CATALOG_PREFIX.length)) ?? OTHERS);
    } else if (name === "_muster") found.push(...OTHERS);
    else if (before[0] === "muster" && before[1] === ".") found.push(...TABLES.get(name) ?? OTHERS);
    before = [before[1], name || text];
  }
  return found;
}

/** A name in lower case; SQLite takes a text between single quotes for one where it stands in the place of one. */
function nameOf(kind: Tokenizer["kind"], text: string): string {
  if (kind === "word" || kind === "quoted") return identifierName(text).toLowerCase();
  return kind === "string" ? text.slice(1, -1).toLowerCase() : "";
}
