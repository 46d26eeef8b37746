/**
 * The workload of locks: clients that make a session, acquire a key with it, look at the key while they hold it, and then
 * release it, end the session, or leave both to the session's time to live. The sessions also end when their node fails.
 * A session that may hold a key unknown to its client is ended, since a new leader begins to count its time anew.
 * @module
 */
import { History } from "../../tests/harness/history/history.ts";
import type { Holding, LockAnswer, LockOperation, LockRequest } from "../../tests/harness/history/locks.ts";
import { Random } from "../../tests/harness/random.ts";
import type { KeyReply } from "./key_client.ts";
import type { Tally } from "./tally.ts";
import { type Client, Clients, pause, type WorkloadOptions } from "./workload.ts";

/** `LockDelay` of all sessions. */
export const LOCK_DELAY_MS = 1500;
const CLIENTS = 4;
const KEYS = 3;
const ATTEMPTS_MAX = 40;
const ATTEMPT_PAUSE_MS = 100;
const LOOKUPS_MAX = 4;
const HELD_MS_MAX = 200;
const RELEASED = 0.65;
const DESTROYED = 0.95;
const DESTROY_PAUSE_MS = 200;

/** Clients of locks. */
export class Locks {
  readonly #history = new History<LockRequest, LockAnswer>();
  readonly #tally: Tally;
  readonly #clients: Clients;
  #isStopped = false;

  /** @param process First of the processes of the history. */
  constructor({ urls, tally }: WorkloadOptions, { seed, process }: { seed: number; process: number }) {
    this.#tally = tally;
    const clients = Array.from({ length: CLIENTS }, (_, at) => ({
      process: process + at,
      random: new Random(seed, 4000 + at),
    }));
    this.#clients = new Clients(urls, clients, (client) => this.#turn(client));
  }

  /** The operations so far. */
  get operations(): LockOperation[] {
    return this.#history.operations;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#clients.stop();
  }

  async #turn(client: Client): Promise<Pick<KeyReply, "outcome">> {
    const { random, request } = client;
    const wanted = JSON.stringify({ TTL: "10s", LockDelay: `${LOCK_DELAY_MS}ms` });
    const made = await request("PUT", "/v1/session/create", wanted);
    this.#tally.count("session create", made.outcome, made.outcome === "done" ? undefined : made.reason);
    if (made.outcome !== "done") return made;
    const { ID: session }: { ID: string } = JSON.parse(made.text);
    const key = 1 + random.below(KEYS);
    if (await this.#acquire(client, { key, session })) {
      for (let left = random.below(LOOKUPS_MAX + 1); left > 0; left--) {
        await this.#ask(client, { key, session, kind: "lookup" });
        await pause(random.below(HELD_MS_MAX));
      }
      if (random.chance(RELEASED)) {
        const released = await this.#ask(client, { key, session, kind: "release" });
        if (released.outcome === "done") return released;
      } else if (!random.chance(DESTROYED)) return { outcome: "done" };
    }
    await this.#destroy(client, { key, session });
    return { outcome: "done" };
  }

  async #destroy(client: Client, of: { readonly key: number; readonly session: string }): Promise<void> {
    while (!this.#isStopped) {
      const { outcome } = await this.#ask(client, { ...of, kind: "destroy" });
      if (outcome === "done") return;
      await pause(DESTROY_PAUSE_MS);
    }
  }

  /** Asks until the key is acquired. Whether it was; when that is unknown, it is not asked for again. */
  async #acquire(client: Client, of: { readonly key: number; readonly session: string }): Promise<boolean> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const reply = await this.#ask(client, { ...of, kind: "acquire" });
      if (reply.outcome !== "done") return false;
      if (reply.text === "true") return true;
      await pause(ATTEMPT_PAUSE_MS);
    }
    return false;
  }

  async #ask({ process, request }: Client, wanted: LockRequest): Promise<KeyReply> {
    const { kind, key, session } = wanted;
    const path = `/v1/kv/locks/${key}`;
    const open = this.#history.invoke(process, wanted, performance.now());
    const reply = kind === "lookup"
      ? await request("GET", path)
      : kind === "destroy"
      ? await request("PUT", `/v1/session/destroy/${session}`)
      : await request("PUT", `${path}?${kind}=${session}`, session);
    const now = performance.now();
    this.#tally.count(`lock ${kind}`, reply.outcome, reply.outcome === "done" ? undefined : reply.reason);
    if (reply.outcome === "done") open.done(now, kind === "lookup" ? holdingOf(reply.text) : reply.text === "true");
    else if (reply.outcome === "notDone") open.notDone(now, reply.reason);
    else open.unknown(reply.reason);
    return reply;
  }
}

function holdingOf(text: string): Holding {
  if (text === "") return { session: null, token: 0 };
  const [{ Session = null, LockIndex }]: { Session?: string | null; LockIndex: number }[] = JSON.parse(text);
  return { session: Session, token: LockIndex };
}
