/**
 * Paths, methods and the endpoints beside the data (Q2.1, Q12, Q13.1 to Q13.7).
 * @module
 */
import { type Call, type Case, get, intend, post, type Rule, type Theme } from "./case.ts";

const PATHS = [
  "/db/execute",
  "/db/query",
  "/db/request",
  "/db/backup",
  "/db/load",
  "/boot",
  "/snapshot",
  "/remove",
  "/status",
  "/nodes",
  "/leader",
  "/readyz",
  "/licenses",
  "/debug/vars",
  "/nosuch",
  "/db",
  "/db/",
  "/db/nosuch",
  "/Status",
  "/DB/query",
  "/db/executeX",
  "/db/query/more",
  "/db/requests",
  "/statusX",
  "/nodes/1",
  "/leader/",
  "/leaderX",
  "/readyz/x",
  "/removeX",
  "/bootX",
  "/snapshotX",
  "//",
];
const METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];
/** The requests that would change the node, or that answer with its own contents, in both programs. */
const SKIPPED = new Set([
  "GET /db/backup",
  "GET /status",
  "GET /statusX",
  "GET /nodes",
  "GET /nodes/1",
  "GET /leader",
  "POST /leader",
  "GET /debug/vars",
  "GET /licenses",
  "POST /db/load",
  "POST /boot",
  "POST /snapshot",
  "POST /debug/vars",
  "PUT /debug/vars",
  "DELETE /debug/vars",
  "PATCH /debug/vars",
  "HEAD /debug/vars",
]);

const REMOVE_BODIES = [
  "",
  "{}",
  "[]",
  `{"id":1}`,
  `{"id":"a","b":"c"}`,
  `{"name":"1"}`,
  `"1"`,
  "1",
  "null",
  "{",
  `["1"]`,
  `{"id":""}`,
  `{"id":null}`,
];

function methods(): Case[] {
  return PATHS.flatMap((path) =>
    METHODS.filter((method) => !SKIPPED.has(`${method} ${path}`)).map((method): Case => ({
      name: `${method} ${path}`,
      request: { method, path },
    }))
  );
}

function remove(body: string): Call {
  return { ...post("/remove", body), method: "DELETE" };
}

const READYZ = ["", "?noleader", "?sync", "?sync&timeout=1s", "?noleader&sync", "?pretty", "?timeout=5s", "?retries=1"];

/** Keys of /status whose value both have alike. */
const STATUS_KEYS = [
  "nosuch",
  "store.nosuch",
  "store.open",
  "store.ready",
  "store.node_id",
  "store.node_id.more",
  "store.addr",
  "store.leader",
  "store.leader.addr",
  "store.leader.node_id",
  "store.nodes",
  "store.raft.state",
  "store.raft.num_peers",
  "store.raft.voter",
  "store.raft.last_contact",
  "http.auth",
  "http.bind_addr",
  "http.tls.enabled",
  ".",
  "store.",
  "store..open",
  "store.open.x.y",
];

const LATER = "came with a later rqlite (Q13.1 to Q13.7)";

const RULES: readonly Rule[] = [
  [/^(?!OPTIONS)[A-Z]+ \/leader$/, { reason: `/leader ${LATER}`, muster: { status: 405 } }],
  [/^leader/, { reason: `/leader ${LATER}`, muster: { status: 200, body: /"leader": ?true/ } }],
  [/^stepdown with bad JSON$/, { reason: `/leader ${LATER}`, muster: { status: 400, body: /^invalid JSON: / } }],
  [/^stepdown /, { reason: `/leader ${LATER}`, muster: { status: 500, body: /^stepdown: / } }],
  [/^GET \/readyz|^readyz (\?(?!noleader)|$)/, {
    reason: `[+]db ok ${LATER}`,
    muster: { body: (rqlite) => `${rqlite}\n[+]db ok` },
  }],
  [/^remove with "\{\\"id\\":null\}"$/, {
    reason: "null is no id; Go reads it as an empty one",
    muster: { status: 400 },
  }],
  [/^nodes/, {
    reason: `the version of each node ${LATER}`,
    muster: { body: (rqlite) => rqlite.replace(/("addr":( ?)"«cluster»",)(\s*)/g, `$1$3"version":$2"«version»",$3`) },
  }],
  [/^status key=store.open(\.x\.y)?$/, { reason: `store.open ${LATER}`, muster: { body: "true" } }],
  [/^status key=store.nodes$/, {
    reason: "suffrage is in lower case in a later rqlite (Q12)",
    muster: { body: (rqlite) => rqlite.replace("Voter", "voter") },
  }],
  [/^status key=http.auth$/, { reason: "rqlite 8 says enabled without an auth file", muster: { body: `"disabled"` } }],
];

/** Everything that is not data. */
export const ENDPOINTS: Theme = {
  name: "endpoints",
  cases: intend([
    ...methods(),
    ...REMOVE_BODIES.map((body): Case => ({ name: `remove with ${JSON.stringify(body)}`, request: remove(body) })),
    { name: "remove an unknown node", request: remove(`{"id":"nosuch"}`) },
    ...READYZ.map((parameters): Case => ({ name: `readyz ${parameters}`, request: get(`/readyz${parameters}`) })),
    ...STATUS_KEYS.map((key): Case => ({ name: `status key=${key}`, request: get(`/status?key=${key}`) })),
    ...["", "?pretty", "?ver=2", "?ver=1", "?nonvoters", "?ver=2&nonvoters&pretty", "?timeout=1s"].map((
      parameters,
    ): Case => ({
      name: `nodes ${parameters}`,
      request: get(`/nodes${parameters}`),
    })),
    { name: "leader", request: get("/leader") },
    { name: "leader, pretty", request: get("/leader?pretty") },
    { name: "stepdown to itself", request: post("/leader", { id: "1" }) },
    { name: "stepdown to an unknown node", request: post("/leader", { id: "nosuch" }) },
    { name: "stepdown with bad JSON", request: post("/leader", "{") },
    { name: "stepdown alone, wait", request: post("/leader?wait") },
  ], RULES),
};
