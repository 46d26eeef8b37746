/**
 * Makes a node part of a cluster once its log is open (Q15.1 to Q15.4, Q16.1): it resumes, joins, bootstraps with
 * others, or bootstraps alone. The flags can be the same on every node and never have to be removed: a node that is
 * already in a cluster only tells the others its current address.
 * @module
 */
import { jitter, pause } from "../../base/worker/backoff.ts";
import { bootLoop } from "./boot_loop.ts";
import { type BootParts, ClusteringError, entryAddresses, untilSettled, untilSettledFor } from "./boot_parts.ts";
import { splitAddress } from "../../base/codec/address.ts";
import { WRONG_PORT_HEADER } from "../transport/listener.ts";
import { Progress } from "./progress.ts";
import { registerLoop } from "./register_loop.ts";
import { messageOf } from "../../base/codec/error_text.ts";

const PROBE_TIMEOUT_MS = 2000;
/** A node that is in a cluster looks for its leader this often at most, and at least every {@linkcode RESUME_MS_MAX}. */
const RESUME_MS = 1000;
const RESUME_MS_MAX = 8000;

/**
 * Resolves when this node knows the leader of its cluster.
 * @throws {ClusteringError} When that is impossible or takes longer than the flags allow.
 */
export async function boot(parts: BootParts): Promise<void> {
  const { options, cluster, log } = parts;
  const isMember = parts.memberCount() > 0;
  if (!options.tls) await Promise.all(options.join.map(refuseHttp));
  if (isMember) {
    const isExplicit = options.join.length > 0 && options.bootstrapExpect === 0 && !options.discovery;
    if (isExplicit && parts.isAlone()) {
      throw new ClusteringError(
        "node is the only node in a single-node cluster, joining other clusters not supported: start it without -join, " +
          "or with another data directory to join with nothing",
      );
    }
    return await resume(parts);
  }
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
  if (!options.isVoter) {
    throw new ClusteringError("cannot create a new non-voting node without joining it to an existing cluster");
  }
  if (options.bootstrapExpect > 1) {
    throw new ClusteringError(
      `-bootstrap-expect ${options.bootstrapExpect} needs -join or -disco-mode, to find the other nodes by`,
    );
  }
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
  const { options, cluster, signal } = parts;
  if (options.join.length > 0 || options.discovery) {
    parts.log(
      "this node is part of a cluster already: join, bootstrap and discovery flags are not needed for it any more",
    );
  }
  const progress = new Progress(parts.log);
  await untilSettledFor(parts, 200);
  for (let waitMs = RESUME_MS; !parts.settled() && !signal.aborted; waitMs = Math.min(waitMs * 1.5, RESUME_MS_MAX)) {
    try {
      const others = (await entryAddresses(parts)).filter((addr) => addr !== options.advertisedAddr);
      const outcome = await cluster.joinOnce(others);
      const reasons = "reasons" in outcome ? outcome.reasons : [];
      if (!parts.settled()) progress.say(`waiting for a leader of this node's cluster${because(reasons)}`);
    } catch (error) {
      progress.say(`waiting for a leader of this node's cluster (${messageOf(error)})`);
    }
    await untilSettledFor(parts, jitter(waitMs));
  }
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
