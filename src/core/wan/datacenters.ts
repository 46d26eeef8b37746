/**
 * The servers of other datacenters, and which of them to ask next: pure, time and chance come from outside.
 *
 * - Only servers that gossip calls alive are asked. Those of a datacenter take turns, so that load is shared.
 * - A server that could not be reached is left alone for {@linkcode REST_MS}; then one request tries it, and the others
 *   leave it alone until that one knows more. So a datacenter that is cut off costs each other request no time at all.
 * - Requests to one datacenter are limited, so that those that wait for it leave room for the rest.
 * @module
 */

/** A server, as the pool of all datacenters tells of it. */
export interface WanServer {
  /** `NODE.DATACENTER`. */
  readonly name: string;
  readonly datacenter: string;
  /** Cluster address, `host:port`. */
  readonly addr: string;
  readonly isAlive: boolean;
}

/** The next step of a request. */
export type Step =
  /** There is no such datacenter. */
  | { readonly k: "unknown" }
  /** No server of it can be asked now, or none that was not tried. */
  | { readonly k: "nobody" }
  /** Too many requests to it are under way. */
  | { readonly k: "busy" }
  | { readonly k: "ask"; readonly addr: string };

/** How long a server that could not be reached is left alone. */
export const REST_MS = 5000;
/** Requests to one datacenter at a time; blocking queries are among them, for minutes. */
export const REQUESTS_MAX = 4096;

interface Health {
  /** Left alone until then. */
  restsUntilMs: number;
  /** Whether a request is trying it after a rest. */
  isTried: boolean;
}

/** All other datacenters. */
export class Datacenters {
  readonly #own: string;
  #servers: readonly WanServer[] = [];
  /** Of those servers that could not be reached lately. */
  readonly #health = new Map<string, Health>();
  /** Requests under way, by datacenter. */
  readonly #requests = new Map<string, number>();
  /** By datacenter, which server is asked next. */
  readonly #turns = new Map<string, number>();

  /** @param own Name of this server's datacenter. */
  constructor(own: string) {
    this.#own = own;
  }

  /** Takes the servers as gossip tells of them now. */
  setServers(servers: readonly WanServer[]): void {
    // One that has come back is not to wait for the end of its rest.
    const wereDown = new Set(this.#servers.filter(({ isAlive }) => !isAlive).map(({ addr }) => addr));
    for (const { addr, isAlive } of servers) if (isAlive && wereDown.has(addr)) this.#health.delete(addr);
    this.#servers = servers;
    const addrs = new Set(servers.map(({ addr }) => addr));
    for (const addr of this.#health.keys()) if (!addrs.has(addr)) this.#health.delete(addr);
  }

  /** Names of all datacenters, the own one among them, in alphabetical order. */
  get names(): string[] {
    return [...new Set([this.#own, ...this.#servers.map(({ datacenter }) => datacenter)])].sort();
  }

  /** The servers of a datacenter. */
  serversOf(datacenter: string): readonly WanServer[] {
    return this.#servers.filter((server) => server.datacenter === datacenter);
  }

  /**
   * Begins a request.
   * @returns Whether there is room; then {@linkcode end} is to follow.
   */
  begin(datacenter: string): boolean {
    const count = this.#requests.get(datacenter) ?? 0;
    if (count >= REQUESTS_MAX) return false;
    this.#requests.set(datacenter, count + 1);
    return true;
  }

  /** Ends a request. */
  end(datacenter: string): void {
    const count = (this.#requests.get(datacenter) ?? 1) - 1;
    if (count > 0) this.#requests.set(datacenter, count);
    else this.#requests.delete(datacenter);
  }

  /**
   * The next server for a request. The answer has to be reported, by {@linkcode reached} or {@linkcode unreached}.
   * @param tried Addresses that the request has tried.
   */
  next(datacenter: string, tried: ReadonlySet<string>, nowMs: number): Step {
    const servers = this.serversOf(datacenter);
    if (servers.length === 0) return { k: "unknown" };
    const fit = servers.filter(({ addr, isAlive }) => isAlive && !tried.has(addr) && this.#mayBeAsked(addr, nowMs));
    if (fit.length === 0) return { k: "nobody" };
    // Those that were reached last time come first.
    const sound = fit.filter(({ addr }) => !this.#health.has(addr));
    const choice = sound.length > 0 ? sound : fit;
    const turn = this.#turns.get(datacenter) ?? 0;
    this.#turns.set(datacenter, turn + 1);
    const { addr } = choice[turn % choice.length];
    const health = this.#health.get(addr);
    if (health) health.isTried = true;
    return { k: "ask", addr };
  }

  #mayBeAsked(addr: string, nowMs: number): boolean {
    const health = this.#health.get(addr);
    return !health || health.restsUntilMs <= nowMs && !health.isTried;
  }

  /** A server has taken a request. */
  reached(addr: string): void {
    this.#health.delete(addr);
  }

  /** A server could not be reached, or has gone quiet. */
  unreached(addr: string, nowMs: number): void {
    this.#health.set(addr, { restsUntilMs: nowMs + REST_MS, isTried: false });
  }
}

/**
 * Sorts datacenters by distance: the own one first, then by the median of the round trips to their servers; those of unknown
 * distance at the end, by name.
 * @param secondsTo Estimated round trips to the servers of a datacenter.
 */
export function byDistance(
  names: readonly string[],
  own: string,
  secondsTo: (datacenter: string) => readonly number[],
): string[] {
  const far = names.map((name) => ({ name, seconds: name === own ? 0 : median(secondsTo(name)) }));
  const order = (one: { name: string }) => one.name === own ? 0 : 1;
  return far.toSorted((a, b) =>
    order(a) - order(b) || (a.seconds === b.seconds ? 0 : a.seconds - b.seconds) || (a.name < b.name ? -1 : 1)
  ).map(({ name }) => name);
}

/** Infinity for none. */
function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Infinity;
}
