/**
 * A client of an agent's HTTP API for the commands (C3.1 to C3.10): its address, its requests, its error messages.
 * @module
 */
import type { Flags, FlagSpec } from "../config/flags.ts";
import { basic } from "../../app/users/credentials.ts";
import { httpClient, proxyFor } from "./proxy.ts";
import { tlsFetch } from "./tls_fetch.ts";
import { socketPath } from "../../base/codec/address.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** Default addresses of an agent and of a node of `muster serve`. */
const ADDRESSES = ["127.0.0.1:8500", "localhost:4001"];
const TIMEOUT_MS = 60_000;

const flag = (name: string, value: string, help: string, supported = true): FlagSpec => ({
  name,
  kind: "string",
  value,
  help,
  supported,
});

/** Flags of every client command. */
export const API_FLAGS: readonly FlagSpec[] = [
  flag(
    "http-addr",
    "",
    "Address of the agent; MUSTER_HTTP_ADDR and CONSUL_HTTP_ADDR say it, too (default 127.0.0.1:8500). Of several, with " +
      "commas between, the first where somebody listens is asked. NAME:PASSWORD@ before it is a user. " +
      "https://, or CONSUL_HTTP_SSL=true, for HTTPS; unix://PATH for a Unix socket",
  ),
  flag(
    "token",
    "",
    "Token to send with the request; also CONSUL_HTTP_TOKEN. Without one, CONSUL_HTTP_AUTH may have USER:PASSWORD",
  ),
  flag("token-file", "", "File that holds the token; also CONSUL_HTTP_TOKEN_FILE"),
  flag("ca-file", "", "File with the only CA certificates to trust for https://; also CONSUL_CACERT"),
  flag("ca-path", "", "Directory of CA certificates to trust for https://; also CONSUL_CAPATH"),
  flag("client-cert", "", "Certificate to show to https://, PEM; also CONSUL_CLIENT_CERT"),
  flag("client-key", "", "Its key; also CONSUL_CLIENT_KEY"),
  flag("tls-server-name", "", "Name to expect in the agent's certificate; also CONSUL_TLS_SERVER_NAME"),
];

/** Flags of commands that servers answer. */
export const SERVER_FLAGS: readonly FlagSpec[] = [
  flag("datacenter", "", "Name of the datacenter"),
  {
    name: "stale",
    kind: "bool",
    value: "false",
    help: "Let any server answer, even without a leader",
    supported: true,
  },
];

/** The agent answered with an error, or not at all; the message is for people. */
export class ApiError extends Error {
  /** Always `ApiError`. */
  override readonly name = "ApiError";
  /** Status of the answer; undefined when there was none. */
  readonly status: number | undefined;

  /** @param message For people. */
  constructor(message: string, status?: number) {
    super(message);
    this.status = status;
  }
}

/** The header for `USER:PASSWORD`. */
function basicOf(user: string): string {
  const [name, ...password] = user.split(":");
  return basic(name, password.join(":"));
}

/** How a request is sent. */
export interface Asking {
  readonly body?: string | Uint8Array<ArrayBuffer>;
  /** Gives the request up. */
  readonly signal?: AbortSignal;
  /** Time limit. @default {60 s} */
  readonly timeoutMs?: number;
}

/** A whole answer. */
export interface Answer {
  readonly status: number;
  /** Of the state that it shows; `0` where it has none. */
  readonly index: string;
  readonly text: string;
}

/** An address of an agent, and how requests get there. */
interface Way {
  /** Origin of its URLs. */
  readonly base: string;
  /** The header for the user in the address, who counts before that of the environment; undefined without one. */
  readonly authorization: string | undefined;
  /** Address of the proxy that is asked instead. */
  readonly proxy: string | undefined;
  readonly client: Deno.HttpClient;
}

/** What another agent than that of the flags is asked by. */
export interface OtherAgent {
  /** In place of that of the flags and the environment. */
  readonly address?: string;
  /** Ends the path of each request, with its `?`; the paths have none then. */
  readonly query?: string;
  /** The header for its user, where the address names none. */
  readonly authorization?: string;
}

