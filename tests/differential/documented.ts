/**
 * The examples of rqlite's documentation of its HTTP API, page by page, with the tables they need.
 * @module
 */
import { type Call, type Case, get, intend, post, type Rule, type Theme } from "./case.ts";
import { RESTORE_DUMP, restoreFile } from "./restore_file.ts";

const FOO = "CREATE TABLE foo (id INTEGER NOT NULL PRIMARY KEY, name TEXT, age INTEGER)";
const SELECT_FOO = "SELECT * FROM foo";
const FIONA = `INSERT INTO foo(name, age) VALUES("fiona", 20)`;
/** Content-Type of `curl -d` without one of its own. */
const CURL_TYPE = "application/x-www-form-urlencoded";

/** A case named after its page and what the example shows. */
function example(name: string, request: Call, setup?: readonly unknown[]): Case {
  return setup === undefined ? { name, request } : { name, setup, request };
}

/** A `GET /db/query` that keeps what precedes `q`, as `curl -G` does. */
function curlG(path: string, sql: string): Call {
  return get(`${path}${path.includes("?") ? "&" : "?"}q=${encodeURIComponent(sql)}`);
}

const ACCESS = [
  example("create a table", post("/db/execute?pretty&timings", [FOO]), []),
  example("insert", post("/db/execute?pretty&timings", [FIONA])),
  example("query by GET", curlG("/db/query?pretty&timings", SELECT_FOO)),
  example("query by POST", post("/db/query?pretty&timings", [SELECT_FOO])),
  example("associative", curlG("/db/query?pretty&timings&associative", SELECT_FOO)),
  example(
    "insert with parameters",
    post("/db/execute?pretty&timings", [["INSERT INTO foo(name, age) VALUES(?, ?)", "fiona", 20]]),
  ),
  example(
    "query with parameters",
    post("/db/query?pretty&timings", [["SELECT * FROM foo WHERE name=?", "fiona"]]),
  ),
  example(
    "insert with named parameters",
    post("/db/execute?pretty&timings", [
      ["INSERT INTO foo(name, age) VALUES(:name, :age)", { name: "fiona", age: 20 }],
    ]),
  ),
  example(
    "query with named parameters",
    post("/db/query?pretty&timings", [["SELECT * FROM foo WHERE name=:name", { name: "fiona" }]]),
  ),
  example(
    "transaction",
    post("/db/execute?pretty&transaction", [
      "INSERT INTO foo(name) VALUES('fiona')",
      "INSERT INTO foo(name) VALUES('sinead')",
    ]),
  ),
  example("error", post("/db/execute?pretty&timings", ["INSERT INTO nonsense"])),
  example("pragma", curlG("/db/query?pretty&timings", "PRAGMA foreign_keys")),
  example("without a Content-Type of its own", post("/db/execute?pretty", [FIONA], CURL_TYPE)),
  example("unified, create a table", post("/db/request?pretty&timings", [FOO]), []),
  example(
    "unified, with an error",
    post("/db/request?pretty&timings", [
      ["INSERT INTO foo(name, age) VALUES(?, ?)", "fiona", 20],
      ["SELECT * FROM foo"],
      ["SELECT * FROM bar"],
    ]),
  ),
  example(
    "unified, values that are not bound",
    post("/db/request?pretty&timings", [
      ["INSERT INTO foo(name, age) VALUES(?, ?)", "fiona", 20],
      ["SELECT * FROM foo", "fiona"],
      ["SELECT * FROM bar", "fiona"],
    ]),
  ),
  example(
    "unified, associative",
    post("/db/request?associative&pretty&timings", [
      ["INSERT INTO foo(name, age) VALUES(?, ?)", "fiona", 20],
      ["SELECT * FROM foo WHERE id = 1"],
    ]),
  ),
  example(
    "blob as text",
    post("/db/execute", [["INSERT INTO foo(name) VALUES(?)", "x'53514C697465'"]]),
  ),
  example("text/plain: create a table", post("/db/execute?pretty", FOO, "text/plain"), []),
  example("text/plain: query", post("/db/query?pretty", "SELECT 1 AS one", "text/plain")),
  example(
    "blob in base64",
    curlG("/db/query", "SELECT * FROM pictures"),
    ["CREATE TABLE pictures (id INTEGER PRIMARY KEY, data BLOB)", "INSERT INTO pictures(data) VALUES(x'deadbeef')"],
  ),
  example("blob_array", curlG("/db/query?blob_array", "SELECT * FROM pictures")),
  example(
    "array of bytes",
    post("/db/execute", [["INSERT INTO pictures(data) VALUES(?)", [222, 173, 190, 239]]]),
  ),
];

