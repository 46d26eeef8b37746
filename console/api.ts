/**
 * The way to the node: requests to the public API, with the credentials of whoever has signed in. Addresses are relative to
 * the page, so that it works behind a reverse proxy that serves the node below a path.
 * @module
 */
import { inDatacenter } from "./consul/datacenter.ts";
import { parseJson } from "./json.ts";
import { Store } from "./store.ts";

/** Headers by which the user has signed in; empty: by none, or in the browser's own way. */
export type Credentials = Readonly<Record<string, string>>;

/** What the user has signed in with. It is kept for as long as the tab is open, and nowhere else. */
export const credentials = new Store<Credentials>(keptCredentials());

/** Counts refusals (401, 403): whoever has signed in may have lost what they signed in with. */
export const refusals = new Store(0);

const KEPT = "muster.credentials";

function keptCredentials(): Credentials {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem("muster.credentials") ?? "{}");
    if (typeof kept !== "object" || kept === null) return {};
    return Object.fromEntries(Object.entries(kept).filter(([, value]) => typeof value === "string"));
  } catch {
    return {}; // a browser that keeps nothing
  }
}

/** Signs in with other headers, or out with none. */
export function useCredentials(shown: Credentials): void {
  try {
    if (Object.keys(shown).length === 0) sessionStorage.removeItem(KEPT);
    else sessionStorage.setItem(KEPT, JSON.stringify(shown));
  } catch {
    // they are kept by the page alone, then
  }
  credentials.value = shown;
}

/** The headers of a user with a password. */
export function basicCredentials(username: string, password: string): Credentials {
  const bytes = new TextEncoder().encode(`${username}:${password}`);
  return { Authorization: `Basic ${btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))}` };
}

/** The node refused a request, or could not be asked (status 0). */
export class ApiError extends Error {
  /** Always `ApiError`. */
  override readonly name = "ApiError";
  readonly status: number;
  /** Index of Consul's API, of what is not there; null: none was told. */
  readonly index: string | null;

  constructor(status: number, message: string, index: string | null = null) {
    super(message);
    this.status = status;
    this.index = index;
  }
}

/** Of a request. */
export interface AskOptions {
  readonly method?: string;
  /** A text is JSON. */
  readonly body?: string | Blob;
  readonly signal?: AbortSignal | undefined;
}

/** The address of something of the API, such as `db/query`; of the datacenter that is shown. */
export function addressOf(path: string): string {
  return new URL(`../${inDatacenter(path)}`, document.baseURI).href;
}

/**
 * Sends a request.
 * @throws {ApiError} When it is refused, or the node does not answer.
 */
export async function ask(path: string, { method = "GET", body, signal }: AskOptions = {}): Promise<Response> {
  const isSignedIn = Object.keys(credentials.value).length > 0;
  let response: Response;
  try {
    response = await fetch(addressOf(path), {
      method,
      headers: {
        ...credentials.value,
        ...(typeof body === "string" ? { "Content-Type": "application/json" } : {}),
        ...(body instanceof Blob ? { "Content-Type": "application/octet-stream" } : {}),
      },
      ...(body === undefined ? {} : { body }),
      // The browser must not ask for a password by itself where the page has one.
      credentials: isSignedIn ? "omit" : "same-origin",
      cache: "no-store",
      ...(signal ? { signal } : {}),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, "The node does not answer");
  }
  if (response.ok) return response;
  const text = (await response.text()).trim();
  if (response.status === 401 || response.status === 403) refusals.value++;
  throw new ApiError(response.status, text || wordsOf(response.status), response.headers.get("X-Consul-Index"));
}

function wordsOf(status: number): string {
  if (status === 401) return "This needs a user who may do it: sign in";
  return `The node answered with status ${status}`;
}

/** Asks for JSON. @throws {ApiError} */
export async function askJson(path: string, options?: AskOptions): Promise<unknown> {
  return parseJson(await (await ask(path, options)).text());
}

/** An event of a stream. */
export interface StreamEvent {
  readonly event: string;
  readonly data: unknown;
}

/**
 * The server-sent events of a stream (WHATWG HTML §9.2). An EventSource shows no credentials, so they are read here.
 * @throws {ApiError} When it is refused; it ends without an error where the node ends it.
 */
export async function* follow(path: string, options: AskOptions): AsyncGenerator<StreamEvent> {
  const { body } = await ask(path, options);
  if (!body) return;
  let event = "";
  let rest = "";
  for await (const piece of piecesOf(body.pipeThrough(new TextDecoderStream()))) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith("event: ")) event = line.slice(7);
      else if (line.startsWith("data: ")) yield { event: event || "message", data: parseJson(line.slice(6)) };
      else if (line === "") event = "";
    }
  }
}

/** Not every browser lets a stream be iterated. */
async function* piecesOf(stream: ReadableStream<string>): AsyncGenerator<string> {
  const reader = stream.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    reader.cancel().catch(() => {}); // it has ended already
  }
}