/** A way to an agent. */
export class AgentApi {
  /** The agent's, as `-http-addr` takes it; of the default ones the first. */
  readonly address: string;
  readonly #ways: readonly Way[];
  readonly #headers: Readonly<Record<string, string>>;
  readonly #query: string;
  /** With certificates of the operator's own. */
  readonly #tlsFetch: ReturnType<typeof tlsFetch> | undefined;
  readonly #flags: Flags;
  readonly #other: OtherAgent;
  /** Whether nothing says where the agent is. */
  readonly #isDefault: boolean;

  /** @throws {ApiError} When the address or the token cannot be used. */
  constructor(flags: Flags, other: OtherAgent = {}) {
    this.#flags = flags;
    this.#other = other;
    this.#query = other.query ?? "";
    const given = other.address || flags.string("http-addr") || Deno.env.get("MUSTER_HTTP_ADDR") ||
      Deno.env.get("CONSUL_HTTP_ADDR");
    const addresses = given ? given.split(",").map((one) => one.trim()).filter((one) => one !== "") : ADDRESSES;
    this.address = addresses[0] ?? ADDRESSES[0];
    this.#isDefault = !given;
    this.#ways = addresses.map((one) => wayTo(one, other.authorization));
    this.#tlsFetch = tlsFetchOf(flags, this.#ways[0].proxy);
    const token = tokenOf(flags);
    const user = Deno.env.get("CONSUL_HTTP_AUTH") ?? "";
    this.#headers = token !== "" ? { "X-Consul-Token": token } : user === "" ? {} : { Authorization: basicOf(user) };
  }

