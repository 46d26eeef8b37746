/**
 * The rendezvous of an agent: one that it is, one that it is announced at, or both, in a Worker of its own. The others of its
 * infrastructure are joined as soon as they are known, if the operator wants that.
 * @module
 */
import { joinAddress } from "../../base/codec/address.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { shuffled } from "../../base/worker/shuffled.ts";
import type { Member } from "../../core/rendezvous/announcement.ts";
import type { PoolClient } from "../../drivers/membership/client.ts";
import type { AgentConfig, AtlasSettings, RendezvousSettings } from "../config/config.ts";
import type { FromRendezvous, ToRendezvous } from "./api.ts";

/** Agents that are asked in one go: the pool tells of the rest. */
const JOINED_MAX = 16;
/** Time to say goodbye. */
const GOODBYE_MS = 2000;

/** The Worker. */
export interface Line {
  /** Sends to it. */
  postMessage(message: ToRendezvous): void;
  /** Hears from it. */
  addEventListener(type: "message", listener: (event: MessageEvent<FromRendezvous>) => void): void;
  /** Ends it. */
  terminate(): void;
}

/** Surroundings. */
export interface RendezvousPartsOptions {
  readonly agent: Pick<AgentConfig, "nodeName" | "atlas" | "rendezvous">;
  readonly pool: PoolClient;
  /** Address of the gossip for others. */
  readonly gossip: { readonly host: string; readonly port: number };
  /** URL of the agent's own API. */
  readonly apiUrl: string;
  spawn(): Line;
  fail(message: string): void;
  log(line: string): void;
}

/** The Worker, and what it finds. */
export class RendezvousParts {
  readonly #options: RendezvousPartsOptions;
  readonly #messages: readonly ToRendezvous[];
  readonly #worker: Line;
  readonly #closed = Promise.withResolvers<void>();
  #isJoining = false;
  #complaint = "";

  /**
   * Reads the certificates and starts the Worker.
   * @throws {Error} When one of them cannot be read.
   */
  constructor(options: RendezvousPartsOptions) {
    this.#options = options;
    const { agent: { atlas, rendezvous } } = options;
    this.#messages = [
      ...(rendezvous ? [this.#serving(rendezvous)] : []),
      ...(atlas ? [this.#announcing(atlas)] : []),
    ];
    this.#worker = options.spawn();
    this.#worker.addEventListener("message", ({ data }: MessageEvent<FromRendezvous>) => {
      if (data.k === "failed") options.fail(data.message);
      else if (data.k === "closed") this.#closed.resolve();
      else if (atlas?.joins) this.#join(data.others);
    });
  }

  #serving({ addr, certFile, keyFile }: RendezvousSettings): ToRendezvous {
    return {
      k: "serve",
      config: { addr, cert: textOf(certFile), key: textOf(keyFile) },
      url: this.#options.apiUrl,
    };
  }

  #announcing({ infrastructure, token, endpoints, caFile }: AtlasSettings): ToRendezvous {
    const { agent, gossip, log } = this.#options;
    const plain = endpoints.find((url) => url.startsWith("http:"));
    if (plain !== undefined) log(`atlas_endpoint ${plain} is no HTTPS: the token can be read on its way`);
    const caCerts = caFile === "" ? [] : [textOf(caFile)];
    return {
      k: "announce",
      atlas: { infrastructure, token, endpoints, caCerts },
      self: { node: agent.nodeName, address: joinAddress(gossip.host, gossip.port) },
    };
  }

  /** Begins, now that the agent's own listeners are open. */
  start(): void {
    for (const message of this.#messages) this.#worker.postMessage(message);
  }

  async #join(others: readonly Member[]): Promise<void> {
    if (this.#isJoining) return;
    this.#isJoining = true;
    const { pool, log } = this.#options;
    try {
      const alive = (await pool.members()).filter(({ status }) => status === "alive");
      const known = new Set(alive.map(({ addr, port }) => joinAddress(addr, port)));
      const addresses = others.map(({ address }) => address).filter((address) => !known.has(address));
      if (addresses.length === 0) return;
      const some = shuffled(addresses).slice(0, JOINED_MAX); // so that not everybody asks the same ones
      const { joined, errors } = await pool.call("join", { addresses: some });
      if (joined > 0) log(`Join cluster completed. Synced with initial agents: cluster=LAN num_agents=${joined}`);
      else if (errors.join() !== this.#complaint) log(`Atlas: cannot join yet: ${errors.join("; ")}`);
      this.#complaint = errors.join();
    } catch (error) {
      log(`Atlas: cannot join: ${messageOf(error)}`);
    } finally {
      this.#isJoining = false;
    }
  }

  /** Ends; the rendezvous is told. */
  async close(): Promise<void> {
    const message: ToRendezvous = { k: "close" };
    this.#worker.postMessage(message);
    const timer = setTimeout(() => this.#closed.resolve(), GOODBYE_MS);
    await this.#closed.promise;
    clearTimeout(timer);
    this.#worker.terminate();
  }
}

/** @throws {Error} When a file cannot be read. */
function textOf(path: string): string {
  if (path === "") return "";
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw new Error(`cannot read ${path}: ${messageOf(error)}`);
  }
}
