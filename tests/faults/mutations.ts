/**
 * Requests for every route of both APIs, valid ones and mutated ones, drawn from a seed: in their method, path, parameters,
 * headers, JSON, length, chunks and bytes.
 * @module
 */
import { ROUTES as V1_ROUTES } from "../../src/api/consul/router.ts";
import { ROUTES } from "../../src/api/rqlite/router.ts";
import { basic, bearer } from "../../src/app/users/credentials.ts";
import { Random } from "../harness/random.ts";
import { SERVICE_SAMPLES } from "./service_samples.ts";

/** The user who may do everything. */
export const ROOT = { username: "root", password: "a-s3cret", token: "c0ffee00-1111-2222-3333-444444444444" } as const;

/** A request as the bytes of a connection. */
export interface MutatedRequest {
  readonly bytes: Uint8Array;
  /** Whether the answer has no end, or one that waits for something to happen. */
  readonly isEndless: boolean;
}

interface Draft {
  method: string;
  path: string;
  params: [string, string][];
  headers: [string, string][];
  body: Uint8Array;
  chunks?: Uint8Array[];
  /** Whether it was drawn with credentials of the user who may do everything; they may be ruined afterwards. */
  readonly isTrusted: boolean;
}

interface Sample {
  readonly method: string;
  readonly path: string;
  readonly params?: readonly (readonly [string, string])[];
  readonly body?: unknown;
}

const EXECUTED = [
  [
    "INSERT INTO t(a) VALUES(?)",
    ["INSERT INTO t(a) VALUES(?)", "x"],
    ["UPDATE t SET a=:a WHERE rowid=:id", { a: 1.5, id: 3 }],
    ["INSERT INTO t VALUES(?) RETURNING *", null],
    "CREATE TABLE IF NOT EXISTS u(a INTEGER PRIMARY KEY, b BLOB DEFAULT (randomblob(4)))",
    ["DELETE FROM t WHERE rowid > ?", 50],
  ],
];
const QUERIED = [
  "SELECT * FROM t",
  ["SELECT a, typeof(a) FROM t WHERE a > ? LIMIT 5", 1],
  ["SELECT :a, :b", { a: true, b: [1, 2, 255] }],
  "PRAGMA table_info(t)",
];
const NODE = { Node: "n1", Address: "127.0.0.9", NodeMeta: { a: "b" }, TaggedAddresses: { lan: "127.0.0.9" } };
const SERVICE = { ...NODE, Service: { ID: "s1", Service: "web", Port: 80, Tags: ["a"] } };

/** Bodies and parameters of routes that take some, by path; the other ones have their path and method. */
const SAMPLES: Readonly<Record<string, readonly Omit<Sample, "path" | "method">[]>> = {
  "/db/execute": [{ body: EXECUTED[0] }, { body: EXECUTED[0], params: [["queue", ""], ["wait", ""]] }],
  "/db/query": [{ body: QUERIED }, { params: [["q", "SELECT * FROM t"], ["level", "strong"]] }],
  "/db/request": [{ body: [...EXECUTED[0], ...QUERIED], params: [["transaction", ""]] }],
  "/db/backup": [{ params: [["fmt", "sql"]] }, { params: [["compress", ""]] }, {}],
  "/db/load": [{ body: "CREATE TABLE IF NOT EXISTS u(a);\nINSERT INTO u VALUES(1);\n" }],
  "/boot": [{ body: "SQLite format 3\0 and no more" }],
  "/remove": [{ body: { id: "nobody" } }],
  "/leader": [{ params: [["wait", ""]] }, { body: { id: "nobody" } }],
  "/nodes": [{ params: [["ver", "2"], ["nonvoters", ""], ["timeout", "1s"]] }],
  "/readyz": [{ params: [["sync", ""], ["timeout", "1s"]] }, { params: [["noleader", ""]] }],
  "/status": [{ params: [["key", "store.raft"], ["pretty", ""]] }],
  "/snapshot": [{ params: [["trailing_logs", "100"]] }],
  "/v1/agent/force-leave/": [{ params: [["prune", ""]] }],
  "/v1/event/fire/": [{ body: "payload", params: [["node", "x"]] }],
  "/v1/event/list": [{ params: [["name", "x"]] }, { params: [["index", "1"], ["wait", "50ms"]] }],
  "/v1/operator/keyring": [{ body: { Key: "cg8StVXbQJ0gPvMd9o7yrg==" } }],
  "/v1/catalog/nodes": [
    { params: [["near", "_agent"], ["node-meta", "a:b"], ["filter", 'Node == "n1" and Meta.a != "x"']] },
    { params: [["index", "1"], ["wait", "50ms"], ["stale", ""]] },
  ],
  "/v1/catalog/register": [{ body: NODE }, { body: SERVICE }],
  "/v1/catalog/deregister": [{ body: { Node: "n1", ServiceID: "s1" } }],
  "/v1/health/state/": [{ params: [["filter", 'Status == "passing"']] }],
  ...SERVICE_SAMPLES,
  "/v1/operator/raft/peer": [{ params: [["id", "nobody"]] }, { params: [["address", "127.0.0.1:1"]] }],
  "/v1/operator/raft/transfer-leader": [{ params: [["id", "nobody"]] }],
};

