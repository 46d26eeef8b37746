/**
 * The permissions that a user may have: rqlite's (Q17.1), and those of `/v1`, named after the resources of Consul's ACLs
 * (C6.6). Pure.
 * @module
 */

/** All permissions but `all`, each with what it grants. */
export const PERMISSIONS = {
  "execute": "/db/execute, and with query /db/request",
  "query": "/db/query, /db/sql",
  "load": "/db/load, /boot",
  "backup": "/db/backup",
  "snapshot": "/snapshot, /reap, /verify",
  "remove": "/remove",
  "status": "/status, /nodes, /cluster/live, /metrics, /debug/vars, /v1/status",
  "ready": "/readyz",
  "leader-ops": "/leader",
  "ui": "/console/, the page",
  "join": "join the cluster as a voter",
  "join-read-only": "join the cluster as a non-voter",
  "agent-read": "read what the agent knows: itself, members of the pool, its log",
  "agent-write": "have the agent join, leave or reload",
  "service-write": "register services and checks with the agent, and update them",
  "catalog-read": "read the catalog and health",
  "catalog-write": "register in the catalog and deregister",
  "kv-read": "read keys",
  "kv-write": "write, lock and delete keys",
  "session-read": "read sessions",
  "session-write": "make, renew and end sessions",
  "query-read": "read and execute prepared queries",
  "query-write": "make, change and delete prepared queries",
  "event-read": "list events",
  "event-write": "fire events",
  "operator-read": "read the Raft configuration",
  "operator-write": "remove peers, hand over leadership, force members to leave",
  "keyring": "list and change the keys of the gossip",
} as const;

/** A permission. */
export type Permission = keyof typeof PERMISSIONS;

/** Every permission. */
const ALL = "all";
/** rqlite has two names for this one. */
const OTHER_NAMES: Readonly<Record<string, Permission>> = { "join-read-replica": "join-read-only" };

/**
 * The permissions that a word of the file grants; undefined where it is none. As in Consul, who may write may read.
 */
export function permissionsOf(word: string): readonly Permission[] | undefined {
  const names = Object.keys(PERMISSIONS).filter(isPermission);
  if (word === ALL) return names;
  const name = OTHER_NAMES[word] ?? word;
  if (!isPermission(name)) return undefined;
  const read = name.replace(/-write$/, "-read");
  return isPermission(read) ? [name, read] : [name];
}

/** Whether a word names a permission. */
export function isPermission(word: string): word is Permission {
  return Object.hasOwn(PERMISSIONS, word);
}