const BULK = [
  example(
    "two statements",
    post("/db/execute?pretty&timings", [
      "INSERT INTO foo(name) VALUES('fiona')",
      "INSERT INTO foo(name) VALUES('sinead')",
    ]),
    [FOO],
  ),
  example(
    "two statements with parameters",
    post("/db/execute?pretty&timings", [
      ["INSERT INTO foo(name) VALUES(?)", "fiona"],
      ["INSERT INTO foo(name) VALUES(?)", "sinead"],
    ]),
  ),
  example(
    "both forms",
    post("/db/execute?pretty&timings", [
      "INSERT INTO foo(name) VALUES('fiona')",
      ["INSERT INTO foo(name) VALUES(?)", "sinead"],
    ]),
  ),
  example("two queries", post("/db/query?pretty", ["SELECT * FROM foo", "SELECT * FROM bar"])),
];

const QUEUED = [
  example(
    "queue two",
    post("/db/execute?queue", [
      ["INSERT INTO foo(name) VALUES(?)", "fiona"],
      ["INSERT INTO foo(name) VALUES(?)", "sinead"],
    ]),
    [FOO],
  ),
  example("queue one", post("/db/execute?queue", [["INSERT INTO foo(name) VALUES(?)", "declan"]])),
  example(
    "wait",
    post("/db/execute?queue&wait&timeout=10s", [["INSERT INTO foo(name) VALUES(?)", "bob"]]),
  ),
  example("wait, pretty", post("/db/execute?queue&wait&pretty", [])),
  example("all have been written", curlG("/db/query", "SELECT name FROM foo")),
];

const CONSISTENCY = [
  example("default", curlG("/db/query", SELECT_FOO), [FOO, FIONA]),
  ...[
    "level=weak",
    "level=linearizable",
    "level=linearizable&linearizable_timeout=1s",
    "level=none",
    "level=none&freshness=1s",
    "level=none&freshness=1s&freshness_strict",
    "level=strong",
    "level=auto&freshness=1s",
  ].map((parameters) => example(parameters, curlG(`/db/query?${parameters}`, SELECT_FOO))),
];

const RANDOM_AGE = ["INSERT INTO foo(id, age) VALUES(1234, RANDOM())"];
const NOW = `INSERT INTO datetime_text (d1) VALUES(unixepoch('now'))`;
const NON_DETERMINISTIC = [
  example("RANDOM()", post("/db/execute", RANDOM_AGE), [
    FOO,
    "CREATE TABLE bar (uuid TEXT)",
    "CREATE TABLE datetime_text (d1)",
  ]),
  example("RANDOMBLOB(N)", post("/db/execute", ["INSERT INTO bar(uuid) VALUES(hex(RANDOMBLOB(16)))"])),
  example("an integer and 32 digits", curlG("/db/query", "SELECT typeof(age), length(uuid) FROM foo, bar")),
  example("norwrandom", post("/db/execute?norwrandom", ["DELETE FROM foo", ...RANDOM_AGE])),
  example("read", curlG("/db/query", "SELECT * FROM foo WHERE id = RANDOM()")),
  example("strong read", curlG("/db/query?level=strong", "SELECT * FROM foo WHERE id = RANDOM()")),
  example("now", post("/db/execute", [NOW])),
  example("norwtime", post("/db/execute?norwtime", [NOW])),
  example("a fixed date", post("/db/execute", ["INSERT INTO datetime_text (d1) VALUES(date('2020-01-01'))"])),
  example("what is stored", curlG("/db/query", "SELECT typeof(d1) FROM datetime_text")),
  example(
    "show rewriting",
    post("/db/sql?pretty", ["INSERT INTO foo(v) VALUES(RANDOM())", "INSERT INTO foo(v) VALUES(RANDOMBLOB(16))"]),
  ),
  example("show rewriting by GET", curlG("/db/sql?pretty", `INSERT INTO foo(t) VALUES(datetime("now"))`)),
];

