/**
 * The timeout in which a suspect can refute, and a node's confidence in its own health (Lifeguard: LHA-Suspicion,
 * LHA-Probe; G4.4, G4.6). Pure.
 * @module
 */
import type { Timer } from "./timers.ts";

/** Bounds of the time of a suspect, and the confirmations that bring it from one to the other. */
export interface SuspicionBounds {
  readonly minMs: number;
  readonly maxMs: number;
  readonly wanted: number;
  /** Time of a suspect whose address refuses connections: enough for a restart. No news has to travel for it. */
  readonly refusedMs: number;
}

/** Parameters from which the bounds are computed. */
export interface SuspicionInput {
  readonly suspicionMult: number;
  readonly suspicionMaxTimeoutMult: number;
  readonly probeIntervalMs: number;
  readonly lifeguard: boolean;
}

/** Bounds in a pool of `nodes`, those not yet forgotten included. */
export function suspicionBounds(
  { suspicionMult, suspicionMaxTimeoutMult, probeIntervalMs, lifeguard }: SuspicionInput,
  nodes: number,
): SuspicionBounds {
  const scale = Math.max(1, Math.log10(Math.max(1, nodes)));
  const minMs = suspicionMult * Math.floor(scale * 1000) / 1000 * probeIntervalMs;
  const confirmers = suspicionMult - 2;
  const wanted = !lifeguard || nodes - 2 < confirmers ? 0 : confirmers;
  return { minMs, maxMs: suspicionMaxTimeoutMult * minMs, wanted, refusedMs: suspicionMult * probeIntervalMs };
}

/** Time a suspect has, from its first accusation: falls from `maxMs` to `minMs` as members confirm. */
export function suspicionMs(
  confirmations: number,
  { minMs, maxMs, wanted }: Omit<SuspicionBounds, "refusedMs">,
): number {
  if (wanted < 1) return minMs;
  const fraction = Math.log(confirmations + 1) / Math.log(wanted + 1);
  return Math.max(minMs, Math.floor(maxMs - fraction * (maxMs - minMs)));
}

/** A suspicion that runs. */
export class Suspicion {
  readonly bounds: SuspicionBounds;
  readonly startedMs: number;
  /** Names of the accusers; the first one is not a confirmation. */
  readonly #accusers: Set<string>;
  timer: Timer | undefined;
  /** Confirmations tell a dead suspect from a deaf accuser; an accuser that was refused a connection needs none. */
  isRefused = false;

  constructor(from: string, startedMs: number, bounds: SuspicionBounds) {
    this.#accusers = new Set([from]);
    this.startedMs = startedMs;
    this.bounds = bounds;
  }

  /** Members that agreed with the first accuser. */
  get confirmations(): number {
    return this.#accusers.size - 1;
  }

  /** When the suspect is dead, unless it refutes. */
  get dueMs(): number {
    return this.startedMs + (this.isRefused ? this.bounds.refusedMs : suspicionMs(this.confirmations, this.bounds));
  }

  /** Counts an accusation; true where it was a new one and one that was still wanted. */
  confirm(from: string): boolean {
    if (this.confirmations >= this.bounds.wanted || this.#accusers.has(from)) return false;
    this.#accusers.add(from);
    return true;
  }
}

/** Local health: 0 is well; each step lengthens the protocol period by one interval. */
export class Awareness {
  readonly #scoreMax: number;
  #score = 0;

  /** @param multiplierMax One more than the worst score; 1: always well. */
  constructor(multiplierMax: number) {
    this.#scoreMax = multiplierMax - 1;
  }

  /** From 0 to the worst. */
  get score(): number {
    return this.#score;
  }

  /** Adds to the score, within its bounds. */
  apply(delta: number): void {
    this.#score = Math.min(this.#scoreMax, Math.max(0, this.#score + delta));
  }
}
