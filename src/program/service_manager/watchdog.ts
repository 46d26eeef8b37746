/**
 * Decides when the service manager's watchdog is fed: while the event loop of every watched Worker turns. The supervisor's own
 * does if this is called at all.
 *
 * Each beat asks every Worker for an answer, and the next one feeds the watchdog if all of them have come. With beats at half of
 * the watchdog's period, a Worker that hangs ends the process one period to one and a half after its last answer.
 *
 * The SQLite writer answers nothing while it runs a statement, a COMMIT or a checkpoint, all of which are legal and may take
 * long. It counts as alive while its work moves, and for a patience of five minutes while it does not.
 * Readers are not watched: their statements have a time limit of their own.
 * @module
 */
import type { Activity } from "../../base/shared/activity.ts";
import type { PulseMessage } from "../../base/worker/pulse.ts";

/** The Workers that must answer. */
export const WATCHED: ReadonlySet<string> = new Set(["replica", "sqlite", "http", "membership", "nameserver"]);
/** Longest time without an answer and without progress that is put up with in the writer: a checkpoint of many GiB on a slow disk. */
const WRITER_PATIENCE_MS = 300_000;

/** A Worker as the watchdog needs it. */
export interface Watched {
  /** Sends to it. */
  postMessage(message: PulseMessage, transfer: Transferable[]): void;
}

/** How a Worker that computes is told from one that hangs. */
export interface Patience {
  /** A value that changes while it gets on. */
  progress(): string;
  /** Longest time without an answer and without a change of {@linkcode Patience.progress}. */
  readonly stillMsMax: number;
}

/** That with the SQLite writer, whose work is seen from outside. */
export function writerPatience(activity: Activity): Patience {
  return { stillMsMax: WRITER_PATIENCE_MS, progress: () => JSON.stringify(activity.work) ?? "" };
}

interface Entry {
  readonly name: string;
  readonly port: MessagePort;
  readonly patience: Patience | undefined;
  hasAnswered: boolean;
  progress: string;
  stillBeats: number;
  isLate: boolean;
}

/** Options of a {@linkcode Watchdog}. */
export interface WatchdogOptions {
  /** Time between two beats. */
  readonly intervalMs: number;
  /** Feeds the watchdog. */
  feed(): void;
  log(line: string): void;
}

/** The decision; it owns no timer. */
export class Watchdog {
  readonly #options: WatchdogOptions;
  readonly #entries: Entry[] = [];

  constructor(options: WatchdogOptions) {
    this.#options = options;
  }

  /** Watches a Worker, which has called `answerPulse()`. */
  watch(name: string, worker: Watched, patience?: Patience): void {
    const { port1, port2 } = new MessageChannel();
    const entry = { name, port: port1, patience, hasAnswered: true, progress: "", stillBeats: 0, isLate: false };
    port1.onmessage = () => {
      entry.hasAnswered = true;
    };
    worker.postMessage({ k: "pulse", port: port2 }, [port2]);
    this.#entries.push(entry);
  }

  /** Feeds the watchdog, unless a Worker is late; and asks all of them for an answer. */
  beat(): void {
    for (const entry of this.#entries) this.#look(entry);
    if (this.#entries.every(({ isLate }) => !isLate)) this.#options.feed();
    for (const entry of this.#entries) {
      if (entry.hasAnswered) entry.port.postMessage(null);
      entry.hasAnswered = false;
    }
  }

  #look(entry: Entry): void {
    const wasLate = entry.isLate;
    entry.isLate = !this.#isAlive(entry);
    if (entry.isLate && !wasLate) {
      this.#options.log(
        `the ${entry.name} Worker does not answer: the service manager's watchdog is not fed until it does`,
      );
    }
    if (!entry.isLate && wasLate) this.#options.log(`the ${entry.name} Worker answers again`);
  }

  #isAlive(entry: Entry): boolean {
    const { patience, hasAnswered } = entry;
    if (!patience) return hasAnswered;
    const progress = patience.progress();
    entry.stillBeats = hasAnswered || progress !== entry.progress ? 0 : entry.stillBeats + 1;
    entry.progress = progress;
    return entry.stillBeats * this.#options.intervalMs <= patience.stillMsMax;
  }

  /** Closes the lines to the Workers. */
  close(): void {
    for (const { port } of this.#entries) port.close();
  }
}