  /** The same at another address. */
  at(address: string): AgentApi {
    const { authorization } = this.#ways[0];
    return new AgentApi(this.#flags, { ...this.#other, address, ...(authorization ? { authorization } : {}) });
  }

  #fetch({ base, client, authorization }: Way, path: string, init: RequestInit): Promise<Response> {
    const url = base + path + this.#query;
    const headers = authorization === undefined ? this.#headers : { ...this.#headers, Authorization: authorization };
    const withHeaders = { ...init, headers };
    if (url.startsWith("https:") && this.#tlsFetch) return this.#tlsFetch(url, withHeaders);
    return fetch(url, { ...withHeaders, client });
  }

  /**
   * Sends a request: to the next address only where the one before cannot have got it, as nobody listens there.
   * @throws {ApiError} When nobody answers, or the answer is an error.
   */
  async send(method: string, path: string, body?: string | Uint8Array<ArrayBuffer>): Promise<Response> {
    return await this.ask(method, path, { body });
  }

  /**
   * The same with a limit of its own.
   * @param others Statuses of answers that are no errors to the caller.
   * @throws {ApiError} When nobody answers, or the answer is an error.
   */
  async ask(
    method: string,
    path: string,
    { body, signal, timeoutMs = TIMEOUT_MS }: Asking = {},
    others: readonly number[] = [],
  ): Promise<Response> {
    let failure: unknown;
    for (const way of this.#ways) {
      let response: Response;
      try {
        const limit = AbortSignal.timeout(timeoutMs);
        const given = { method, signal: signal ? AbortSignal.any([signal, limit]) : limit };
        response = await this.#fetch(way, path, { ...given, ...(body ? { body } : {}) });
      } catch (error) {
        failure = error;
        if (isUnsent(error)) continue;
        break;
      }
      if (response.ok || others.includes(response.status)) return response;
      throw await unexpected(response, way);
    }
    throw new ApiError(this.#adviceOn(failure, "agent", this.#ways));
  }

  /**
   * The same with the whole answer.
   * @throws {ApiError} When nobody answers, the answer breaks off, or it is an error.
   */
  async askText(method: string, path: string, asking: Asking = {}, others: readonly number[] = []): Promise<Answer> {
    const response = await this.ask(method, path, asking, others);
    try {
      const { status, headers } = response;
      const index = headers.get("x-consul-index") ?? "";
      return { status, index: /^\d{1,20}$/.test(index) ? index : "0", text: await response.text() };
    } catch (error) {
      throw new ApiError(this.#whyOf(error));
    }
  }

  /**
   * Reads a state that may not be there.
   * @returns Its text; undefined where there is none, which is 404 without a word. Of a path that is not there, a node that is no
   * agent has words.
   * @throws {ApiError} As `askText` does.
   */
  async askState(path: string, asking: Asking = {}): Promise<{ index: string; text: string | undefined }> {
    const { status, index, text } = await this.askText("GET", path, asking, [404]);
    if (status !== 404) return { index, text };
    if (text.trim() === "") return { index, text: undefined };
    throw new ApiError(`Unexpected response code: 404 (${text.trim()})`, status);
  }

  /** Why no answer came, and the proxy that was asked for it. */
  #whyOf(failure: unknown): string {
    const cause = failure instanceof Error && failure.cause instanceof Error ? failure.cause : failure;
    return `${messageOf(cause)}${byProxy(this.#ways[0])}`;
  }

  /** Why no answer came in the end, where else it was tried, and the next step. */
  #adviceOn(failure: unknown, what: "agent" | "node", tried: readonly Way[]): string {
    const why = this.#whyOf(failure);
    const before = isUnsent(failure) ? tried.slice(0, -1).map(({ base }) => new URL(base).host) : [];
    const standard = (host: string) => host === ADDRESSES[0] ? "an agent" : "a node of muster serve";
    const places = before.map((host) => this.#isDefault ? `${host}, where ${standard(host)} is by default` : host);
    const others = places.length === 0 ? "" : `, nor does anybody answer at ${places.join(", ")}`;
    const shows = Boolean(this.#flags.string("client-cert") || Deno.env.get("CONSUL_CLIENT_CERT"));
    const isTls = this.#ways.some(({ base }) => base.startsWith("https:"));
    const advice = (isTls ? certificateAdvice(why, shows) : undefined) ?? protocolAdvice(why) ??
      `is ${what === "agent" ? "an agent" : "a node"} running there? -http-addr or MUSTER_HTTP_ADDR says where it is`;
    return `${why}${others}; ${advice}`;
  }

  /**
   * Sends a request whose body or answer is long: its time is not limited, and a node of `muster serve` comes first.
   * @throws {ApiError} When nobody answers, or the answer is an error.
   */
  async stream(method: string, path: string, body?: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<Response> {
    let failure: unknown;
    for (const way of this.#ways.toReversed()) {
      try {
        const response = await this.#fetch(way, path, { method, ...(body ? { body } : {}) });
        if (response.ok) return response;
        throw new ApiError(`the node answers ${response.status}: ${(await response.text()).trim()}`);
      } catch (error) {
        failure = error;
        if (!isUnsent(error) || body?.locked) break;
      }
    }
    if (failure instanceof ApiError) throw failure;
    throw new ApiError(this.#adviceOn(failure, "node", this.#ways.toReversed()));
  }

  /** Gets JSON; what it holds is for the caller to look at. */
  async get(path: string): Promise<unknown> {
    return await this.json("GET", path);
  }

  /**
   * Sends a request whose answer is JSON.
   * @throws {ApiError} When nobody answers, the answer is an error, or it is no JSON.
   */
  async json(method: string, path: string, body?: string): Promise<unknown> {
    const { text } = await this.askText(method, path, { body });
    return answerIn(text, JSON.parse);
  }

  /** Follows what the agent sends until it ends, or `signal` is aborted; no time limit. */
  async *follow(path: string, signal: AbortSignal): AsyncGenerator<string> {
    let response: Response | undefined;
    let failure: unknown;
    for (const way of this.#ways) {
      response ??= await this.#fetch(way, path, { signal }).catch((error) => {
        failure = error;
        return undefined;
      });
    }
    if (!response) throw new ApiError(this.#whyOf(failure));
    if (!response.ok) throw await unexpected(response, this.#ways[0]);
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) yield decoder.decode(chunk, { stream: true });
  }
}

/** What `read` makes of an answer. @throws {ApiError} When it fails. */
export function answerIn<T>(text: string, read: (text: string) => T): T {
  try {
    return read(text);
  } catch (error) {
    throw unlikeAgents(messageOf(error));
  }
}

/** The results of statements in an answer. @throws {ApiError} When it has none. */
export function resultsIn(answer: unknown): readonly unknown[] {
  const results = fieldOf(answer, "results");
  if (!Array.isArray(results)) throw unlikeAgents("expected results");
  return results;
}

/** The error for an answer that is like none of an agent. */
export function unlikeAgents(why: string): ApiError {
  return new ApiError(`the answer is not that of an agent (${why}): is http-addr right?`);
}

function wayTo(address: string, otherwise: string | undefined): Way {
  const path = socketPath(address);
  if (path !== undefined) {
    const client = httpClient({ transport: "unix", path });
    return { base: "http://localhost", authorization: otherwise, proxy: undefined, client };
  }
  const url = urlOf(address);
  const base = url.origin;
  const authorization = userOf(url) ?? otherwise;
  const proxy = proxyFor(new URL(base), (name) => Deno.env.get(name));
  try {
    return { base, authorization, proxy, client: httpClient(proxy) };
  } catch (error) {
    throw new ApiError(`Cannot use the proxy ${withoutPassword(proxy ?? "")} for ${base}: ${messageOf(error)}`);
  }
}

/** Tells of the proxy between here and the agent: its answers look like the agent's. */
function byProxy({ proxy }: Way): string {
  return proxy === undefined ? "" : ` (asked through the proxy ${withoutPassword(proxy)} of the environment)`;
}

function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@/]*@/, "//");
}

/** The next step where a connection by TLS ended early: a server says no more to a client whose certificate it does not take. */
function certificateAdvice(why: string, shows: boolean): string | undefined {
  if (!/socket hang up|ECONNRESET|connection reset|close_notify|alert|handshake failure/i.test(why)) return undefined;
  return shows
    ? "the node may not take the certificate of -client-cert: it needs one of an authority in its -http-ca-cert"
    : "the node may ask for a certificate: show one with -client-cert and -client-key";
}

/** The next step where the two ends do not understand each other. */
function protocolAdvice(why: string): string | undefined {
  if (/UnknownIssuer|invalid peer certificate/.test(why)) return "name the authority of its certificate with -ca-file";
  if (/invalid HTTP version|InvalidContentType|corrupt message/.test(why)) {
    return "one end speaks HTTPS and the other HTTP: begin -http-addr with https:// or http:// as the node does";
  }
  return undefined;
}

/** A node says no more to whoever it does not know. */
const UNAUTHORIZED =
  "no credentials were shown, wrong ones, or ones that lack the permission: show a token with -token or " +
  "CONSUL_HTTP_TOKEN, or a user in CONSUL_HTTP_AUTH=NAME:PASSWORD or before the address, NAME:PASSWORD@HOST:PORT";

async function unexpected(response: Response, way: Way): Promise<ApiError> {
  const text = (await response.text()).trim() || (response.status === 401 ? UNAUTHORIZED : "");
  return new ApiError(`Unexpected response code: ${response.status} (${text})${byProxy(way)}`, response.status);
}

/** Whether no connection could be made: in the runtime's words, as it has no class for it. */
function isUnsent(error: unknown): boolean {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof Error && "code" in cause) return cause.code === "ECONNREFUSED" || cause.code === "ENOTFOUND";
  return messageOf(cause).includes("client error (Connect)");
}

