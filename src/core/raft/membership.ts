/**
 * Changing the members of a running cluster, one at a time (M1 to M11, dissertation §4.1 with the correction of
 * 2015): what a leader checks, and what it then does to its peers.
 * @module
 */
import { changedConfig, configFault, encodeConfig, memberOf, sortedConfig } from "./configuration.ts";
import type { ConfigChange, Refusal } from "./effects.ts";
import { campaign, isOnlyVoter } from "./election.ts";
import type { Config, EntryId } from "./message.ts";
import { createProgress, type Progress } from "./progress.ts";
import { appendOwn, progressOf } from "./replication.ts";
import { enterTerm, type Leadership, leadership, type RaftState, refuse } from "./state.ts";
import { isTransferring } from "./transfer.ts";

/** Slow rounds after which a learner is no longer promoted by itself (M5). */
const SLOW_ROUNDS_MAX = 10;

/** Takes a change into the log, or refuses it. */
export function onReconfigure(s: RaftState, ref: number, change: ConfigChange): void {
  const lead = leadership(s);
  if (lead === undefined) return refuse(s, ref, "not_leader");
  const changed = permitted(s, lead, change);
  if (typeof changed === "string") return refuse(s, ref, changed);
  s.out.answers.push({ ref, id: appendConfig(s, lead, changed) });
}

function permitted(s: RaftState, lead: Leadership, change: ConfigChange): Config | Refusal {
  const busy = whyBusy(s, lead);
  if (busy !== undefined) return busy;
  // M6: a leader does not manage its own removal. The only voter has nobody to hand over to.
  if (change.k === "remove" && change.id === s.id) return isOnlyVoter(s) ? "last_voter" : "is_leader";
  const changed = changedConfig(s.configs.current, change);
  if (typeof changed === "string" || change.k !== "promote") return changed;
  const peer = progressOf(lead, change.id);
  return peer !== undefined && isCaughtUp(s, peer) ? changed : "not_caught_up";
}

/** Why no configuration may be appended now (M2), or `undefined`. */
function whyBusy(s: RaftState, lead: Leadership): Refusal | undefined {
  if (s.storageFull) return "storage_full";
  if (isTransferring(s)) return "transferring";
  // (a): without it two leaders can change a common ancestor into sets with disjoint majorities.
  if (s.commit < lead.firstIndex) return "not_ready";
  if (s.configs.current.at > s.commit) return "config_pending";
  return undefined;
}

/** Whether a learner's newest round was short, and it was heard just now: a second voter is needed at once (M5, M7). */
function isCaughtUp(s: RaftState, peer: Progress): boolean {
  const round = peer.catchUp;
  const onTime = peer.match >= round.target || s.timer.now - round.startedAt < s.options.electionTicks;
  return round.caughtUp && onTime && s.timer.now - peer.heardAt <= 2 * s.options.heartbeatTicks;
}

function appendConfig(s: RaftState, lead: Leadership, config: Config): EntryId {
  const old = s.configs.current;
  const { index, term } = appendOwn(s, lead, "config", encodeConfig(config));
  s.configs.push({ ...config, at: index });
  updatePeers(s, lead, old);
  // C2: the new majority may already hold more.
  lead.commitDirty = true;
  return { index, term };
}

/** Makes the leader's peers those of the configuration just appended. */
function updatePeers(s: RaftState, lead: Leadership, old: Config): void {
  const config = s.configs.current;
  // Whoever is new starts with a new round, so that answers to earlier messages are told from answers to its own.
  const start = { last: s.log.last, now: s.timer.now, roundMin: ++lead.round };
  const window = { messages: s.options.inflightMessagesMax, bytes: s.options.inflightBytesMax };
  const peers: Progress[] = [];
  for (const { id, storageId } of config.members) {
    if (id === s.id) continue;
    const peer = progressOf(lead, id);
    // Another storage id is another disk: nothing that was acknowledged before is on it.
    const isSame = peer?.sendMax === Infinity && memberOf(old, id)?.storageId === storageId;
    peers.push(peer !== undefined && isSame ? peer : createProgress(id, start, window));
    // Messages queued for the old disk must not reach the new one: their commit index covers lost entries (L5).
    if (peer !== undefined && !isSame) s.out.send = s.out.send.filter(({ m }) => m.to !== id);
  }
  for (const peer of lead.peers) {
    if (memberOf(config, peer.id) !== undefined) continue;
    // M9: not beyond its own removal, until that is committed.
    if (peer.sendMax === Infinity) peer.sendMax = config.at - 1;
    peers.push(peer);
  }
  lead.peers = peers;
}

/** A tick's part in membership: promotes a learner that has caught up (M5). */
export function promoteLearner(s: RaftState, lead: Leadership): void {
  const config = s.configs.current;
  for (const { id, role } of config.members) {
    if (role !== "learner") continue;
    const peer = progressOf(lead, id);
    if (peer === undefined || peer.catchUp.slowRounds >= SLOW_ROUNDS_MAX || !isCaughtUp(s, peer)) continue;
    if (whyBusy(s, lead) !== undefined) return;
    const changed = changedConfig(config, { k: "promote", id });
    if (typeof changed !== "string") appendConfig(s, lead, changed);
    return;
  }
}

/** Forms a cluster: one configuration entry at (1, 1), the same on every node that is given the same members (M11). */
export function onBootstrap(s: RaftState, ref: number, wanted: Config): void {
  if (s.log.last > 0 || s.term > 0) return refuse(s, ref, "already_bootstrapped");
  const config = sortedConfig({ ...wanted, at: 1 });
  if (configFault(config) !== undefined) return refuse(s, ref, "invalid_change");
  enterTerm(s, 1);
  s.log.append({ index: 1, term: 1, kind: "config", body: encodeConfig(config) });
  s.configs.push(config);
  s.out.answers.push({ ref, id: { index: 1, term: 1 } });
  campaignIfAlone(s);
}

/** The only voter has no one to ask and no reason to wait. */
export function campaignIfAlone(s: RaftState): void {
  if (isOnlyVoter(s) && s.part.role === "follower") campaign(s, false, "it is the only voter");
}