/** Valid requests of all routes; at least one of each route and method. */
const VALID: readonly Sample[] = [...ROUTES, ...V1_ROUTES].flatMap(({ path, methods }) =>
  (methods.length > 0 ? methods : ["GET"]).flatMap((method) =>
    (SAMPLES[path] ?? [{}]).map((sample) => ({
      ...sample,
      method,
      path: path.startsWith("/v1/") && path.endsWith("/") ? `${path}n1` : path,
    }))
  )
);

const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", ""];
const NAMES = [
  ...[
    "level",
    "pretty",
    "timings",
    "associative",
    "blob_array",
    "transaction",
    "queue",
    "wait",
    "timeout",
    "q",
    "errors",
  ],
  ...["db_timeout", "freshness", "freshness_strict", "raft_index", "redirect", "retries", "fmt", "tables", "compress"],
  ...["index", "filter", "node-meta", "near", "dc", "stale", "consistent", "cached", "key", "ver", "nonvoters", "sync"],
];
const VALUES = [
  ...["", "0", "-1", "1e99", "9223372036854775808", "18446744073709551616", "1ns", "5ms", "-5s", "1h1h", "NaN", "none"],
  ...[
    "weak",
    "strong",
    "linearizable",
    "auto",
    "true",
    "null",
    "%",
    "%zz",
    "%00",
    "%ff%fe",
    "../../x",
    "a=b&c",
    "'\"`\\",
  ],
  ...["x".repeat(5000), "(".repeat(3000), "SELECT 1;", "\u{1f642}", "Node ==", "not ".repeat(500), "binary", "sql"],
];
const HEADERS: readonly (readonly [string, string])[] = [
  ["Content-Length", "0"],
  ["Content-Length", "-1"],
  ["Content-Length", "99999999999999999999"],
  ["Content-Length", "5, 5"],
  ["Transfer-Encoding", "chunked"],
  ["Transfer-Encoding", "gzip"],
  ["Expect", "100-continue"],
  ["Expect", "x"],
  ["Connection", "keep-alive"],
  ["Connection", "close, upgrade"],
  ["Upgrade", "h2c"],
  ["Host", ""],
  ["Host", "a, b"],
  ["Content-Type", "text/plain"],
  ["Content-Type", "application/octet-stream"],
  ["Content-Type", "multipart/form-data; boundary=x"],
  ["Content-Encoding", "gzip"],
  ["Accept-Encoding", "gzip, deflate, br;q=0"],
  ["Accept", "*/*;q=NaN"],
  ["X-Consul-Token", "\xff"],
  ["X-Consul-Query-Backend", "x"],
  ["If-None-Match", '"'],
  ["Range", "bytes=0-1"],
  ["X-Long", "y".repeat(20_000)],
  [" Folded", "x"],
  ["Bad Name", "x"],
  ["", "x"],
  ["Constructor", "__proto__"],
];
const JSON_VALUES: readonly unknown[] = [
  ...[null, true, 0, -1, 1.5, 1e308, 9007199254740993, "", "x", "\0", "\ud800", "x".repeat(10_000), [], {}, [[]], [[
    [],
  ]]],
  ...[{ a: {} }, ["SELECT 1"], ["SELECT ?", {}], ["SELECT ?", [1, 2, 300]], "SELECT", "COMMIT", "x'00ff'", "x'0"],
  ...["SELECT 1; SELECT 2", "--", ";", "SELECT json('[')", { __proto__: null }, { constructor: 1 }, "EXPLAIN SELECT 1"],
];
const CREDENTIALS = [
  "",
  basic(ROOT.username, "wrong"),
  basic("nobody", ""),
  "Basic !",
  "Basic",
  bearer("nobody-has-this-one"),
  "Bearer",
  "Digest x",
  "\xff",
];
const RIGHT_CREDENTIALS = [basic(ROOT.username, ROOT.password), bearer(ROOT.token)];

