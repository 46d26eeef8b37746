/**
 * A session that is kept alive, for locks (C10, C10.1).
 *
 * A session ends no earlier than its time to live after the servers have got its last renewal, and so no earlier than that time
 * after the renewal was sent. A renewal that fails is repeated until {@linkcode TTL_MS} − {@linkcode GRACE_MS} after the last one
 * that was answered was sent. Then the lease counts as lost: whoever relies on it has {@linkcode GRACE_MS} to stop, and has
 * stopped when the session may end.
 * @module
 */
import { pause } from "../../base/worker/backoff.ts";
import { type AgentApi, ApiError, text } from "./agent_api.ts";

/** Time to live of a session, as Go's library has it. */
export const TTL_MS = 15_000;
/** Time for ending a child, of which the last thing is SIGKILL. */
export const GRACE_MS = 5000;
/** Between a renewal that failed and the next one. */
const RETRY_MS = 500;
/** Time for ending the session, which also ends by itself. */
const DESTROY_MS = 5000;

/** What kind of session it is. */
export interface SessionSettings {
  /** For people. */
  readonly name: string;
  /** What becomes of keys that it holds. */
  readonly behavior: "release" | "delete";
  /** Whether it ends with the node of its agent, as far as gossip tells. */
  readonly isBoundToNode: boolean;
  /** Query for the datacenter, with its `?`; may be empty. */
  readonly query: string;
}

/** A session of this process. */
export class Lease {
  /** Of the session. */
  readonly id: string;
  readonly #api: AgentApi;
  readonly #query: string;
  readonly #lost = new AbortController();
  readonly #over = new AbortController();
  /** When the last renewal that was answered was sent. */
  #renewedMs: number;

  private constructor(api: AgentApi, { id, query, sentMs }: { id: string; query: string; sentMs: number }) {
    this.#api = api;
    this.id = id;
    this.#query = query;
    this.#renewedMs = sentMs;
  }

  /** Makes a session and keeps it alive. @throws {ApiError} When it cannot be made. */
  static async create(api: AgentApi, { name, behavior, isBoundToNode, query }: SessionSettings): Promise<Lease> {
    const sentMs = performance.now();
    const asked = { Name: name, TTL: `${TTL_MS / 1000}s`, Behavior: behavior };
    const body = JSON.stringify(isBoundToNode ? asked : { ...asked, NodeChecks: [] });
    const made = await api.json("PUT", `/v1/session/create${query}`, body);
    const lease = new Lease(api, { id: text(made, "ID"), query, sentMs });
    lease.#keep();
    return lease;
  }

  /** Aborted when the session is gone, or may soon be. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async #keep(): Promise<void> {
    const over = this.#over.signal;
    while (!over.aborted) {
      await pause(this.#renewedMs + TTL_MS / 2 - performance.now(), over);
      if (over.aborted) return;
      if (await this.#renew()) continue;
      this.#lost.abort();
      return;
    }
  }

  /** Renews it, in as many attempts as there is time for; whether that worked. */
  async #renew(): Promise<boolean> {
    const deadline = this.#renewedMs + TTL_MS - GRACE_MS;
    const signal = this.#over.signal;
    for (;;) {
      const sentMs = performance.now();
      if (sentMs >= deadline) return signal.aborted;
      try {
        const asking = { timeoutMs: deadline - sentMs, signal };
        const { status } = await this.#api.askText(
          "PUT",
          `/v1/session/renew/${this.id}${this.#query}`,
          asking,
          [404],
        );
        if (status === 404) return false;
        this.#renewedMs = sentMs;
        return true;
      } catch {
        // Whatever it was: what counts is whether one gets through in time.
        if (signal.aborted) return true;
        await pause(Math.min(RETRY_MS, deadline - performance.now()), signal);
      }
    }
  }

  /** Ends the session; one that cannot be reached ends by itself. */
  async end(): Promise<void> {
    this.#over.abort();
    try {
      const path = `/v1/session/destroy/${this.id}${this.#query}`;
      await this.#api.askText("PUT", path, { timeoutMs: DESTROY_MS });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }
}
