/**
 * Several new nodes become one cluster (Q15.4): each looks whether there is a cluster already, which always
 * comes first, and otherwise tells the others that it is ready. Where the addresses come from makes no difference: the
 * command line, or DNS, whose answer may change from round to round.
 * @module
 */
import { jitter } from "../../base/worker/backoff.ts";
import {
  type BootParts,
  ClusteringError,
  entryAddresses,
  hasMembers,
  untilSettled,
  untilSettledFor,
} from "./boot_parts.ts";
import type { Probed } from "./probed.ts";
import { Progress } from "./progress.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** Rounds that follow quickly: nodes started together find each other at once. */
const QUICK_ROUNDS = 10;
const QUICK_ROUND_MS = 400;
const ROUND_MS = 2000;

/**
 * Resolves when this node knows the leader of its cluster.
 * @throws {ClusteringError} When that takes longer than `-bootstrap-expect-timeout`.
 */
export async function bootLoop(parts: BootParts): Promise<void> {
  const { options, signal, log } = parts;
  const deadline = performance.now() + options.bootstrapTimeoutMs;
  const progress = new Progress(log);
  for (let round = 0; !signal.aborted; round++) {
    if (parts.settled()) return log("boot operation marked done: a leader is known");
    if (performance.now() > deadline) throw new ClusteringError("boot timeout");
    if (hasMembers(parts)) progress.say("this node is in a cluster: waiting for its leader");
    else if (await enter(parts, progress)) return await untilSettled(parts);
    await untilSettledFor(parts, jitter(round < QUICK_ROUNDS ? QUICK_ROUND_MS : ROUND_MS));
  }
}

/** One round; whether a cluster took this node in. */
async function enter(parts: BootParts, progress: Progress): Promise<boolean> {
  const { cluster, options, log } = parts;
  let addrs: readonly string[];
  try {
    addrs = await entryAddresses(parts);
  } catch (error) {
    progress.say(`waiting for addresses of nodes: ${messageOf(error)}`);
    return false;
  }
  const probed = await cluster.probe(addrs);
  const members = probed.filter(({ state }) => state === "member").map(({ addr }) => addr);
  if (members.length > 0) {
    const outcome = await cluster.joinOnce(members);
    if ("joined" in outcome) {
      log(`successfully joined cluster at ${outcome.joined}`);
      return true;
    }
    progress.say(`there is a cluster; waiting for it to take this node in (${outcome.reasons.join("; ")})`);
  } else if (options.isVoter) {
    const awaited = await cluster.notify(probed);
    if (!hasMembers(parts)) progress.say(awaitedText(parts, awaited));
  } else {
    progress.say(`waiting for a cluster to join${awaitedOf(probed.filter(({ state }) => state !== "idle"))}`);
  }
  return false;
}

function awaitedText({ cluster, options }: BootParts, awaited: readonly Probed[]): string {
  const ready = cluster.ready;
  if (options.bootstrapExpect === 0) {
    return `no cluster found yet, waiting for a server that has one${awaitedOf(awaited)}`;
  }
  const known = `${ready.length} of ${options.bootstrapExpect} nodes known (${ready.join(", ")})`;
  if (awaited.length > 0) return `${known}${awaitedOf(awaited)}`;
  return ready.length < options.bootstrapExpect
    ? `${known}, waiting for ${options.bootstrapExpect - ready.length} more to be found`
    : `${known}, forming the cluster`;
}

function awaitedOf(probed: readonly Probed[]): string {
  if (probed.length === 0) return "";
  return `, waiting for ${probed.map(({ addr, why }) => `${addr} (${why})`).join(", ")}`;
}
