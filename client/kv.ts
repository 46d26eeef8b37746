/**
 * Keys and locks, of clusters with agents (docs/kv.md).
 * @module
 */
import { MusterError } from "./errors.ts";
import { type Nodes, pause } from "./nodes.ts";

/** A key with its value. */
export interface KvEntry {
  /** Its name. */
  readonly key: string;
  /** Its value; empty for none. */
  readonly value: Uint8Array;
  /** Index of its last change, for compare-and-set. */
  readonly index: number;
  /** When it is deleted; undefined: it has no time to live. */
  readonly expiresAt: Date | undefined;
}

/** How a key is written. */
export interface KvPut {
  /** Writes only if the key was last changed at this index; 0: only if there is none. */
  readonly ifIndex?: number;
  /** Time to live, in milliseconds. */
  readonly ttlMs?: number;
}

/** Keys and their values. */
export class Kv {
  readonly #nodes: Nodes;

  /** See {@linkcode Client.kv}. */
  constructor(nodes: Nodes) {
    this.#nodes = nodes;
  }

  /** A key; undefined where there is none. */
  async get(key: string): Promise<KvEntry | undefined> {
    return (await this.#read(`/v1/kv/${pathOf(key)}`))[0];
  }

  /** All keys with a prefix, sorted. */
  async list(prefix: string): Promise<KvEntry[]> {
    return await this.#read(`/v1/kv/${pathOf(prefix)}?recurse`);
  }

  /** Writes a key. @returns Whether it was written: always, unless `ifIndex` was given. */
  async put(key: string, value: string | Uint8Array<ArrayBuffer>, { ifIndex, ttlMs }: KvPut = {}): Promise<boolean> {
    const query = new URLSearchParams({
      ...(ifIndex === undefined ? {} : { cas: String(ifIndex) }),
      ...(ttlMs === undefined ? {} : { ttl: `${ttlMs}ms` }),
    });
    // What is written twice is the same; a compare-and-set that was done looks as if it had failed.
    const isIdempotent = ifIndex === undefined;
    const { text } = await this.#nodes.ask({
      method: "PUT",
      path: `/v1/kv/${pathOf(key)}?${query}`,
      body: value,
      isIdempotent,
    });
    return text.trim() === "true";
  }

  /** Deletes a key; one that is not there is no error. */
  async delete(key: string): Promise<void> {
    await this.#nodes.ask({ method: "DELETE", path: `/v1/kv/${pathOf(key)}`, isIdempotent: true });
  }

  async #read(path: string): Promise<KvEntry[]> {
    const { status, text } = await this.#nodes.ask({ method: "GET", path, isIdempotent: true, answers: [404] });
    if (status === 404) return [];
    const found: { Key: string; Value: string | null; ModifyIndex: number; ExpireTime?: string }[] = JSON.parse(text);
    return found.map(({ Key, Value, ModifyIndex, ExpireTime }) => ({
      key: Key,
      value: Uint8Array.from(atob(Value ?? ""), (char) => char.charCodeAt(0)),
      index: ModifyIndex,
      expiresAt: ExpireTime === undefined ? undefined : new Date(ExpireTime),
    }));
  }
}

function pathOf(key: string): string {
  return key.split("/").map(encodeURIComponent).join("/");
}

/** How a lock is had. */
export interface LockOptions {
  /** The lock is lost when its holder is not heard for so long, up to twice that. @default {15000} */
  readonly ttlMs?: number;
  /** Gives up waiting. */
  readonly signal?: AbortSignal;
}

const TTL_MS = 15_000;
/** Times that a session is renewed within its time to live. */
const RENEWALS = 3;
const WAIT = "10s";
const AGAIN_MS = 500;