function urlOf(address: string): URL {
  const isTls = /^(1|t|true)$/i.test(Deno.env.get("CONSUL_HTTP_SSL") ?? "");
  const withScheme = /^https?:\/\//.test(address) ? address : `${isTls ? "https" : "http"}://${address}`;
  const url = URL.parse(withScheme);
  if (url) return url;
  const shown = address.replace(/^(https?:\/\/)?.*@/s, "$1"); // without a password
  throw new ApiError(`Cannot use "${shown}" as the address of an agent: expected host:port`);
}

/** The header for the user in an address. @throws {ApiError} When it cannot be read; without a password. */
function userOf({ username, password, host }: URL): string | undefined {
  if (username === "" && password === "") return undefined;
  try {
    return basic(decodeURIComponent(username), decodeURIComponent(password));
  } catch {
    throw new ApiError(
      `Cannot read the user in the address of ${host}: write a % in it as %25, or use CONSUL_HTTP_AUTH=NAME:PASSWORD`,
    );
  }
}

/** A way to `https:` with the certificates of the flags and the environment; undefined where they name none. */
function tlsFetchOf(flags: Flags, proxy: string | undefined): ReturnType<typeof tlsFetch> | undefined {
  const named = (name: string, variable: string) => flags.string(name) || Deno.env.get(variable) || "";
  const pem = (file: string) => file === "" ? undefined : Deno.readTextFileSync(file);
  try {
    const caFile = named("ca-file", "CONSUL_CACERT");
    const caPath = named("ca-path", "CONSUL_CAPATH");
    const ca = caFile !== "" ? [Deno.readTextFileSync(caFile)] : caPath !== "" ? certificatesIn(caPath) : [];
    const cert = pem(named("client-cert", "CONSUL_CLIENT_CERT"));
    const key = pem(named("client-key", "CONSUL_CLIENT_KEY"));
    const serverName = named("tls-server-name", "CONSUL_TLS_SERVER_NAME");
    if ((cert === undefined) !== (key === undefined)) throw new Error("-client-cert and -client-key belong together");
    if (ca.length === 0 && cert === undefined && serverName === "") return undefined;
    const identity = cert !== undefined && key !== undefined ? { cert, key } : undefined;
    return tlsFetch({ ca, identity, serverName, proxy });
  } catch (error) {
    throw new ApiError(`Cannot use the certificates: ${messageOf(error)}`);
  }
}

