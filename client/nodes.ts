/**
 * Requests to a cluster: to the node that answered last, and to another one where that is safe.
 *
 * A request that reads, or that its caller calls idempotent, goes to the next node on any failure. A write goes there only
 * where nothing was done: the node says that it knows no leader, or that it is too busy. Where no answer came to a write, its
 * outcome is unknown, and the caller is told.
 * @module
 */
import { MusterError, UnavailableError, UnknownOutcomeError } from "./errors.ts";

/** How to reach a cluster. */
export interface ConnectOptions {
  /** Name and password of a user. */
  readonly user?: { readonly name: string; readonly password: string };
  /** A token, in the place of a user. */
  readonly token?: string;
  /** Time for a request with all its attempts, in milliseconds. @default {15000} */
  readonly timeoutMs?: number;
  /** In the place of the global `fetch`: for TLS, proxies, tests. */
  readonly fetch?: typeof fetch;
}

/** A request. */
export interface Asking {
  /** Of HTTP. */
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Path with its query. */
  readonly path: string;
  /** What is sent; JSON, or bytes. */
  readonly body?: string | Uint8Array<ArrayBuffer>;
  /** Whether it may be done twice. */
  readonly isIdempotent: boolean;
  /** Statuses besides those of 200 to 299 that are answers. */
  readonly answers?: readonly number[];
  /** Gives it up. */
  readonly signal?: AbortSignal | undefined;
  /** Further headers. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer that was read. */
export interface WholeAnswer {
  /** Of HTTP. */
  readonly status: number;
  /** Its body. */
  readonly text: string;
  /** Its headers. */
  readonly headers: Headers;
}

const TIMEOUT_MS = 15_000;
const PAUSE_MS = 50;
const PAUSE_MS_MAX = 1000;
/** A node that knows no leader, or is too busy: nothing was done. */
const NOT_NOW = 503;

/** The nodes of a cluster. */
export class Nodes {
  readonly #urls: readonly string[];
  readonly #headers: Readonly<Record<string, string>>;
  readonly #timeoutMs: number;
  readonly #fetch: typeof fetch;
  #current = 0;

  /** Nothing is sent yet. @throws {TypeError} When an address is none. */
  constructor(addresses: string | readonly string[], options: ConnectOptions) {
    const list = typeof addresses === "string" ? addresses.split(",") : addresses;
    this.#urls = list.map((address) => urlOf(address.trim()));
    if (this.#urls.length === 0) throw new TypeError("expected the address of a node, such as http://localhost:4001");
    const { user, token } = options;
    const pair = user && btoa(String.fromCharCode(...new TextEncoder().encode(`${user.name}:${user.password}`)));
    const authorization = token !== undefined ? `Bearer ${token}` : pair === undefined ? undefined : `Basic ${pair}`;
    this.#headers = authorization === undefined ? {} : { Authorization: authorization };
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#fetch = options.fetch ?? fetch;
  }

  /**
   * Asks, and reads the whole answer. One that `isToRetry` is a refusal for the moment.
   * @throws {UnavailableError} When nobody could be asked in time.
   * @throws {UnknownOutcomeError} When no answer came to a write.
   * @throws {MusterError} When the answer is a refusal.
   */
  async ask(asking: Asking, isToRetry: (text: string) => boolean = () => false): Promise<WholeAnswer> {
    const deadline = performance.now() + this.#timeoutMs;
    for (;;) {
      const answer = await this.#whole(asking, deadline - performance.now());
      if (performance.now() + PAUSE_MS >= deadline || !isToRetry(answer.text)) return answer;
      this.#current++;
      await pause(PAUSE_MS, asking.signal);
    }
  }

  async #whole(asking: Asking, leftMs: number): Promise<WholeAnswer> {
    const response = await this.open(asking, leftMs);
    try {
      return { status: response.status, text: await response.text(), headers: response.headers };
    } catch (cause) {
      if (asking.isIdempotent) throw new UnavailableError("the answer broke off", { cause });
      throw new UnknownOutcomeError("the answer broke off: the write may or may not have taken effect", { cause });
    }
  }

  /** Asks; the answer is still to be read. @throws As {@linkcode Nodes.ask}. */
  async open(asking: Asking, timeoutMs: number = this.#timeoutMs): Promise<Response> {
    const deadline = performance.now() + timeoutMs;
    let why = "no node was asked";
    for (let attempt = 0;; attempt++) {
      const left = deadline - performance.now();
      if (attempt > 0 && left <= 0) throw new UnavailableError(`no answer within ${Math.round(timeoutMs)} ms: ${why}`);
      const url = this.#urls[this.#current % this.#urls.length];
      const found = await this.#attempt(url, asking, left);
      if (found instanceof Response) return found;
      why = `${url}: ${found}`;
      this.#current++;
      // One round at once, then with pauses: an election takes a moment.
      const rounds = Math.floor((attempt + 1) / this.#urls.length);
      if (rounds > 0) {
        await pause(
          Math.min(PAUSE_MS_MAX, PAUSE_MS * 2 ** Math.min(rounds, 10), Math.max(0, deadline - performance.now())),
          asking.signal,
        );
      }
    }
  }

  /** The answer; or why another node is to be asked. */
  async #attempt(url: string, asking: Asking, leftMs: number): Promise<Response | string> {
    const { method, path, body, isIdempotent, answers = [], signal, headers } = asking;
    const timer = new AbortController();
    const timeout = setTimeout(() => timer.abort(new Error("no answer in time")), leftMs);
    let response: Response;
    try {
      response = await this.#fetch(url + path, {
        method,
        headers: {
          ...(body === undefined ? {} : { "Content-Type": "application/json" }),
          ...headers,
          ...this.#headers,
        },
        ...(body === undefined ? {} : { body }),
        signal: signal ? AbortSignal.any([signal, timer.signal]) : timer.signal,
      });
    } catch (cause) {
      if (signal?.aborted) throw signal.reason;
      if (isIdempotent || isUnsent(cause)) return messageOf(cause);
      throw new UnknownOutcomeError(`no answer from ${url}: the write may or may not have taken effect`, { cause });
    } finally {
      clearTimeout(timeout);
    }
    if (response.ok || answers.includes(response.status)) return response;
    const text = (await response.text()).trim() || response.statusText;
    if (response.status === NOT_NOW || isIdempotent && response.status >= 500) return `${response.status} ${text}`;
    if (response.status >= 500) throw new UnknownOutcomeError(text, { status: response.status });
    throw new MusterError(text, { status: response.status });
  }
}

/** Whether a connection could not be had, so that nothing was sent. */
function isUnsent(error: unknown): boolean {
  const texts: string[] = [];
  for (let at = error; at instanceof Error; at = at.cause) texts.push(`${at.message} ${"code" in at ? at.code : ""}`);
  return /refused|ECONNREFUSED|ENOTFOUND|EHOSTUNREACH|dns error|failed to lookup/i.test(texts.join(" "));
}

function urlOf(address: string): string {
  const url = URL.parse?.(/^https?:\/\//.test(address) ? address : `http://${address}`);
  if (!url || url.host === "") {
    throw new TypeError(
      `expected the address of a node, such as http://localhost:4001, found ${JSON.stringify(address)}`,
    );
  }
  return url.href.replace(/\/$/, "");
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Resolves after a while. @throws What a signal was aborted with. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