/** A lock that is held. */
export class Lock implements AsyncDisposable {
  /** The key that is held. */
  readonly key: string;
  /** Only grows; for `muster_fence(key, token)` in statements. */
  readonly token: number;
  /** Aborted when the lock is lost, or released. */
  readonly signal: AbortSignal;
  readonly #nodes: Nodes;
  readonly #session: string;
  readonly #lost: AbortController;
  readonly #timer: ReturnType<typeof setInterval>;

  private constructor(nodes: Nodes, held: { key: string; token: number; session: string; ttlMs: number }) {
    this.#nodes = nodes;
    this.key = held.key;
    this.token = held.token;
    this.#session = held.session;
    this.#lost = new AbortController();
    this.signal = this.#lost.signal;
    let renewedMs = performance.now();
    this.#timer = setInterval(async () => {
      try {
        const path = `/v1/session/renew/${held.session}`;
        const { status } = await nodes.ask({ method: "PUT", path, isIdempotent: true, answers: [404] });
        if (status === 404) return this.#lose("its session has ended");
        renewedMs = performance.now();
      } catch {
        if (performance.now() - renewedMs > held.ttlMs) this.#lose("its session could not be renewed in time");
      }
    }, held.ttlMs / RENEWALS);
  }

  /** Waits for the lock of a key. See {@linkcode Client.lock}. */
  static async acquire(nodes: Nodes, key: string, { ttlMs = TTL_MS, signal }: LockOptions): Promise<Lock> {
    const body = JSON.stringify({ Name: key, TTL: `${ttlMs}ms`, LockDelay: "1s" });
    const made = await nodes.ask({ method: "PUT", path: "/v1/session/create", body, isIdempotent: true, signal });
    const { ID: session }: { ID: string } = JSON.parse(made.text);
    try {
      for (let index = "0";;) {
        const path = `/v1/kv/${pathOf(key)}`;
        const taken = await nodes.ask({
          method: "PUT",
          path: `${path}?acquire=${session}`,
          isIdempotent: true,
          signal,
        });
        if (taken.text.trim() === "true") break;
        const seen = await nodes.ask({
          method: "GET",
          path: `${path}?index=${index}&wait=${WAIT}`,
          isIdempotent: true,
          answers: [404],
          signal,
        });
        index = seen.headers.get("x-consul-index") ?? "0";
        const isFree = seen.status === 404 || JSON.parse(seen.text)[0].Session === undefined;
        if (isFree) await pause(AGAIN_MS, signal); // the delay behind a holder that was lost
      }
      const token = await tokenOf(nodes, key, session);
      return new Lock(nodes, { key, token, session, ttlMs });
    } catch (error) {
      await nodes.ask({ method: "PUT", path: `/v1/session/destroy/${session}`, isIdempotent: true }).catch(() => {});
      throw error;
    }
  }

  /** Gives the lock up. */
  async release(): Promise<void> {
    this.#lose("it was released");
    const destroy = `/v1/session/destroy/${this.#session}`;
    await this.#nodes.ask({
      method: "PUT",
      path: `/v1/kv/${pathOf(this.key)}?release=${this.#session}`,
      isIdempotent: true,
    });
    await this.#nodes.ask({ method: "PUT", path: destroy, isIdempotent: true });
  }

  /** The same, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  #lose(why: string): void {
    clearInterval(this.#timer);
    if (!this.signal.aborted) this.#lost.abort(new MusterError(`the lock of ${this.key} is not held any more: ${why}`));
  }
}

async function tokenOf(nodes: Nodes, key: string, session: string): Promise<number> {
  const sql = "SELECT f.token FROM muster.fences f JOIN muster.kv k ON k.key = f.key WHERE k.key = ? AND k.session = ?";
  const { text } = await nodes.ask({
    method: "POST",
    path: "/db/query?level=linearizable",
    body: JSON.stringify([[sql, key, session]]),
    isIdempotent: true,
  });
  const token = JSON.parse(text).results?.[0]?.values?.[0]?.[0];
  if (typeof token === "number") return token;
  throw new MusterError(`the lock of ${key} was lost as soon as it was had`);
}