const utf8 = new TextEncoder();
/** One byte a character: what is beyond becomes UTF-8. */
function bytesOf(text: string): Uint8Array {
  // deno-lint-ignore no-control-regex -- the range of a byte
  return /^[\x00-\xff]*$/.test(text) ? Uint8Array.from(text, (char) => char.charCodeAt(0)) : utf8.encode(text);
}

/** Draws the requests of a seed. */
export class Mutator {
  readonly #random: Random;

  /** @param nth Which request of the seed: each can be drawn alone. */
  constructor(seed: number, nth: number) {
    this.#random = new Random(seed, nth);
  }

  /** A request; undefined where this one would end the node, or have it connect to others, as it should. */
  next(): MutatedRequest | undefined {
    const draft = this.#valid();
    const count = this.#random.below(4); // none: a valid request
    for (let at = 0; at < count; at++) this.#mutate(draft);
    let bytes = this.#written(draft);
    const ruined = count > 0 && this.#random.chance(0.3) ? this.#random.between(1, 4) : 0;
    for (let at = 0; at < ruined; at++) bytes = this.#ruined(bytes);
    const text = new TextDecoder("latin1").decode(bytes);
    if (draft.isTrusted && /agent\/+(leave|join)/i.test(text)) return undefined;
    return { bytes, isEndless: /monitor|wait|index/i.test(text) };
  }

