/**
 * Locks and semaphores on keys, by the conventions of Consul's library for Go, so that both exclude each other (C10.1).
 *
 * A lock is the key `PREFIX/.lock`, held by a session. A semaphore is a list of sessions in a key of that name, which is
 * changed by check-and-set, and for each session that takes part a key `PREFIX/SESSION` that it holds: a session without
 * that key is gone, and whoever looks takes it off the list. The flags of the keys tell the two apart.
 * @module
 */
import { pause } from "../../base/worker/backoff.ts";
import { type AgentApi, ApiError, entries, fieldOf } from "./agent_api.ts";
import { change, type KvAnswer, type KvEntry, kvPath, readEntries } from "./kv_entries.ts";
import type { Lease } from "./lease.ts";

const LOCK_FLAGS = 0x2ddccbc058a50c18n;
const SEMAPHORE_FLAGS = 0xe0f69a2baa414de0n;
/** Time that one read waits for a change. */
const WAIT_MS = 15_000;
/** Time that an agent takes beyond that: up to a sixteenth, and what the way takes. */
const LATE_MS = 6000;
/** Time for a change: servers that elect a leader take some seconds. */
const CHANGE_MS = 10_000;
/** Between attempts while a lock is free, but in its lock delay. */
const DELAYED_MS = 2000;
/** Between attempts after an error. */
const RETRY_MS = 1000;

/** A claim cannot be had, or not be given back; the message is for people. */
export class LockError extends Error {
  /** Always `LockError`. */
  override readonly name = "LockError";
}

/** Where a lock or semaphore is, and how it is asked for. */
export interface ClaimSettings {
  readonly api: AgentApi;
  /** Without a `/` at its ends. */
  readonly prefix: string;
  /** How many may hold it at a time. */
  readonly limit: number;
  /** Datacenter as the parameter of a query; may be empty. */
  readonly datacenter: string;
  /** Errors of the agent in a row that are no reason to give up. */
  readonly retries: number;
}

/** Something that few may hold. */
export interface Claim {
  /** The key whose token a write may demand (fence.ts); undefined where several hold it. */
  readonly fencedKey: string | undefined;
  /** What the session is like that holds it. */
  readonly session: { readonly behavior: "release" | "delete"; readonly isBoundToNode: boolean };
  /**
   * Waits for it. @returns Whether it is held; not when `signal` was aborted before that.
   * @throws {LockError | ApiError} When it cannot be had.
   */
  acquire(lease: Lease, signal: AbortSignal): Promise<boolean>;
  /** Resolves when it is not held any more, nobody can tell, or `signal` is aborted. */
  lost(lease: Lease, signal: AbortSignal): Promise<void>;
  /** Gives it back. @throws {LockError | ApiError} When that fails. */
  release(lease: Lease): Promise<void>;
  /** Removes its key unless others use it. @returns Whether it is gone. @throws {LockError | ApiError} */
  cleanUp(): Promise<boolean>;
}

/** A lock for a limit of one, a semaphore for a higher one. */
export function claimOf(settings: ClaimSettings): Claim {
  return settings.limit === 1 ? new KeyLock(settings) : new Semaphore(settings);
}

/** Keys below a prefix, and what to do about errors. */
class Keys {
  readonly #settings: ClaimSettings;
  #errors = 0;

  constructor(settings: ClaimSettings) {
    this.#settings = settings;
  }

