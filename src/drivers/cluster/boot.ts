/**
 * Makes a node part of a cluster once its log is open (Q15.1 to Q15.4, Q16.1): it resumes, joins, bootstraps with
 * others, or bootstraps alone. The flags can be the same on every node and never have to be removed: a node that is
 * already in a cluster only tells the others its current address.
 * @module
 */
import { jitter, pause } from "../../base/worker/backoff.ts";
import { bootLoop } from "./boot_loop.ts";
import {
  type BootParts,
  ClusteringError,
  entryAddresses,
  hasMembers,
  untilSettled,
  untilSettledFor,
} from "./boot_parts.ts";
import { splitAddress } from "../../base/codec/address.ts";
import { WRONG_PORT_HEADER } from "../transport/listener.ts";
import { newClusterFault } from "./new_cluster.ts";
import { Progress } from "./progress.ts";
import { REMOVED } from "./removal.ts";
import { registerLoop } from "./register_loop.ts";
import { messageOf } from "../../base/codec/error_text.ts";

const PROBE_TIMEOUT_MS = 2000;
/** A node that is in a cluster looks for its leader this often at most, and at least every {@linkcode RESUME_MS_MAX}. */
const RESUME_MS = 1000;
const RESUME_MS_MAX = 8000;
/** Pause between two looks at what has come from the leader. */
const COMMIT_LOOK_MS = 50;
/** Times that a leader is asked what it has committed. */
const COMMIT_TRIES = 10;

/**
 * Resolves when this node knows the leader of its cluster.
 * @throws {ClusteringError} When that is impossible or takes longer than the flags allow.
 */
export async function boot(parts: BootParts): Promise<void> {
  if (hasMembers(parts)) return await resume(parts);
  await enter(parts);
  parts.removal.placed();
}

/** A node without a cluster. */
async function enter(parts: BootParts): Promise<void> {
  const { options, cluster, log } = parts;
  if (!options.tls) await Promise.all(options.join.map(refuseHttp));
  if (options.rejoin.length > 0) {
    log(`this node's data were set aside as damaged: it joins the cluster again, through ${options.rejoin.join(", ")}`);
    return await joinLoop(parts, options.rejoin);
  }
  if (options.bootstrapAlone) {
    log("starting a cluster of this node alone, as -bootstrap says");
    await cluster.bootstrapAlone();
    return await untilSettled(parts);
  }
  if (options.discovery?.kind === "register") return await registerLoop(parts);
  if (options.bootstrapExpect > 0 && (options.join.length > 0 || options.discovery)) return await bootLoop(parts);
  if (options.join.length > 0) return await joinLoop(parts, options.join);
  if (options.discovery) return await bootLoop(parts); // a read replica: it joins what the names lead to
  const fault = newClusterFault({ ...options, hasEntry: false });
  if (fault !== undefined) throw new ClusteringError(fault);
  log("no cluster to join: starting one of this node alone");
  await cluster.bootstrapAlone();
  return await untilSettled(parts);
}

/** Any HTTP answer means that the wrong port was given (Q15.2). */
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
    throw new ClusteringError(
      `join address ${addr} appears to be serving HTTP when it should be Raft (usually port 4002)`,
    );
  }
}

/** In a cluster already: says where it is now, as long as nobody has heard; never gives up. */
async function resume(parts: BootParts): Promise<void> {
  const { options, log } = parts;
  if (!options.tls) await Promise.all(options.join.map(refuseHttp));
  const isExplicit = options.join.length > 0 && options.bootstrapExpect === 0 && !options.discovery;
  if (isExplicit && parts.membership().config.members.every(({ id }) => id === options.nodeId)) {
    throw new ClusteringError(
      "node is the only node in a single-node cluster, joining other clusters not supported: start it without -join, " +
        "or with another data directory to join with nothing",
    );
  }
  if (options.join.length > 0 || options.discovery) {
    log(
      "this node is part of a cluster already: join, bootstrap and discovery flags matter only if it was removed from it",
    );
  }
  await untilSettledFor(parts, 200);
  await askUntilSettled(parts, new Progress(log));
  // The rest may take as long as all that the node has missed: nobody who waits for its part in the cluster waits for that.
  void joinIfRemoved(parts);
}

/** Has the leader hear of this node until it is settled. */
async function askUntilSettled(parts: BootParts, progress: Progress): Promise<void> {
  const { options, cluster, signal } = parts;
  for (let waitMs = RESUME_MS; !parts.settled() && !signal.aborted; waitMs = Math.min(waitMs * 1.5, RESUME_MS_MAX)) {
    try {
      const others = (await entryAddresses(parts)).filter((addr) => addr !== options.advertisedAddr);
      const outcome = await cluster.joinOnce(others);
      const reasons = "reasons" in outcome ? outcome.reasons : [];
      if (parts.settled()) return;
      if (others.length === 0 && parts.removal.isOutOf(parts.membership())) progress.say(REMOVED);
      else progress.say(`waiting for a leader of this node's cluster${because(reasons)}`);
    } catch (error) {
      progress.say(`waiting for a leader of this node's cluster (${messageOf(error)})`);
    }
    await untilSettledFor(parts, jitter(waitMs));
  }
}

/**
 * A node that was removed while it was down may hear from a leader first, and of its removal afterwards. It belongs to the cluster when
 * it has all that was committed at the start, and belongs to it then; until that it asks to be taken in again.
 */
async function joinIfRemoved(parts: BootParts): Promise<void> {
  const { signal, log } = parts;
  const progress = new Progress(log);
  for (let tries = 0; tries < COMMIT_TRIES && !signal.aborted; tries++) {
    try {
      const commit = await parts.leaderCommit(PROBE_TIMEOUT_MS);
      while (parts.membership().commit < commit && parts.settled() && !signal.aborted) {
        await pause(COMMIT_LOOK_MS, signal);
      }
      if (parts.settled()) break;
      tries = 0;
    } catch {
      // it has just stepped down, or is of a version that does not tell
    }
    if (parts.settled()) await pause(RESUME_MS, signal);
    else await askUntilSettled(parts, progress);
  }
  parts.removal.placed();
}

function because(reasons: readonly string[]): string {
  return reasons.length === 0 ? "" : ` (${reasons.join("; ")})`;
}

async function joinLoop(parts: BootParts, addresses: readonly string[]): Promise<void> {
  const { options, cluster, signal, log } = parts;
  let reasons = "";
  for (let attempt = 1; attempt <= options.joinAttempts && !signal.aborted; attempt++) {
    const outcome = await cluster.joinOnce(addresses);
    if ("joined" in outcome) {
      log(`successfully joined cluster at ${outcome.joined}`);
      return await untilSettled(parts);
    }
    reasons = outcome.reasons.join("; ");
    log(`failed to join cluster (attempt ${attempt} of ${options.joinAttempts}): ${reasons}`);
    if (attempt < options.joinAttempts) await pause(options.joinIntervalMs, signal);
  }
  if (!signal.aborted) {
    throw new ClusteringError(`failed to join cluster after ${options.joinAttempts} attempts: ${reasons}`);
  }
}