  #of<T>(items: readonly T[]): T {
    const found = this.#random.pick(items);
    if (found === undefined) throw new RangeError("Cannot draw from an empty list");
    return found;
  }

  #valid(): Draft {
    const { method, path, params = [], body } = this.#of(VALID);
    const text = body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body);
    const isTrusted = this.#random.chance(0.85);
    const credentials = this.#of(isTrusted ? RIGHT_CREDENTIALS : CREDENTIALS);
    return {
      method,
      path,
      params: params.map(([name, value]) => [name, value]),
      headers: [
        ["Host", "h"],
        ...(credentials === "" ? [] : [["Authorization", credentials] as [string, string]]),
        ...(text === "" ? [] : [["Content-Type", "application/json"] as [string, string]]),
      ],
      body: utf8.encode(text),
      isTrusted,
    };
  }

  #mutate(draft: Draft): void {
    const random = this.#random;
    switch (random.below(8)) {
      case 0:
        draft.method = this.#of(METHODS);
        break;
      case 1:
        draft.path = this.#of([
          `${draft.path}/`,
          `${draft.path}${this.#of(VALUES)}`,
          draft.path.slice(0, random.below(draft.path.length + 1)),
          draft.path.toUpperCase(),
          draft.path.replaceAll("/", "//"),
          `http://h${draft.path}`,
          "*",
        ]);
        break;
      case 2:
        draft.params.splice(random.below(draft.params.length + 1), 0, [this.#of(NAMES), this.#of(VALUES)]);
        break;
      case 3: {
        const param = random.pick(draft.params);
        if (param) param[1] = this.#of(VALUES);
        break;
      }
      case 4: {
        const [name, value] = this.#of(HEADERS);
        draft.headers.splice(random.below(draft.headers.length + 1), 0, [name, value]);
        break;
      }
      case 5:
        draft.body = this.#otherJson(draft.body);
        break;
      case 6:
        draft.chunks = this.#chunked(draft.body);
        break;
      default: // a length that is not the body's
        draft.headers.push(["Content-Length", String(draft.body.length + random.between(-5, 5))]);
    }
  }

  /** Another value in the place of one within the JSON of a body. */
  #otherJson(body: Uint8Array): Uint8Array {
    let text = new TextDecoder().decode(body);
    try {
      const places: number[] = [];
      JSON.parse(text, function (_key, value) {
        places.push(0);
        return value;
      });
      const chosen = this.#random.below(places.length);
      let nth = 0;
      const value = this.#of(JSON_VALUES);
      text = JSON.stringify(JSON.parse(text, (_key, old) => nth++ === chosen ? value : old));
    } catch {
      text = JSON.stringify(this.#of(JSON_VALUES)); // it was none
    }
    return utf8.encode(text ?? "");
  }

  #chunked(body: Uint8Array): Uint8Array[] {
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < body.length;) {
      const length = this.#random.between(1, 40);
      const part = body.slice(at, at += length);
      const size = this.#random.chance(0.05) ? this.#of(["-1", "ffffffff", "0x1", "", "1;"]) : part.length.toString(16);
      chunks.push(utf8.encode(`${size}${this.#random.chance(0.1) ? ";a=b" : ""}\r\n`), part, utf8.encode("\r\n"));
    }
    if (this.#random.chance(0.95)) {
      chunks.push(utf8.encode(this.#random.chance(0.1) ? "0\r\nA: b\r\n\r\n" : "0\r\n\r\n"));
    }
    return chunks;
  }

  #written({ method, path, params, headers, body, chunks }: Draft): Uint8Array {
    const query = params.map(([name, value]) => `${name}=${this.#random.chance(0.9) ? encodeURI(value) : value}`);
    const target = query.length > 0 ? `${path}?${query.join("&")}` : path;
    const length: [string, string] = chunks
      ? ["Transfer-Encoding", "chunked"]
      : ["Content-Length", String(body.length)];
    const isLengthTold = headers.some(([name]) => name === "Content-Length");
    const lines = (isLengthTold ? headers : [...headers, length]).map(([name, value]) => `${name}: ${value}`);
    const head = bytesOf([`${method} ${target} HTTP/1.1`, ...lines, "Connection: close", "", ""].join("\r\n"));
    return new Uint8Array([head, ...(chunks ?? [body])].flatMap((part) => [...part]));
  }

  /** A few bytes changed, left out, added or repeated. */
  #ruined(bytes: Uint8Array): Uint8Array {
    const random = this.#random;
    const at = random.below(bytes.length + 1);
    const length = random.between(1, 8);
    const [before, behind] = [bytes.subarray(0, at), bytes.subarray(at)];
    const added = bytesOf(
      this.#of(["\0", "\r\n", "\n", "\xff\xfe", "%", "%00", " ", ":", '"', "[", "}", "\r\n\r\n", "9"]),
    );
    const parts = this.#of([
      [
        before,
        Uint8Array.from(behind.subarray(0, length), (byte) => byte ^ (1 << random.below(8))),
        behind.subarray(length),
      ],
      [before, behind.subarray(length)],
      [before, added, behind],
      [before, behind.subarray(0, length), behind],
      [before],
    ]);
    return new Uint8Array(parts.flatMap((part) => [...part]));
  }
}
