/**
 * Removes nodes that the leader has not heard from for too long (Q15.7), if a time limit is set. A new leader starts
 * counting from zero.
 * @module
 */
import type { CoreStatus } from "../../core/raft/effects.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** How often the leader looks. */
const LOOK_MS = 1000;

/** Surroundings. */
export interface ReaperParts {
  /** Time limits; 0 for none. */
  readonly voterMs: number;
  readonly nonVoterMs: number;
  /** Length of a tick of the core. */
  readonly tickMs: number;
  status(): CoreStatus;
  remove(id: string): Promise<unknown>;
  log(line: string): void;
}

/** Looks for nodes that are gone. */
export class Reaper {
  readonly #parts: ReaperParts;
  readonly #timer: ReturnType<typeof setInterval> | undefined;
  #isBusy = false;
  /** Nodes taken out. */
  reaped = 0;

  constructor(parts: ReaperParts) {
    this.#parts = parts;
    if (parts.voterMs > 0 || parts.nonVoterMs > 0) this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  async #look(): Promise<void> {
    const { voterMs, nonVoterMs, tickMs, status, remove, log } = this.#parts;
    const { role, config, progress } = status();
    if (role !== "leader" || this.#isBusy) return;
    this.#isBusy = true;
    for (const { id, ticksSinceHeard } of progress) {
      const member = config.members.find((one) => one.id === id);
      const isVoter = member?.role === "voter";
      const limitMs = isVoter ? voterMs : nonVoterMs;
      if (!member || limitMs === 0 || ticksSinceHeard * tickMs <= limitMs) continue;
      const kind = isVoter ? "voting" : "non-voting";
      try {
        await remove(id);
        this.reaped++;
        log(`successfully reaped ${kind} node ${id}, not heard for ${Math.round(ticksSinceHeard * tickMs / 1000)} s`);
      } catch (error) {
        log(`reaping ${kind} node ${id} failed: ${messageOf(error)}`);
      }
    }
    this.#isBusy = false;
  }

  /** Looks no more. */
  close(): void {
    clearInterval(this.#timer);
  }
}
