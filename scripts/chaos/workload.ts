/**
 * Common part of all workloads: clients that send one request after the other, each to any node, until they are
 * stopped.
 * @module
 */
import type { Random } from "../../tests/harness/random.ts";
import { type Reply, send } from "./client.ts";
import { type KeyReply, requestKeys } from "./key_client.ts";
import type { Tally } from "./tally.ts";

const SERVER_TIMEOUT = "timeout=2s&linearizable_timeout=2s";
const CLIENT_MS_MAX = 3000;
const THINK_MS_MAX = 20;
const REFUSED_MS = 50;

/** The tools of a client. */
export interface Client {
  /** Of the history. */
  readonly process: number;
  readonly random: Random;
  /** Sends statements to any node. @param path With its first parameter. */
  send(path: string, statements: readonly unknown[]): Promise<Reply>;
  /** Sends a request about keys or sessions to any node. */
  request(method: string, path: string, body?: string): Promise<KeyReply>;
}

/** The nodes that clients send to, and the counters. */
export interface WorkloadOptions {
  readonly urls: readonly string[];
  readonly tally: Tally;
}

/** A request of a client, from its draw to its place in the history. */
export type Turn = (client: Client) => Promise<Pick<Reply, "outcome">>;

/** Clients at work. */
export class Clients {
  #isStopped = false;
  readonly #done: Promise<void[]>;

  constructor(urls: readonly string[], clients: readonly { process: number; random: Random }[], turn: Turn) {
    this.#done = Promise.all(clients.map(async ({ process, random }) => {
      const client: Client = {
        process,
        random,
        send: (path, statements) => this.#send(urls, random, path, statements),
        request: (method, path, body = "") =>
          requestKeys(method, `${random.pick(urls) ?? ""}${path}`, { body, timeoutMs: CLIENT_MS_MAX }),
      };
      while (!this.#isStopped) {
        const { outcome } = await turn(client);
        await pause(outcome === "done" ? random.below(THINK_MS_MAX) : REFUSED_MS);
      }
    }));
    this.#done.catch(() => {}); // seen by `stop`
  }

  #send(urls: readonly string[], random: Random, path: string, statements: readonly unknown[]): Promise<Reply> {
    const url = random.pick(urls) ?? "";
    return send(`${url}${path}&raft_index&${SERVER_TIMEOUT}`, statements, CLIENT_MS_MAX);
  }

  /** Lets the last requests end. @throws {Error} What a client stumbled over, if one did. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
  }
}

/** Resolves after a while. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
