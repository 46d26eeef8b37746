/**
 * Replication, the follower's half: whom to follow, which entries to take, what to answer (L1 to L5).
 * @module
 */
import { DecodeError } from "../../base/codec/cursor.ts";
import { invariant } from "../../invariant.ts";
import { decodeConfig } from "./configuration.ts";
import { promise } from "./lease.ts";
import { checkHolds } from "./lost_entries.ts";
import type { AppendEntries, AppendReply, Config, Entry, EntryId, Heartbeat, Index } from "./message.ts";
import { becomeFollower, commitTo, drop, leadership, noteRole, type RaftState, restartTimer, send } from "./state.ts";

/** Takes what a leader of our term or a higher one says about itself (E4, E11). */
function followLeader(s: RaftState, m: AppendEntries | Heartbeat): void {
  const isNew = m.term > s.term || s.leader !== m.from;
  if (m.term > s.term) {
    becomeFollower(s, m.term, `"${m.from}" leads a higher term`);
  } else {
    invariant(s.part.role !== "leader" && (s.leader === null || s.leader === m.from), "two leaders in one term (E11)");
    if (s.part.role !== "follower") becomeFollower(s, m.term, `"${m.from}" won the election`);
  }
  s.leader = m.from;
  s.removedAt = 0;
  s.timer.sinceLeader = 0;
  restartTimer(s);
  promise(s);
  if (isNew) noteRole(s, `"${m.from}" leads`);
}

/** Follower: entries from the leader. */
export function onAppend(s: RaftState, m: AppendEntries): void {
  if (m.term < s.term) {
    // E12: whoever sent this can only learn of our term from an answer.
    send(s, rejection(s, m));
    return;
  }
  const configs = decodeConfigs(m.entries);
  if (configs === undefined) return drop(s);
  followLeader(s, m);
  if (m.prev.index < s.commit) return sendAccepted(s, m, s.commit);
  if (s.log.termAt(m.prev.index) !== m.prev.term) return send(s, rejection(s, m));
  takeEntries(s, m.entries, configs);
  const match = m.prev.index + m.entries.length;
  // L5: our tail behind `match` may be garbage of an old term, so the leader's commit index alone proves nothing.
  commitTo(s, Math.min(m.commit, match));
  sendAccepted(s, m, match);
}

function decodeConfigs(entries: readonly Entry[]): Config[] | undefined {
  const configs: Config[] = [];
  for (const entry of entries) {
    if (entry.kind !== "config") continue;
    try {
      configs.push(decodeConfig(entry.body, entry.index));
    } catch (error) {
      if (error instanceof DecodeError) return undefined;
      throw error;
    }
  }
  return configs;
}

/** Takes entries that follow a matching one, dropping a conflicting suffix (L3). */
function takeEntries(s: RaftState, entries: readonly Entry[], configs: readonly Config[]): void {
  let known = 0;
  while (known < entries.length && s.log.termAt(entries[known].index) === entries[known].term) known++;
  if (known === entries.length) return;
  const first = entries[known].index;
  if (first <= s.log.last) {
    invariant(first > s.commit, "the leader contradicts a committed entry (L3)");
    s.log.truncate(first);
    s.configs.truncate(first);
  }
  for (let at = known; at < entries.length; at++) s.log.append(entries[at]);
  for (const config of configs) if (config.at >= first) s.configs.push(config);
}

/** Queues a positive reply, or raises the one already queued: matches only grow while one leader is followed. */
function sendAccepted(s: RaftState, m: AppendEntries, match: Index): void {
  s.acknowledged = Math.max(s.acknowledged, match);
  const queued = s.out.send;
  const last = queued.length > 0 ? queued[queued.length - 1] : undefined;
  let index = match;
  let round = m.round;
  if (last?.m.k === "appendReply" && last.m.ok && last.m.to === m.from && last.m.term === s.term) {
    index = Math.max(index, last.m.index);
    round = Math.max(round, last.m.round);
    queued.pop();
  }
  const hint = { index: 0, term: 0 };
  queued.push({
    m: { k: "appendReply", from: s.id, to: m.from, term: s.term, ok: true, index, hint, round },
    gate: "log",
    index,
  });
}

function rejection(s: RaftState, m: AppendEntries): AppendReply {
  const index = s.log.lastIndexAtMost(Math.min(m.prev.index, s.log.last), m.prev.term);
  const hint = { index, term: s.log.termAt(index) ?? 0 };
  return {
    k: "appendReply",
    from: s.id,
    to: m.from,
    term: s.term,
    ok: false,
    index: m.prev.index,
    hint,
    round: m.round,
  };
}

/** Follower: the leader lives. @throws {LostEntriesError} When it remembers what this log lacks (L5). */
export function onHeartbeat(s: RaftState, m: Heartbeat): void {
  if (m.term >= s.term) {
    followLeader(s, m);
    checkHolds(s.log, m.commit);
    if (m.commit.term > 0) commitTo(s, m.commit.index);
  }
  send(s, { k: "heartbeatReply", from: s.id, to: m.from, term: s.term, round: m.round });
}

/**
 * A snapshot lies ready, whole and verified (S7). What this node has committed already, or holds anyway, needs none;
 * otherwise it takes the place of database and log with the next write.
 */
export function onSnapshotReceived(s: RaftState, base: EntryId, config: Config): void {
  if (base.index <= s.commit) return;
  // Whoever made it leads a term that this node will hear of first.
  if (base.term > s.term || leadership(s) !== undefined) return drop(s);
  if (s.log.termAt(base.index) === base.term) return void commitTo(s, base.index);
  s.log.install(base, s.commit);
  s.configs.reset(config);
  s.commit = base.index;
  s.applied = base.index;
}
