/**
 * Figures about gossip, all texts: those of `serf info` and of `serf_lan` in `consul info`, then muster's own.
 * @module
 */
import type { Engine } from "./engine.ts";

/** The figures now. */
export function statsOf({ serf: { state }, packets }: Engine): Record<string, string> {
  const { net } = state;
  let dropped = 0;
  for (const count of net.dropped.values()) dropped += count;
  const figures = {
    coordinate_resets: state.coordinates.resets,
    encrypted: state.cipher !== undefined,
    event_queue: state.eventQueue.length,
    event_time: state.eventClock.time,
    failed: state.count("failed"),
    health_score: net.awareness.score,
    intent_queue: state.intentQueue.length,
    left: state.count("left"),
    member_time: state.clock.time,
    members: state.members.size,
    query_queue: state.queryQueue.length,
    query_time: state.queryClock.time,
    broadcast_queue: net.queue.length,
    dropped,
    incarnation: net.incarnation,
    nodes: net.table.size,
    packets_received: packets.received,
    packets_sent: packets.sent,
    packets_unsent: packets.unsent,
    suspicions: net.suspicions.size,
  };
  const reasons = [...net.dropped].map(([reason, count]) => [`dropped: ${reason}`, count]);
  return Object.fromEntries([...Object.entries(figures), ...reasons].map(([key, value]) => [key, String(value)]));
}