  target(key: string, ...params: string[]): string {
    const all = [...params, this.#settings.datacenter].filter((one) => one !== "");
    return kvPath(key) + (all.length === 0 ? "" : `?${all.join("&")}`);
  }

  /** Reads; with an index of an earlier answer, waits for a later one. */
  async read(target: string, index = "0", signal?: AbortSignal): Promise<KvAnswer> {
    const waiting = index === "0" ? "" : `${target.includes("?") ? "&" : "?"}index=${index}&wait=${WAIT_MS / 1000}s`;
    return await readEntries(this.#settings.api, target + waiting, { signal, timeoutMs: WAIT_MS + LATE_MS });
  }

  async change(method: "PUT" | "DELETE", target: string, body?: string): Promise<boolean> {
    const bytes = body === undefined ? undefined : new TextEncoder().encode(body);
    return await change(this.#settings.api, method, target, { body: bytes, timeoutMs: CHANGE_MS });
  }

  /**
   * Repeats `step` with the index of its last answer until it returns undefined, or `signal` is aborted. An agent that does
   * not answer, or has no leader, may be errors of a moment: some in a row are waited out.
   * @returns Whether it was `step` that ended it.
   * @throws {ApiError} When there were too many.
   */
  async repeat(step: (index: string) => Promise<string | undefined>, signal: AbortSignal): Promise<boolean> {
    let index: string | undefined = "0";
    this.#errors = 0;
    while (index !== undefined && !signal.aborted) {
      try {
        index = await step(index);
        this.#errors = 0;
      } catch (error) {
        if (signal.aborted) return false;
        const isPassing = error instanceof ApiError && (error.status === undefined || error.status >= 500);
        if (!isPassing || ++this.#errors > this.#settings.retries) throw error;
        index = "0";
        await pause(RETRY_MS, signal);
      }
    }
    return index === undefined;
  }
}

/** Index to wait from; one that is lower than before is that of another state. */
function nextIndex(before: string, { index }: KvAnswer): string {
  return Number(index) < Number(before) ? "0" : index;
}

class KeyLock implements Claim {
  readonly session = { behavior: "release", isBoundToNode: true } as const;
  readonly fencedKey: string;
  readonly #keys: Keys;
  readonly #key: string;

  constructor(settings: ClaimSettings) {
    this.#keys = new Keys(settings);
    this.#key = this.fencedKey = `${settings.prefix}/.lock`;
  }

  async acquire({ id }: Lease, signal: AbortSignal): Promise<boolean> {
    const taking = this.#keys.target(this.#key, `acquire=${id}`, `flags=${LOCK_FLAGS}`);
    return await this.#keys.repeat(async (index) => {
      const answer = await this.#keys.read(this.#keys.target(this.#key), index, signal);
      const entry = checked(answer.entries[0]);
      if (entry?.session === id) return undefined; // an earlier attempt got through
      if (entry && entry.session !== "") return nextIndex(index, answer);
      if (await this.#keys.change("PUT", taking)) return undefined;
      // Another one was first, which the next read shows; or it is too early: that has no event to wait for.
      const after = await this.#keys.read(this.#keys.target(this.#key));
      if ((after.entries[0]?.session ?? "") === "") await pause(DELAYED_MS, signal);
      return "0";
    }, signal);
  }

  async lost({ id }: Lease, signal: AbortSignal): Promise<void> {
    await this.#keys.repeat(async (index) => {
      const answer = await this.#keys.read(this.#keys.target(this.#key, "consistent"), index, signal);
      return answer.entries[0]?.session === id ? nextIndex(index, answer) : undefined;
    }, signal).catch(onlyErrors);
  }

  async release({ id }: Lease): Promise<void> {
    await this.#keys.change("PUT", this.#keys.target(this.#key, `release=${id}`, `flags=${LOCK_FLAGS}`));
  }

  async cleanUp(): Promise<boolean> {
    const { entries: [entry] } = await this.#keys.read(this.#keys.target(this.#key));
    if (!checked(entry)) return true;
    if (entry.session !== "") return false;
    return await this.#keys.change("DELETE", this.#keys.target(this.#key, `cas=${entry.modifyIndex}`));
  }
}

function checked(entry: KvEntry | undefined): KvEntry | undefined {
  if (entry && entry.flags !== LOCK_FLAGS) throw new LockError("Existing key does not match lock use");
  return entry;
}

/** Nobody can tell whether it is held any more. */
function onlyErrors(error: unknown): void {
  if (!(error instanceof ApiError || error instanceof LockError)) throw error;
}

/** What the key of a semaphore holds. */
interface Holders {
  readonly limit: number;
  /** Sessions that are alive. */
  readonly sessions: ReadonlySet<string>;
  /** As a condition for the next change; 0: there is no key. */
  readonly modifyIndex: number;
}

class Semaphore implements Claim {
  /**
   * A slot has no lock delay: it is free as soon as its session is gone. So the session is not to end earlier than this process
   * can tell by its clock, and gossip that takes the node for failed has no say.
   */
  readonly session = { behavior: "delete", isBoundToNode: false } as const;
  readonly fencedKey = undefined;
  readonly #keys: Keys;
  readonly #prefix: string;
  readonly #limit: number;

