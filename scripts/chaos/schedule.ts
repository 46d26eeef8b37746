/**
 * Which faults come, in which order, for how long: all of it from the seed. Each kind comes once before any comes
 * again. Pure.
 * @module
 */
import { Random } from "../../tests/harness/random.ts";

/** The kinds of faults of a cluster. */
export const FAULT_KINDS = ["kill", "pause", "partition", "slow", "disk", "membership"] as const;

/** One of {@linkcode FAULT_KINDS}. */
export type FaultKind = typeof FAULT_KINDS[number];

/** A node by its place in the list, or whoever leads when the fault comes. */
export type Target = number | "leader";

/** A fault with all that was drawn for it. */
export type Fault =
  | { readonly kind: "kill"; readonly who: Target | "all"; readonly ms: number }
  | { readonly kind: "pause"; readonly who: Target; readonly ms: number }
  | {
    readonly kind: "partition";
    /**
     * isolate: no word between the largest minority that starts with it and the rest; mute: none from it; deaf: none to
     * it; link: none between it and `other`.
     */
    readonly shape: "isolate" | "mute" | "deaf" | "link";
    readonly who: Target;
    /** Nodes on from `who`. */
    readonly other: number;
    readonly ms: number;
  }
  | {
    readonly kind: "slow";
    /** bursts: packets are lost for moments; narrow: few bytes per second. */
    readonly shape: "bursts" | "narrow";
    readonly who: Target;
    readonly seed: number;
    readonly ms: number;
  }
  | { readonly kind: "disk"; readonly leads: boolean; readonly ms: number }
  | {
    readonly kind: "membership";
    /** replace: removed, emptied, joined again; wipe: emptied without being removed; nonvoter: one comes and goes. */
    readonly shape: "replace" | "wipe" | "nonvoter";
    readonly who: Target;
    readonly ms: number;
  };

/** A fault, and the quiet time after it. */
export interface Planned {
  readonly fault: Fault;
  readonly calmMs: number;
}

/** How a schedule is drawn. */
export interface ScheduleOptions {
  readonly seed: number;
  readonly kinds: readonly FaultKind[];
  /** Nodes in the cluster. */
  readonly nodes: number;
  /** Longest fault; half of it is the longest calm. */
  readonly longestMs: number;
}

const SHORTEST_MS = 500;

/** Faults without end. */
export function* schedule({ seed, kinds, nodes, longestMs }: ScheduleOptions): Generator<Planned, never> {
  const random = new Random(seed);
  const pick = <T>(items: readonly [T, ...T[]]): T => random.pick(items) ?? items[0];
  const target = (): Target => random.chance(0.4) ? "leader" : random.below(nodes);
  const draw = (kind: FaultKind): Fault => {
    const ms = random.between(SHORTEST_MS, longestMs);
    switch (kind) {
      case "kill":
        return { kind, who: random.chance(0.25) ? "all" : target(), ms };
      case "pause":
        return { kind, who: random.chance(0.8) ? "leader" : target(), ms };
      case "partition":
        return {
          kind,
          shape: pick(["isolate", "isolate", "mute", "deaf", "link"]),
          who: target(),
          other: random.between(1, nodes - 1),
          ms,
        };
      case "slow":
        return { kind, shape: pick(["bursts", "narrow"]), who: target(), seed: random.u32(), ms };
      case "disk":
        return { kind, leads: random.chance(0.5), ms };
      case "membership":
        return { kind, shape: pick(["replace", "replace", "wipe", "nonvoter"]), who: target(), ms };
    }
  };
  for (;;) {
    const left = [...kinds];
    while (left.length > 0) {
      const [kind] = left.splice(random.below(left.length), 1);
      yield { fault: draw(kind), calmMs: random.between(SHORTEST_MS / 2, longestMs / 2) };
    }
  }
}

/** A fault in a few words. */
export function describeFault(fault: Fault): string {
  const who = "who" in fault ? typeof fault.who === "number" ? `node ${fault.who + 1}` : fault.who : "";
  const seconds = `${(fault.ms / 1000).toFixed(1)} s`;
  switch (fault.kind) {
    case "kill":
      return `kill -9 ${who === "all" ? "all at once" : who}, ${seconds}`;
    case "pause":
      return `SIGSTOP ${who}, ${seconds}`;
    case "partition":
      return `partition: ${fault.shape} ${who}${fault.shape === "link" ? ` and ${fault.other} on` : ""}, ${seconds}`;
    case "slow":
      return `slow links (${fault.shape}) of ${who}, ${seconds}`;
    case "disk":
      return `full disk${fault.leads ? " of the leader" : ""}, ${seconds}`;
    case "membership":
      return `membership: ${fault.shape}${fault.shape === "nonvoter" ? ` for ${seconds}` : ` ${who}`}`;
  }
}