const RESTORE_FILE = await restoreFile();
const BACKUP = [
  example("SQLite file", get("/db/backup"), [FOO, FIONA, "CREATE TABLE bar (a)", "CREATE INDEX foo_name ON foo(name)"]),
  example("SQLite file, DELETE mode", get("/db/backup?fmt=delete")),
  example("SQLite file, vacuumed", get("/db/backup?vacuum")),
  example("SQLite file, of this node", get("/db/backup?noleader")),
  example("SQLite file, redirect", get("/db/backup?redirect")),
  example("compressed", get("/db/backup?compress")),
  example("compressed, vacuumed", get("/db/backup?compress&vacuum")),
  example("SQL text", get("/db/backup?fmt=sql")),
  example("SQL text of tables", get("/db/backup?fmt=sql&tables=bar,customers")),
  example("SQL text, vacuumed", get("/db/backup?fmt=sql&vacuum")),
  example("load SQL text", post("/db/load", RESTORE_DUMP, "text/plain"), []),
  // rqlite's readers show the columns of before until they have read the schema anew.
  example("what was loaded", post("/db/query", ["SELECT count(*) FROM sqlite_schema", SELECT_FOO])),
  example("load a SQLite file", post("/db/load", RESTORE_FILE, "application/octet-stream"), [FOO]),
  example("what the file had", curlG("/db/query", SELECT_FOO)),
  example("boot", post("/boot", RESTORE_FILE, CURL_TYPE), [FOO, FIONA]),
  example("what was booted", curlG("/db/query", SELECT_FOO)),
  example("boot with what is no SQLite file", post("/boot", "SELECT 1", CURL_TYPE)),
];

const OPERATING = [
  example("nodes", get("/nodes?pretty")),
  example("nodes, version 2", get("/nodes?pretty&ver=2")),
  example("nodes, non-voters", get("/nodes?nonvoters&pretty")),
  example("nodes, time-out", get("/nodes?timeout=5s")),
  example("leader", get("/leader?pretty")),
  example("transfer to a node", post("/leader", { id: "node1" })),
  example("readyz", get("/readyz")),
  example("readyz without a leader", get("/readyz?noleader")),
  example("readyz, in sync", get("/readyz?sync&timeout=5s")),
  example("remove a node", { ...post("/remove", `{"id": "<node ID>"}`, CURL_TYPE), method: "DELETE" }),
  example("VACUUM", post("/db/execute", ["VACUUM"]), [FOO, FIONA]),
  example("snapshot", post("/snapshot"), [FOO, FIONA]),
];

/** The auth file of the page on security, where everybody may also prepare a case. */
export const AUTH_FILE = JSON.stringify([
  { username: "bob", password: "secret1", perms: ["all"] },
  { username: "mary", password: "secret2", perms: ["query", "backup", "join"] },
  { username: "*", perms: ["status", "ready", "join-read-only", "execute", "query"] },
]);
const USERS = [undefined, "bob:secret1", "mary:secret2", "mary:wrong", "nobody:secret1"];
const GUARDED: readonly Call[] = [
  curlG("/db/query?pretty&timings", SELECT_FOO),
  get("/status?key=http.auth"),
  get("/readyz?noleader"),
  get("/db/backup?fmt=sql"),
  post("/db/load", "SELECT 1", "text/plain"),
  { ...post("/remove", `{"id":"nosuch"}`), method: "DELETE" },
  get("/nosuch"),
];
const SECURITY = [
  example("anonymous", post("/db/query", [SELECT_FOO]), [FOO, FIONA]),
  ...USERS.flatMap((user) =>
    GUARDED.map(({ method, path, ...rest }) => {
      const name = `${method} ${path} as ${user ?? "nobody"}`;
      return example(name, { method, path, ...rest, ...(user === undefined ? {} : { user }) });
    })
  ),
];

