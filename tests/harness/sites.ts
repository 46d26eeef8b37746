/**
 * Sites with a wide area network between them: each is a network namespace with several addresses, which reach each other at once
 * and those of other sites late; a site can be cut off from the others. The kernels of some machines have no `netem`, so packets go through a
 * program of this test (sites.py), by devices of its own. This process reaches every site, also one that is cut off.
 *
 * Needs root, `ip`, Python and `/dev/net/tun`.
 */
import { findProgram, run } from "./peers/process.ts";

const NETWORKS = 256; // of 198.19.0.0/16, which is set aside for tests (RFC 2544)
/** Addresses of a site. */
const HOSTS = 8;
const SITES_MAX = 14;

/** This machine has no namespaces or devices for a test. */
export class SitesNotAllowedError extends Error {
  override readonly name = "SitesNotAllowedError";
}

/** Some sites. */
export class Sites {
  readonly #prefix: string;
  readonly #name: string;
  readonly #count: number;
  #carrier: Deno.ChildProcess | undefined;
  #commands: WritableStreamDefaultWriter<Uint8Array> | undefined;

  private constructor(prefix: string, count: number) {
    this.#prefix = prefix;
    this.#name = `ms${Deno.pid.toString(36)}`;
    this.#count = count;
  }

  /**
   * Makes sites. A packet between two of them takes as long as the delays of both together.
   * @throws {SitesNotAllowedError} When that is not permitted here.
   */
  static async create(delaysMs: readonly number[]): Promise<Sites> {
    const count = delaysMs.length;
    if (count > SITES_MAX) throw new RangeError(`Cannot make ${count} sites: at most ${SITES_MAX}`);
    const routes = await run("ip", ["-4", "route"]);
    const first = Deno.pid % NETWORKS;
    const prefix = Array.from({ length: NETWORKS }, (_, at) => `198.19.${(first + at) % NETWORKS}.`)
      .find((prefix) => !routes.includes(prefix));
    if (prefix === undefined) throw new Error("Cannot make sites: all of 198.19.0.0/16 is in use");
    const sites = new Sites(prefix, count);
    await sites.#requirePermission();
    try {
      await sites.#build(delaysMs);
    } catch (error) {
      await sites.close();
      throw error;
    }
    return sites;
  }

  /** An address of a site. */
  host(site: number, host: number): string {
    if (host >= HOSTS) throw new RangeError(`Cannot use host ${host} of a site: it has ${HOSTS}`);
    return `${this.#prefix}${16 * (site + 1) + 1 + host}`;
  }

  /** Program in front of the command line of a process in a site. */
  wrapper(site: number): string[] {
    return ["ip", "netns", "exec", this.#space(site)];
  }

  /** Loses all packets between a site and the others from now on. */
  async cut(site: number): Promise<void> {
    await this.#tell(`cut ${site + 1}`);
  }

  /** Ends all of that. */
  async heal(): Promise<void> {
    await this.#tell("heal");
  }

  async #tell(command: string): Promise<void> {
    await this.#commands?.write(new TextEncoder().encode(`${command}\n`));
  }

  #space(site: number): string {
    return `${this.#name}-${site + 1}`;
  }

  async #requirePermission(): Promise<void> {
    try {
      await run("ip", ["netns", "add", this.#space(0)]);
      await run("ip", ["-n", this.#space(0), "tuntap", "add", "dev", "probe", "mode", "tun"]);
      await run("ip", ["netns", "del", this.#space(0)]);
    } catch (error) {
      throw new SitesNotAllowedError("network namespaces are not permitted here", { cause: error });
    }
  }

  async #build(delaysMs: readonly number[]): Promise<void> {
    const all = [...delaysMs.keys()];
    for (const site of all) {
      await run("ip", ["netns", "add", this.#space(site)]);
      await run("ip", ["-n", this.#space(site), "link", "set", "lo", "up"]);
      for (let host = 0; host < HOSTS; host++) {
        await run("ip", ["-n", this.#space(site), "addr", "add", `${this.host(site, host)}/32`, "dev", "lo"]);
      }
    }
    const own = `${this.#prefix}1`;
    await this.#carry([
      `:0:${this.#prefix}0/28`,
      ...all.map((site) => `${this.#space(site)}:${delaysMs[site]}:${this.#prefix}${16 * (site + 1)}/28`),
    ]);
    await run("ip", ["addr", "add", `${own}/32`, "dev", this.#name]);
    await run("ip", ["link", "set", this.#name, "up", "mtu", "1400"]);
    await run("ip", ["route", "add", `${this.#prefix}0/24`, "dev", this.#name, "src", own]);
    for (const site of all) {
      await run("ip", ["-n", this.#space(site), "link", "set", this.#name, "up", "mtu", "1400"]);
      await run("ip", [
        ...["-n", this.#space(site), "route", "add", `${this.#prefix}0/24`],
        ...["dev", this.#name, "src", this.host(site, 0)],
      ]);
    }
  }

  async #carry(sites: readonly string[]): Promise<void> {
    const script = new URL("sites.py", import.meta.url).pathname;
    const child = new Deno.Command(await findProgram("python3"), {
      args: [script, this.#name, ...sites],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#carrier = child;
    this.#commands = child.stdin.getWriter();
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    reader.releaseLock();
    if (!value) throw new Error("Cannot carry packets between sites: see what sites.py says");
  }

  /** Removes the sites. Processes in them must have ended. */
  async close(): Promise<void> {
    await this.#commands?.close().catch(() => {}); // it has ended
    await this.#carrier?.stdout.cancel();
    await this.#carrier?.status;
    for (let site = 0; site < this.#count; site++) await run("ip", ["netns", "del", this.#space(site)]).catch(() => {});
  }
}
