/**
 * Networks that can be cut: a network namespace for each node, all on one bridge, this process on it too. What a node
 * sends to another is lost when its neighbour entry names a hardware address that nobody has: silently, one way, and
 * with nothing but `ip`.
 *
 * Needs root and `ip`; for narrow links `tc`. Without them there are no partitions, and the reason is told.
 * @module
 */

const NOBODY = "02:00:00:00:00:ff";
const NETWORKS = 256; // of 198.18.0.0/16, which is set aside for tests (RFC 2544)
const NARROW = ["tbf", "rate", "400kbit", "burst", "8kb", "latency", "400ms"];

/** A command that failed, with what it said. */
class CommandError extends Error {}

async function ip(...args: readonly string[]): Promise<string> {
  return await run("ip", args);
}

async function run(command: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args: [...args], stdin: "null" }).output();
  if (success) return new TextDecoder().decode(stdout);
  throw new CommandError(`${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr).trim()}`);
}

/** A way from one node to another, by their places in the list. */
export interface Way {
  readonly from: number;
  readonly to: number;
}

/** Namespaces of nodes. */
export class Network {
  readonly #bridge: string;
  readonly #prefix: string;
  readonly #count: number;
  readonly #cut = new Set<string>();
  readonly #narrow = new Set<number>();

  private constructor(bridge: string, prefix: string, count: number) {
    this.#bridge = bridge;
    this.#prefix = prefix;
    this.#count = count;
  }

  /**
   * Makes a network for `count` nodes.
   * @throws {Error} When that is not permitted here, or not possible.
   */
  static async create(count: number): Promise<Network> {
    const addresses = await ip("-4", "-o", "addr");
    const first = Deno.pid % NETWORKS;
    const prefix = Array.from({ length: NETWORKS }, (_, at) => `198.18.${(first + at) % NETWORKS}.`)
      .find((prefix) => !addresses.includes(` ${prefix}`));
    if (prefix === undefined) throw new Error("Cannot make a network: all of 198.18.0.0/16 is in use");
    const network = new Network(`mc${Deno.pid.toString(36)}`, prefix, count);
    try {
      await network.#build();
    } catch (error) {
      await network.close();
      throw error;
    }
    return network;
  }

  /** Address of a node. */
  host(node: number): string {
    return `${this.#prefix}${11 + node}`;
  }

  /** Program in front of a node's command line. */
  wrapper(node: number): string[] {
    return ["ip", "netns", "exec", this.#space(node)];
  }

  /** Loses all packets on these ways from now on. */
  async cut(ways: readonly Way[]): Promise<void> {
    await Promise.all(ways.map(async ({ from, to }) => {
      this.#cut.add(`${from} ${to}`);
      const entry = [this.host(to), "lladdr", NOBODY, "dev", "eth0", "nud", "permanent"];
      await ip("-n", this.#space(from), "neigh", "replace", ...entry);
    }));
  }

  /** Lets few bytes through to and from a node. */
  async narrow(node: number): Promise<void> {
    this.#narrow.add(node);
    await Promise.all([
      run("tc", ["-n", this.#space(node), "qdisc", "replace", "dev", "eth0", "root", ...NARROW]),
      run("tc", ["qdisc", "replace", "dev", this.#port(node), "root", ...NARROW]),
    ]);
  }

  /** Ends all of that. */
  async heal(): Promise<void> {
    const ways = [...this.#cut];
    this.#cut.clear();
    await Promise.all(ways.map(async (way) => {
      const [from, to] = way.split(" ").map(Number);
      await ip("-n", this.#space(from), "neigh", "del", this.host(to), "dev", "eth0").catch(() => {}); // not there
    }));
    const narrow = [...this.#narrow];
    this.#narrow.clear();
    await Promise.all(narrow.flatMap((node) => [
      run("tc", ["-n", this.#space(node), "qdisc", "del", "dev", "eth0", "root"]).catch(() => {}),
      run("tc", ["qdisc", "del", "dev", this.#port(node), "root"]).catch(() => {}),
    ]));
  }

  /** Removes the network. Processes in it must have ended. */
  async close(): Promise<void> {
    for (let node = 0; node < this.#count; node++) {
      await ip("link", "del", this.#port(node)).catch(() => {}); // not there
      await ip("netns", "del", this.#space(node)).catch(() => {});
    }
    await ip("link", "del", this.#bridge).catch(() => {});
  }

  #space(node: number): string {
    return `${this.#bridge}-${node + 1}`;
  }

  #port(node: number): string {
    return `${this.#bridge}v${node + 1}`;
  }

  async #build(): Promise<void> {
    await ip("link", "add", this.#bridge, "type", "bridge");
    await ip("addr", "add", `${this.#prefix}1/24`, "dev", this.#bridge);
    await ip("link", "set", this.#bridge, "up");
    for (let node = 0; node < this.#count; node++) {
      const [space, port] = [this.#space(node), this.#port(node)];
      await ip("netns", "add", space);
      await ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", space);
      await ip("link", "set", port, "master", this.#bridge, "up");
      await ip("-n", space, "link", "set", "lo", "up");
      await ip("-n", space, "addr", "add", `${this.host(node)}/24`, "dev", "eth0");
      await ip("-n", space, "link", "set", "eth0", "up");
    }
  }
}