const LATER = "came with a later rqlite";
const GOES_BY_FORMAT = "the pages of a SQLite file, and what they compress to, depend on its version and history";
const DB_OK = { reason: `[+]db ok ${LATER}`, muster: { body: (rqlite: string) => `${rqlite}\n[+]db ok` } };
const LOADED_JSON = {
  reason: "JSON is labelled as JSON; rqlite leaves Content-Type to a guess by content",
  muster: { status: 200, contentType: "application/json; charset=utf-8" },
};
const UNCHANGED = {
  reason: "nothing is rewritten: random() and the clock are made deterministic where the statement runs",
  muster: { status: 200, body: /"original": "INSERT INTO foo\((.*)", *\n *"rewritten": "INSERT INTO foo\(\1"/ },
};

function page(name: string, cases: readonly Case[], rules: readonly Rule[] = []): Theme {
  return { name: `documented: ${name}`, cases: intend(cases, rules) };
}

/** A theme per page. */
export const DOCUMENTED: readonly Theme[] = [
  page("access", ACCESS, [
    [/^text\/plain: create/, { reason: `text/plain ${LATER} (Q3)`, muster: { status: 200, body: /"results"/ } }],
    [/^text\/plain: query/, { reason: `text/plain ${LATER} (Q3)`, muster: { status: 200, body: /"one"/ } }],
    [/^array of bytes$/, {
      reason: `arrays of bytes ${LATER} (Q3)`,
      muster: { status: 200, body: /"last_insert_id":2/ },
    }],
  ]),
  page("bulk", BULK),
  page("queued writes", QUEUED),
  page("consistency", CONSISTENCY),
  page("non-deterministic functions", NON_DETERMINISTIC, [[/^show rewriting/, UNCHANGED]]),
  page("backup", BACKUP, [
    [/^SQLite file, DELETE/, {
      reason: `fmt=delete ${LATER}`,
      muster: { status: 200, contentType: "application/octet-stream", body: /^SQLite format 3\W/ },
    }],
    [/^SQLite file/, {
      reason: GOES_BY_FORMAT,
      muster: { status: 200, contentType: "application/octet-stream", body: /^SQLite format 3\W/ },
    }],
    [/^compressed/, {
      reason: GOES_BY_FORMAT,
      muster: { status: 200, contentType: "application/octet-stream", body: /^\W\\ufffd/ },
    }],
    [/^SQL text of tables$/, {
      reason: `tables= ${LATER}`,
      muster: { status: 200, contentType: "application/sql", body: /^(?!.*INTO "foo").*CREATE TABLE bar \(a\);/s },
    }],
    [/^load /, LOADED_JSON],
    [/^boot with what is no/, {
      reason: `the check of the header ${LATER}`,
      muster: { status: 400, body: "invalid SQLite data\n" },
    }],
  ]),
  page("operating", OPERATING, [
    [/^nodes/, {
      reason: `the version of each node ${LATER} (Q13.1)`,
      muster: { body: (rqlite) => rqlite.replace(/("addr":( ?)"«cluster»",)(\s*)/g, `$1$3"version":$2"«version»",$3`) },
    }],
    [/^leader$/, { reason: `/leader ${LATER} (Q13.2)`, muster: { status: 200, body: /"leader": true/ } }],
    [/^transfer/, {
      reason: `/leader ${LATER} (Q13.2)`,
      muster: { status: 500, body: "stepdown: node not found in cluster\n" },
    }],
    [/^readyz(, in sync)?$/, DB_OK],
  ]),
];

/** The page on security; its pair needs {@linkcode AUTH_FILE}. */
export const DOCUMENTED_USERS: Theme = page("security", SECURITY, [[/^POST \/db\/load as bob/, LOADED_JSON]]);
