/**
 * A comparison: a request that muster and rqlite must answer identically, or differently for a stated reason.
 * @module
 */

/** One HTTP request. */
export interface Call {
  readonly method: string;
  /** Path and query string. */
  readonly path: string;
  /** Sent as it is. */
  readonly body?: Uint8Array;
  /** @default {"application/json"} where there is a body */
  readonly contentType?: string;
  /** Name and password, with a colon between them. */
  readonly user?: string;
}

/** Part of an answer, as far as it is compared. */
export interface Expected {
  /** Status code. */
  readonly status?: number;
  /** The body, normalised; what it must match; or how it follows from rqlite's. */
  readonly body?: string | RegExp | ((rqlite: string) => string);
  /** Value of Content-Type. */
  readonly contentType?: string;
}

/** A difference that is meant to be. */
export interface Intended {
  /** Why muster answers otherwise. */
  readonly reason: string;
  /** The answer expected of muster. */
  readonly muster: Expected;
}

/** One comparison. */
export interface Case {
  /** The subject of the case; unique within its theme. */
  readonly name: string;
  /** Statements run before, on an empty database; without it the database is left as the case before left it. */
  readonly setup?: readonly unknown[];
  /** The request that is compared. */
  readonly request: Call;
  /** Set where the answers are meant to differ; that they do is part of the test. */
  readonly intended?: Intended;
}

/** Intended differences of the cases whose names match. */
export type Rule = readonly [names: RegExp, intended: Intended];

/**
 * The cases, with their intended differences.
 * @throws {Error} When a rule matches no case.
 */
export function intend(cases: readonly Case[], rules: readonly Rule[]): readonly Case[] {
  const idle = rules.find(([names]) => !cases.some(({ name }) => names.test(name)));
  if (idle !== undefined) throw new Error(`No case is called ${idle[0]}`);
  return cases.map((one) => {
    const rule = rules.find(([names]) => names.test(one.name));
    return rule === undefined ? one : { ...one, intended: rule[1] };
  });
}

/** The optional parts of a case. */
export type CaseOptions = Pick<Case, "setup" | "intended">;

/** Cases about one subject. */
export interface Theme {
  /** The subject of the cases. */
  readonly name: string;
  /** In the order in which they run. */
  readonly cases: readonly Case[];
}

const utf8 = new TextEncoder();

/** A `POST`; a text or bytes are sent as they are, anything else as JSON. */
export function post(path: string, body?: unknown, contentType = "application/json"): Call {
  if (body === undefined) return { method: "POST", path };
  if (body instanceof Uint8Array) return { method: "POST", path, body: new Uint8Array(body), contentType };
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return { method: "POST", path, body: utf8.encode(text), contentType };
}

/** A `GET`. */
export function get(path: string): Call {
  return { method: "GET", path };
}

/** A `GET /db/query` of one SQL text. */
export function getQuery(sql: string, parameters = ""): Call {
  return get(`/db/query?q=${encodeURIComponent(sql)}${parameters === "" ? "" : `&${parameters}`}`);
}

/** A case that posts statements to `/db/execute`. */
export function execute(name: string, statements: readonly unknown[], options: CaseOptions & Parameters = {}): Case {
  return data("execute", name, statements, options);
}

/** A case that posts statements to `/db/query`. */
export function query(name: string, statements: readonly unknown[], options: CaseOptions & Parameters = {}): Case {
  return data("query", name, statements, options);
}

/** A case that posts statements to `/db/request`. */
export function unified(name: string, statements: readonly unknown[], options: CaseOptions & Parameters = {}): Case {
  return data("request", name, statements, options);
}

/** The query string of a case. */
interface Parameters {
  /** Without `?`. */
  readonly parameters?: string;
}

function data(
  endpoint: string,
  name: string,
  statements: readonly unknown[],
  { parameters, ...options }: CaseOptions & Parameters,
): Case {
  const path = `/db/${endpoint}${parameters === undefined ? "" : `?${parameters}`}`;
  return { name: `${endpoint}: ${name}`, request: post(path, statements), ...options };
}

/** Body of an answer with one result of rows. */
export function result(columns: readonly string[], types: readonly string[], values: readonly unknown[]): string {
  return JSON.stringify({ results: [{ columns, types, values }] });
}