function certificatesIn(directory: string): string[] {
  const texts = [...Deno.readDirSync(directory)].filter(({ isDirectory }) => !isDirectory)
    .map(({ name }) => Deno.readTextFileSync(`${directory}/${name}`))
    .filter((text) => text.includes("-----BEGIN CERTIFICATE-----"));
  if (texts.length === 0) throw new Error(`${directory} holds no certificate`);
  return texts;
}

function tokenOf(flags: Flags): string {
  const file = flags.string("token-file") || Deno.env.get("CONSUL_HTTP_TOKEN_FILE");
  if (flags.string("token") !== "") return flags.string("token");
  if (!file) return Deno.env.get("CONSUL_HTTP_TOKEN") ?? "";
  try {
    return Deno.readTextFileSync(file).trim();
  } catch (error) {
    throw new ApiError(`Cannot read the token file ${file}: ${messageOf(error)}`);
  }
}

/** The query string for the flags of servers, with a `?` in front; empty for none. */
export function serverQuery(flags: Flags, more: Readonly<Record<string, string | readonly string[]>> = {}): string {
  const parts = Object.entries(more).flatMap(([name, value]) =>
    [value].flat().filter((one) => one !== "").map((one) => `${name}=${encodeURIComponent(one)}`)
  );
  if (flags.bool("stale")) parts.push("stale");
  if (flags.string("datacenter") !== "") parts.push(`dc=${encodeURIComponent(flags.string("datacenter"))}`);
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

/** A field of an object from outside as text; empty where it is none. */
export function text(value: unknown, name: string): string {
  const field = fieldOf(value, name);
  return typeof field === "string" || typeof field === "number" || typeof field === "boolean" ? String(field) : "";
}

/** A field of an object from outside. */
export function fieldOf(value: unknown, name: string): unknown {
  return entries(value).find(([key]) => key === name)?.[1];
}

/** A list from outside. @throws {TypeError} When it is none. */
export function wholeList(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError("expected a list");
  return value;
}

/** A list from outside; empty where it is none. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Fields of an object from outside; none where it is no object. */
export function entries(value: unknown): [name: string, value: unknown][] {
  return typeof value === "object" && value !== null ? Object.entries(value) : [];
}

/** Pairs of an object from outside, sorted by name, values as text. */
export function pairs(value: unknown): [name: string, value: string][] {
  return entries(value).map(([name, one]): [string, string] => [name, String(one)]).sort(([a], [b]) => a < b ? -1 : 1);
}

/** Columns left-aligned, padded to the widest cell, `gap` spaces between. */
export function table(rows: readonly (readonly string[])[], gap = 2): string {
  const widths = rows[0].map((_, at) => Math.max(...rows.map((row) => row[at].length)));
  return rows.map((row) =>
    row.map((cell, at) => at === row.length - 1 ? cell : cell.padEnd(widths[at])).join(" ".repeat(gap))
  )
    .join("\n");
}
