/**
 * The way to the Worker that runs checks, which is started for the first of them: an agent without any saves its memory.
 * @module
 */
import type { CheckDefinition } from "../../core/health/definitions.ts";
import type { FromChecks, RunnableCheck, ToChecks } from "../../drivers/checks/api.ts";
import type { CheckRunner } from "./local_state.ts";

/** Sends checks to the Worker. */
export class PortRunner implements CheckRunner {
  /** Called for each result. */
  onResult: (result: FromChecks["results"][number]) => void = () => {};
  readonly #want: () => void;
  #port: MessagePort | undefined;
  /** What is to be said to the Worker when it is there; undefined: nothing was, and it was not asked for. */
  #waiting: ToChecks[] | undefined;

  /** @param want Has the Worker started; its line comes by {@linkcode PortRunner.connect}. */
  constructor(want: () => void) {
    this.#want = want;
  }

  start(check: CheckDefinition, initial: Parameters<CheckRunner["start"]>[1]): void {
    const runnable = runnableOf(check);
    if (runnable) {
      this.#tell({ k: "start", check: runnable, initial: { status: initial.status, output: initial.output } });
    }
  }

  stop(id: string): void {
    if (this.#port || this.#waiting) this.#tell({ k: "stop", id });
  }

  /** Takes the line to the Worker. */
  connect(port: MessagePort): void {
    this.#port = port;
    port.onmessage = ({ data }: MessageEvent<FromChecks>) => data.results.forEach((result) => this.onResult(result));
    for (const message of this.#waiting ?? []) port.postMessage(message);
    this.#waiting = undefined;
  }

  /** Ends the Worker. */
  close(): void {
    if (this.#port) this.#tell({ k: "close" });
  }

  #tell(message: ToChecks): void {
    if (this.#port) return this.#port.postMessage(message);
    if (!this.#waiting) {
      this.#waiting = [];
      this.#want();
    }
    this.#waiting.push(message);
  }
}

/** What the Worker needs of a check; undefined for one that does not run. */
function runnableOf(check: CheckDefinition): RunnableCheck | undefined {
  const { id, kind, intervalMs, timeoutMs, outputBytesMax } = check;
  if (kind.k === "ttl" || kind.k === "alias" || kind.k === "none") return undefined;
  const { successBeforePassing, failuresBeforeWarning, failuresBeforeCritical } = check;
  return {
    id,
    kind,
    intervalMs,
    timeoutMs,
    successBeforePassing,
    failuresBeforeWarning,
    failuresBeforeCritical,
    outputBytesMax,
  };
}