  constructor(settings: ClaimSettings) {
    this.#keys = new Keys(settings);
    this.#prefix = settings.prefix;
    this.#limit = settings.limit;
  }

  #all(...params: string[]): string {
    return this.#keys.target(`${this.#prefix}/`, "recurse", ...params);
  }

  #holdersIn({ entries: all }: KvAnswer): Holders {
    const lock = all.find(({ key }) => key === `${this.#prefix}/.lock`);
    if (!lock) return { limit: this.#limit, sessions: new Set(), modifyIndex: 0 };
    if (lock.flags !== SEMAPHORE_FLAGS) throw new LockError("Existing key does not match semaphore use");
    let value: unknown;
    try {
      value = lock.value.length === 0 ? { Limit: this.#limit } : JSON.parse(new TextDecoder().decode(lock.value));
    } catch {
      throw new LockError(`lock decoding failed: ${lock.key} holds no JSON`);
    }
    const alive = new Set(all.map(({ session }) => session));
    const sessions = entries(fieldOf(value, "Holders")).map(([id]) => id).filter((id) => alive.has(id));
    return { limit: Number(fieldOf(value, "Limit")), sessions: new Set(sessions), modifyIndex: lock.modifyIndex };
  }

  async #set(sessions: ReadonlySet<string>, modifyIndex: number): Promise<boolean> {
    const target = this.#keys.target(`${this.#prefix}/.lock`, `cas=${modifyIndex}`, `flags=${SEMAPHORE_FLAGS}`);
    const holders = Object.fromEntries([...sessions].map((id) => [id, true]));
    return await this.#keys.change("PUT", target, JSON.stringify({ Limit: this.#limit, Holders: holders }));
  }

  async acquire({ id }: Lease, signal: AbortSignal): Promise<boolean> {
    let takesPart = false;
    const own = this.#keys.target(`${this.#prefix}/${id}`, `acquire=${id}`, `flags=${SEMAPHORE_FLAGS}`);
    return await this.#keys.repeat(async (index) => {
      takesPart ||= await this.#keys.change("PUT", own);
      if (!takesPart) throw new LockError("failed to make contender entry");
      const answer = await this.#keys.read(this.#all(), index, signal);
      const { limit, sessions, modifyIndex } = this.#holdersIn(answer);
      if (limit !== this.#limit) {
        throw new LockError(`semaphore limit conflict (lock: ${limit}, local: ${this.#limit})`);
      }
      if (sessions.has(id)) return undefined; // an earlier attempt got through
      if (sessions.size >= limit) return nextIndex(index, answer);
      return await this.#set(new Set([...sessions, id]), modifyIndex) ? undefined : "0";
    }, signal);
  }

  async lost({ id }: Lease, signal: AbortSignal): Promise<void> {
    await this.#keys.repeat(async (index) => {
      const answer = await this.#keys.read(this.#all("consistent"), index, signal);
      return this.#holdersIn(answer).sessions.has(id) ? nextIndex(index, answer) : undefined;
    }, signal).catch(onlyErrors);
  }

  async release({ id }: Lease): Promise<void> {
    for (;;) {
      const { sessions, modifyIndex } = this.#holdersIn(await this.#keys.read(this.#all()));
      if (!sessions.has(id)) break;
      if (await this.#set(new Set([...sessions].filter((one) => one !== id)), modifyIndex)) break;
    }
    await this.#keys.change("DELETE", this.#keys.target(`${this.#prefix}/${id}`));
  }

  async cleanUp(): Promise<boolean> {
    const { sessions, modifyIndex } = this.#holdersIn(await this.#keys.read(this.#all()));
    if (modifyIndex === 0) return true;
    if (sessions.size > 0) return false;
    return await this.#keys.change("DELETE", this.#keys.target(`${this.#prefix}/.lock`, `cas=${modifyIndex}`));
  }
}
