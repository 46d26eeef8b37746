/**
 * A real name server (Debian's dnsmasq) on a free loopback port, over UDP and TCP, that knows just the records a test
 * gives it. It asks no other server and reads no file of the system; unknown names are NXDOMAIN; every TTL is 0. A
 * change of records is visible when the call that made it returns.
 * @module
 */
import { freePort, until } from "../processes.ts";
import { run, ServiceProcess } from "./process.ts";

const HOST = "127.0.0.1";
const READY_NAME = "ready.peer.test"; // not under "invalid": Deno.resolveDns would not even ask
const VISIBLE_MS = 10_000;

/** One SRV record (RFC 2782). */
export interface DnsService {
  /** Name of the host; its addresses are set by `setAddresses`. */
  readonly target: string;
  /** Of the service there. */
  readonly port: number;
  /** The least is tried first. @default {0} */
  readonly priority?: number;
  /** Share among those of one priority. @default {0} */
  readonly weight?: number;
}

/** A running dnsmasq. */
export class DnsServer {
  readonly #port: number;
  readonly #files: string;
  readonly #addresses = new Map<string, readonly string[]>();
  readonly #services = new Map<string, readonly DnsService[]>();
  #process: ServiceProcess | undefined;

  private constructor(port: number, files: string) {
    this.#port = port;
    this.#files = files;
  }

  /**
   * Starts it without records and waits until it answers.
   * @param directory For its two files; must exist.
   * @throws {Error} When it does not answer; nothing is left running.
   */
  static async start(directory: string): Promise<DnsServer> {
    const port = freePortOfBoth();
    const server = new DnsServer(port, `${directory}/dnsmasq-${port}`);
    try {
      await server.restart();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  /** `127.0.0.1:PORT`. */
  get address(): string {
    return `${HOST}:${this.#port}`;
  }

  /** The end of its process's output. */
  get log(): string {
    return this.#process?.log ?? "";
  }

  /**
   * Replaces the A and AAAA records of a name, without a moment in which the server does not answer; kept for the
   * next `restart` if it is stopped.
   * @param addresses IPv6 ones in their short form; none removes the name.
   */
  async setAddresses(name: string, addresses: readonly string[]): Promise<void> {
    this.#addresses.set(name, addresses);
    await this.#writeHosts();
    if (!this.#process?.isRunning) return;
    this.#process.signal("SIGHUP"); // reads the file of hosts again
    const wanted = addresses.toSorted().join();
    await until(`${name} being ${wanted} in DNS`, async () => {
      const found = [...await this.#resolve(name, "A"), ...await this.#resolve(name, "AAAA")];
      return found.sort().join() === wanted || undefined;
    }, VISIBLE_MS);
  }

  /** Replaces the SRV records of a name, such as `_muster._tcp.peer.test`, by a short restart on the same port. */
  async setServices(name: string, services: readonly DnsService[]): Promise<void> {
    this.#services.set(name, services);
    if (this.#process?.isRunning) await this.restart();
  }

  /** Ends it; queries get no answer until `restart`. The records are kept. */
  async stop(): Promise<void> {
    await this.#process?.stop("SIGTERM");
  }

  /** Starts it on the port and with the records it had, after a stop if it runs, and waits until it answers. */
  async restart(): Promise<void> {
    await this.stop();
    await this.#writeHosts();
    await Deno.writeTextFile(`${this.#files}.conf`, this.#config());
    const flags = [`--conf-file=${this.#files}.conf`, "--keep-in-foreground", "--log-facility=-", "--pid-file"];
    if (Deno.uid() === 0) flags.push("--user=root"); // else it becomes nobody, who may not read a test's directory
    const process = await ServiceProcess.start("dnsmasq", flags);
    this.#process = process;
    await process.answers("answering", async () => {
      (await Deno.connect({ hostname: HOST, port: this.#port })).close(); // refused at once; a datagram would be lost
      return (await this.#resolve(READY_NAME, "A")).length > 0;
    });
  }

  async #writeHosts(): Promise<void> {
    const lines = [...this.#addresses].flatMap(([name, all]) => all.map((address) => `${address} ${name}\n`));
    await Deno.writeTextFile(`${this.#files}.hosts`, lines.join(""));
  }

  /** TTLs of local records are 0 by default. */
  #config(): string {
    const services = [...this.#services].flatMap(([name, all]) =>
      all.map(({ target, port, priority = 0, weight = 0 }) =>
        `srv-host=${name},${target},${port},${priority},${weight}`
      )
    );
    return [
      `port=${this.#port}`,
      `listen-address=${HOST}`,
      "bind-interfaces",
      "no-resolv",
      "no-poll",
      "no-hosts",
      "cache-size=0",
      "local=/#/", // unknown names do not exist, rather than being refused for want of a server to ask
      `addn-hosts=${this.#files}.hosts`,
      `host-record=${READY_NAME},${HOST}`,
      ...services,
      "",
    ].join("\n");
  }

  async #resolve(name: string, type: "A" | "AAAA"): Promise<string[]> {
    try {
      return await Deno.resolveDns(name, type, { nameServer: { ipAddr: HOST, port: this.#port } });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }
}

/**
 * Answers of a name server as Debian's `dig +short` tells them, sorted, as dnsmasq turns their order with each query.
 * @param server `HOST:PORT`.
 * @param query A name, a type, further flags of dig such as `+tcp`.
 * @throws {Error} When the server does not answer.
 */
export async function dig(server: string, ...query: string[]): Promise<string[]> {
  const { hostname, port } = new URL(`http://${server}`);
  const text = await run("dig", ["-r", "+short", "+tries=1", "+time=2", `@${hostname}`, "-p", port, ...query]);
  return text.split("\n").filter((line) => line !== "").sort();
}

/** A port that is free for TCP and for UDP. */
function freePortOfBoth(): number {
  for (;;) {
    const port = freePort();
    try {
      Deno.listenDatagram({ transport: "udp", hostname: HOST, port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
