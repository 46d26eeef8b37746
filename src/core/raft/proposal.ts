/**
 * Proposals: what a leader takes into its log, and what it refuses before that (F2, F5). A refusal is definite: the
 * entry is in no log and may be proposed again (X2, X6).
 * @module
 */
import type { Input, Refusal } from "./effects.ts";
import { appendOwn } from "./replication.ts";
import { type Leadership, leadership, type RaftState } from "./state.ts";
import { isTransferring } from "./transfer.ts";

/** The core refused: definite, and safe to try again elsewhere or later. */
export class RefusedError extends Error {
  /** Always `RefusedError`. */
  override readonly name = "RefusedError";
  readonly why: Refusal;

  constructor(why: Refusal) {
    super(why.replaceAll("_", " "));
    this.why = why;
  }
}

/** Takes each item into the log or refuses it. */
export function onPropose(s: RaftState, items: Extract<Input, { k: "propose" }>["items"]): void {
  const lead = leadership(s);
  const blocked = lead === undefined ? "not_leader" : whyBlocked(s);
  for (const { ref, body } of items) {
    const why = blocked ?? (lead === undefined ? "not_leader" : whyRefused(s, lead, body.length));
    if (why !== undefined || lead === undefined) {
      s.out.proposals.push({ ref, id: null, why });
    } else {
      // Not the entry itself: whoever passes the id on to another thread would copy the body with it.
      const { index, term } = appendOwn(s, lead, "command", body);
      s.out.proposals.push({ ref, id: { index, term } });
    }
  }
}

function whyBlocked(s: RaftState): Refusal | undefined {
  if (s.storageFull) return "storage_full";
  return isTransferring(s) ? "transferring" : undefined;
}

function whyRefused(s: RaftState, lead: Leadership, bytes: number): Refusal | undefined {
  if (bytes > s.options.entryBytesMax) return "too_large";
  return lead.uncommittedBytes + bytes > s.options.uncommittedBytesMax ? "queue_full" : undefined;
}
