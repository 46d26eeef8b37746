/**
 * Keeps the agent's own registration in the catalog (C9.8): gossip reports that a node is up, the node itself registers
 * its description. It compares the catalog with its own state at the start, when it or a server joins or leaves, when
 * its description changes, and about once a minute, and registers the differences.
 * @module
 */
import type { LogLevel } from "../../base/worker/log.ts";
import type { Agent } from "./agent.ts";
import type { NodeRegistration } from "./registration.ts";
import { messageOf } from "../../base/codec/error_text.ts";

const PERIOD_MS = 60_000;
const STAGGER_MS = 15_000;
const GATHER_MS = 500;
const RETRY_MS = 5000;

/** The catalog as an agent reaches it: in its own database, or through a server. */
export interface CatalogAccess {
  /** A node as the catalog has it; undefined where there is none. Rejects when it cannot be told. */
  node(name: string): Promise<KnownNode | undefined>;
  /** Registers a node; rejects with a reason for people. */
  register(node: NodeRegistration): Promise<void>;
}

/** A node in the catalog. */
export interface KnownNode {
  readonly address: string;
  readonly meta: Readonly<Record<string, string>>;
}

/** Dependencies of anti-entropy. */
export interface AntiEntropyParts {
  readonly agent: Agent;
  readonly access: CatalogAccess;
  log(line: string, level?: LogLevel): void;
}

/** Keeps the metadata of this node in the catalog. */
export class AntiEntropy {
  readonly #parts: AntiEntropyParts;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isBusy = false;

  constructor(parts: AntiEntropyParts) {
    this.#parts = parts;
    const own = parts.agent.options.nodeName;
    parts.agent.pool.onEvent((event) => {
      if (!("members" in event)) return;
      // In a pool of hundreds not every agent may ask for every other one that comes.
      if (event.members.some(({ name, tags }) => name === own || tags.role === "consul")) this.soon();
    });
    this.soon();
  }

  /** Looks within half a second. */
  soon(): void {
    this.#in(GATHER_MS);
  }

  #in(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#run(), ms);
  }

  async #run(): Promise<void> {
    if (this.#isBusy) return this.soon();
    this.#isBusy = true;
    const isDone = await this.#sync().catch(() => false);
    this.#isBusy = false;
    this.#in(isDone ? PERIOD_MS + Math.random() * STAGGER_MS : RETRY_MS);
  }

  /** Whether the catalog now says what this agent says. */
  async #sync(): Promise<boolean> {
    const { agent: { options }, access, log } = this.#parts;
    const node = await access.node(options.nodeName);
    if (!node) return false; // the leader registers it first
    const known = Object.entries(node.meta).filter(([key]) => !key.startsWith("consul-"));
    const isSame = known.length === Object.keys(options.meta).length &&
      known.every(([key, value]) => options.meta[key] === value);
    if (isSame) return true;
    const { nodeName: name, nodeId: id, meta } = options;
    try {
      await access.register({ name, id, address: node.address, taggedAddresses: undefined, meta });
      return true;
    } catch (error) {
      log(`failed to sync remote state: ${messageOf(error)}`, "warn");
      return false;
    }
  }
}
