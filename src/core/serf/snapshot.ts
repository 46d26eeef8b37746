/**
 * The snapshot by which a node remembers its pool over a restart (G5.12): lines of text, appended. Pure.
 *
 *   alive: NAME IP:PORT | not-alive: NAME | clock: N | event-clock: N | query-clock: N | leave
 *
 * A line without its end was torn and is disregarded, as is what is not understood. `leave` forgets all before it.
 * @module
 */
import { splitAddress } from "../../base/codec/address.ts";
import type { RestoredClocks } from "./state.ts";

/** Members that are remembered, and bytes that are read. */
export const SNAPSHOT_MEMBERS_MAX = 1 << 16;
/** Size at which the file is written anew, with few members. */
const COMPACT_BYTES_MIN = 128 * 1024;
const BYTES_PER_MEMBER = 128;

/** The content of a snapshot. */
export interface Snapshot {
  /** Addresses by name, as `IP:PORT`. */
  readonly alive: Map<string, string>;
  clocks: RestoredClocks;
}

const NO_CLOCKS: RestoredClocks = { member: 0n, event: 0n, query: 0n };

/** One line. */
export type SnapshotLine =
  | { readonly k: "alive"; readonly name: string; readonly address: string }
  | { readonly k: "not-alive"; readonly name: string }
  | { readonly k: "clocks"; readonly clocks: RestoredClocks }
  | { readonly k: "leave" };

/** A line as text; names with a line break cannot be told and are left out. */
export function encodeSnapshotLine(line: SnapshotLine): string {
  switch (line.k) {
    case "alive":
      return line.name.includes("\n") ? "" : `alive: ${line.name} ${line.address}\n`;
    case "not-alive":
      return line.name.includes("\n") ? "" : `not-alive: ${line.name}\n`;
    case "clocks": {
      const { member, event, query } = line.clocks;
      return `clock: ${member}\nevent-clock: ${event}\nquery-clock: ${query}\n`;
    }
    case "leave":
      return "leave\n";
  }
}

/** The whole as text. */
export function encodeSnapshot({ alive, clocks }: Snapshot): string {
  const lines = [...alive].map(([name, address]) => encodeSnapshotLine({ k: "alive", name, address }));
  return lines.join("") + encodeSnapshotLine({ k: "clocks", clocks });
}

/** Whether a file of `bytes` is to be written anew. */
export function isCompactionDue(bytes: number, members: number): boolean {
  return bytes > Math.max(COMPACT_BYTES_MIN, 2 * BYTES_PER_MEMBER * members);
}

/** Reads a snapshot. */
export function decodeSnapshot(text: string, { rejoinAfterLeave }: { rejoinAfterLeave: boolean }): Snapshot {
  const snapshot: Snapshot = { alive: new Map(), clocks: NO_CLOCKS };
  for (const line of text.split("\n").slice(0, -1)) {
    if (line !== "leave") apply(snapshot, line);
    else if (!rejoinAfterLeave) {
      snapshot.alive.clear();
      snapshot.clocks = NO_CLOCKS;
    }
  }
  return snapshot;
}

function apply(snapshot: Snapshot, line: string): void {
  const { alive } = snapshot;
  const colon = line.indexOf(": ");
  const [key, value] = [line.slice(0, colon), line.slice(colon + 2)];
  const space = value.lastIndexOf(" ");
  const number = /^\d{1,20}$/.test(value) ? BigInt(value) : undefined;
  if (key === "alive" && space > 0 && isAddress(value.slice(space + 1))) {
    if (alive.size < SNAPSHOT_MEMBERS_MAX) alive.set(value.slice(0, space), value.slice(space + 1));
  } else if (key === "not-alive") alive.delete(value);
  else if (number === undefined) return;
  else if (key === "clock") snapshot.clocks = { ...snapshot.clocks, member: number };
  else if (key === "event-clock") snapshot.clocks = { ...snapshot.clocks, event: number };
  else if (key === "query-clock") snapshot.clocks = { ...snapshot.clocks, query: number };
}

function isAddress(text: string): boolean {
  try {
    return splitAddress(text).port > 0;
  } catch {
    return false;
  }
}
