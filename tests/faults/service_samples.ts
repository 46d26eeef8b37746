/** Bodies and parameters of requests about services, checks, keys, sessions, transactions and queries, by their path. */

/** A body and parameters. */
export interface RequestSample {
  readonly params?: readonly (readonly [string, string])[];
  readonly body?: unknown;
}

const SESSION = "11111111-2222-3333-4444-555555555555";
const CHECK = { Name: "c", TTL: "30s", Notes: "n", Status: "passing", DeregisterCriticalServiceAfter: "90m" };
const SERVICE = {
  ID: "n1",
  Name: "web",
  Tags: ["a", "b"],
  Address: "192.0.2.1",
  Port: 80,
  Meta: { a: "b" },
  TaggedAddresses: { wan: { Address: "198.51.100.1", Port: 81 } },
  Weights: { Passing: 3, Warning: 1 },
  EnableTagOverride: false,
  Check: CHECK,
  Checks: [{ HTTP: "http://127.0.0.1:1/", Interval: "100s", Header: { A: ["b"] } }, { AliasService: "web" }],
};
const WAIT: readonly (readonly [string, string])[] = [["index", "1"], ["wait", "50ms"]];
const OPS = [
  { KV: { Verb: "set", Key: "t", Value: "eA==", Flags: 1 } },
  { KV: { Verb: "cas", Key: "t", Index: 7, Value: "eA==" } },
  { KV: { Verb: "get-tree", Key: "" } },
  { KV: { Verb: "lock", Key: "t", Session: SESSION } },
  { Node: { Verb: "set", Node: { Node: "n2", Address: "192.0.2.2", Meta: { a: "b" } } } },
  { Service: { Verb: "set", Node: "n2", Service: { ID: "s", Service: "db", Port: 1 } } },
  { Check: { Verb: "cas", Check: { Node: "n2", CheckID: "c", Status: "passing", ServiceID: "s", ModifyIndex: 1 } } },
];
const QUERY = {
  Name: "q",
  Service: { Service: "web", OnlyPassing: true, Near: "_agent", Tags: ["a", "!b"], NodeMeta: { a: "b" } },
  DNS: { TTL: "5s" },
  Template: { Type: "name_prefix_match", Regexp: "" },
};

/** Samples by path; the method follows from the path. */
export const SERVICE_SAMPLES: Readonly<Record<string, readonly RequestSample[]>> = {
  "/v1/agent/service/register": [{ body: SERVICE }, { body: SERVICE, params: [["replace-existing-checks", ""]] }],
  "/v1/agent/service/maintenance/": [{ params: [["enable", "true"], ["reason", "x"]] }],
  "/v1/agent/maintenance": [{ params: [["enable", "true"]] }, { params: [["enable", "false"]] }],
  "/v1/agent/service/": [{ params: [["hash", "x"], ["wait", "50ms"]] }],
  "/v1/agent/services": [{ params: [["filter", 'Service == "web" and "a" in Tags']] }],
  "/v1/agent/check/register": [{ body: { ID: "n1", ...CHECK } }, { body: { ...CHECK, ServiceID: "n1" } }],
  "/v1/agent/check/pass/": [{ params: [["note", "x"]] }],
  "/v1/agent/check/update/": [{ body: { Status: "warning", Output: "x" } }],
  "/v1/health/service/": [{ params: [["passing", ""], ["tag", "a"], ["near", "_agent"]] }, { params: WAIT }],
  "/v1/catalog/service/": [{ params: [["tag", "a"], ...WAIT] }, { params: [["filter", "ServicePort != 1"]] }],
  "/v1/kv/": [
    { params: [["recurse", ""]] },
    { params: [["keys", ""], ["separator", "/"]] },
    { params: [["raw", ""], ...WAIT] },
    { body: "value", params: [["flags", "18446744073709551615"]] },
    { body: "value", params: [["cas", "0"]] },
    { body: "value", params: [["acquire", SESSION]] },
    { body: "value", params: [["release", SESSION]] },
  ],
  "/v1/session/create": [
    { body: { Name: "s", TTL: "10s", LockDelay: "1s", Behavior: "delete" } },
    { body: { NodeChecks: ["serfHealth"], ServiceChecks: [{ ID: "n1" }], LockDelay: 15 } },
  ],
  "/v1/session/list": [{ params: WAIT }],
  "/v1/txn": [{ body: OPS }, { body: OPS.slice(0, 1) }, { body: OPS.slice(4) }],
  "/v1/query": [{ body: QUERY }],
  "/v1/query/": [{ body: QUERY }, { params: [["limit", "1"], ["near", "_agent"]] }],
  "/v1/config": [{ body: { Kind: "service-defaults", Name: "web", Protocol: "http" }, params: [["cas", "0"]] }],
  "/v1/snapshot": [{ body: "no snapshot" }, { params: [["stale", ""]] }],
};
