/**
 * Load on a node: the same requests over and over on a number of connections, each sent when the one before it has been
 * answered. `wrk` makes it where it is installed; elsewhere an own generator, which takes more of the processor itself.
 * @module
 */
import { generate } from "./generator.ts";
import { runWrk } from "./wrk.ts";

/** The requests to send. */
export interface Load {
  /** With path and parameters. */
  readonly url: string;
  /** Bodies of POST requests, sent in turn; none: GET requests. */
  readonly bodies: readonly string[];
  /** Open at once. */
  readonly connections: number;
  /** How long. */
  readonly seconds: number;
}

/** The result of a load. */
export interface LoadResult {
  /** Requests answered, those with a failure too. */
  readonly requests: number;
  /** Answers that say what they should, each second. */
  readonly perSecond: number;
  /** Median time to an answer. */
  readonly p50Ms: number;
  /** 99 of 100 answers took at most that. */
  readonly p99Ms: number;
  /** Answers with a status other than 2xx or with an `error` inside, and requests without an answer. */
  readonly failures: number;
  /** The text of the first such answer; empty if there was none. */
  readonly firstFailure: string;
}

/** Puts load on a node. */
export interface LoadGenerator {
  /** Its name in the report. */
  readonly name: string;
  /** Sends the load, and resolves when it has ended. `directory` takes temporary files. */
  run(load: Load, directory: string): Promise<LoadResult>;
}

/** The best generator that this machine has. */
export async function loadGenerator(): Promise<LoadGenerator> {
  try {
    const { stdout } = await new Deno.Command("wrk", { args: ["--version"], stderr: "null" }).output();
    const [name] = /wrk \S+/.exec(new TextDecoder().decode(stdout)) ?? ["wrk"];
    return { name, run: runWrk };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return { name: "own generator, for want of wrk: figures are lower with it", run: generate };
  }
}
