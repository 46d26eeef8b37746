/**
 * What a node does to become part of a cluster, once its log is open (spec/rqlite.md 15.1 to 15.4): resume, join, form
 * one with others, or start one alone. The same flags may stand on every node and stay for ever: a node that is in a
 * cluster already only tells the others where it is now.
 * @module
 */
import type { ReplicaOptions } from "./api.ts";
import { pause } from "./backoff.ts";
import type { Cluster } from "./cluster.ts";
import { splitAddress } from "../codec/address.ts";
import { WRONG_PORT_HEADER } from "./listener.ts";

/** The node cannot become part of a cluster: the process ends with this message. */
export class ClusteringError extends Error {
  /** Always `ClusteringError`. */
  override readonly name = "ClusteringError";

  constructor(message: string) {
    super(`clustering failure: ${message}`);
  }
}

/** Surroundings of the boot. */
export interface BootParts {
  readonly options: ReplicaOptions;
  readonly cluster: Cluster;
  /** Members of the stored configuration; 0 for a new node. */
  memberCount(): number;
  /** Whether a leader is known, and has this node at its present address. */
  settled(): boolean;
  /** Ends the waiting at a shutdown. */
  readonly signal: AbortSignal;
  log(line: string): void;
}

const PROBE_TIMEOUT_MS = 2000;

/**
 * Resolves when this node knows the leader of its cluster.
 * @throws {ClusteringError} When that is impossible or takes longer than the flags allow.
 */
export async function boot(parts: BootParts): Promise<void> {
  const { options, cluster, log } = parts;
  const isMember = parts.memberCount() > 0;
  await Promise.all(options.join.map(refuseHttp));
  if (isMember) return await resume(parts);
  if (options.join.length === 0) {
    if (!options.isVoter) {
      throw new ClusteringError("cannot create a new non-voting node without joining it to an existing cluster");
    }
    log("no cluster to join: starting one of this node alone");
    await cluster.bootstrapAlone();
    return await untilSettled(parts);
  }
  return options.bootstrapExpect > 0 ? await bootLoop(parts) : await joinLoop(parts);
}

/** Any HTTP answer means that the wrong port was given (15.2). */
async function refuseHttp(addr: string): Promise<void> {
  let answer = "";
  try {
    const { hostname, port } = splitAddress(addr);
    const conn = await Deno.connect({ hostname, port, signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    const timer = setTimeout(() => conn.close(), PROBE_TIMEOUT_MS);
    try {
      await conn.write(new TextEncoder().encode(`GET /status HTTP/1.1\r\nHost: ${addr}\r\nConnection: close\r\n\r\n`));
      const chunk = new Uint8Array(2048);
      const count = await conn.read(chunk);
      answer = new TextDecoder().decode(chunk.subarray(0, count ?? 0));
    } finally {
      clearTimeout(timer);
      conn.close();
    }
  } catch {
    return; // nobody there yet: joining will tell
  }
  if (answer.startsWith("HTTP/") && !answer.includes(WRONG_PORT_HEADER)) {
    throw new ClusteringError(`join address ${addr} appears to be serving HTTP when it should be Raft`);
  }
}

/** In a cluster already: says where it is now, as long as nobody has heard; never gives up. */
async function resume(parts: BootParts): Promise<void> {
  const { options, cluster, signal, log } = parts;
  if (options.join.length > 0) {
    log("this node is part of a cluster already: join and bootstrap flags are not needed any more");
  }
  for (let round = 0; !parts.settled() && !signal.aborted; round++) {
    await pause(round === 0 ? 200 : 1000 + Math.random() * 1000, signal);
    if (options.join.length === 0 || parts.settled()) continue;
    const outcome = await cluster.joinOnce(options.join.filter((addr) => addr !== options.advertisedAddr));
    if (round % 10 === 9 && "reasons" in outcome) log(`still waiting for a leader (${outcome.reasons.join("; ")})`);
  }
}

async function untilSettled(parts: BootParts): Promise<void> {
  while (!parts.settled() && !parts.signal.aborted) await pause(5, parts.signal);
}

async function joinLoop(parts: BootParts): Promise<void> {
  const { options, cluster, signal, log } = parts;
  for (let attempt = 1; attempt <= options.joinAttempts && !signal.aborted; attempt++) {
    const outcome = await cluster.joinOnce(options.join);
    if ("joined" in outcome) {
      log(`successfully joined cluster at ${outcome.joined}`);
      return await untilSettled(parts);
    }
    log(`failed to join cluster (attempt ${attempt} of ${options.joinAttempts}): ${outcome.reasons.join("; ")}`);
    if (attempt < options.joinAttempts) await pause(options.joinIntervalMs, signal);
  }
  if (!signal.aborted) throw new ClusteringError("failed to join cluster: failed to join cluster");
}

/** Join an existing cluster if there is one, otherwise help to form one (15.4). */
async function bootLoop(parts: BootParts): Promise<void> {
  const { options, cluster, signal, log } = parts;
  const deadline = performance.now() + options.bootstrapTimeoutMs;
  let complaint = "";
  for (let round = 0; !signal.aborted; round++) {
    if (parts.settled()) return log("boot operation marked done: a leader is known");
    if (performance.now() > deadline) throw new ClusteringError("boot timeout");
    if (parts.memberCount() === 0) {
      const outcome = await cluster.joinOnce(options.join);
      if ("joined" in outcome) {
        log(`successfully joined cluster at ${outcome.joined}`);
        return await untilSettled(parts);
      }
      try {
        if (options.isVoter) await cluster.notify(options.join);
        complaint = "";
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        if (why !== complaint) log(`waiting for ${options.bootstrapExpect} nodes to form a cluster: ${why}`);
        complaint = why;
      }
    }
    await pauseUnlessSettled(parts, round < 5 ? 200 + Math.random() * 200 : 1000 + Math.random() * 1000);
  }
}

async function pauseUnlessSettled(parts: BootParts, ms: number): Promise<void> {
  const until = performance.now() + ms;
  while (performance.now() < until && !parts.settled() && !parts.signal.aborted) await pause(10, parts.signal);
}
