/**
 * The automatic restore (Q18.2): a cluster that is new begins with a backup. Whichever node leads first downloads it and loads it
 * through the log, as a client's file is loaded: it takes effect as a whole, on every node, or not at all. The others wait until
 * they hold what was restored; a node that begins to lead meanwhile starts anew.
 *
 *     waiting ─ leads, the database is empty ─▶ restoring ─▶ over: restored
 *     waiting ─ the database holds tables ─▶ over                          restoring ─ leads no more ─▶ waiting
 *     waiting ─ another node leads, and nothing happens for the time-out ─▶ over: there is nothing to wait for
 *
 * Until it is over the node is not ready.
 * @module
 */
import { isUsers } from "../../core/catalog/names.ts";
import { PLAIN_RENDERING } from "../../core/sql/render_options.ts";
import { pause } from "../../base/worker/backoff.ts";
import { Caller, type ToCaller } from "../../base/worker/channel.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import type { AnswerBudget } from "../../base/shared/answer_budget.ts";
import type { LogLevel } from "../../base/worker/log.ts";
import type { NodeState } from "../../base/shared/node_state.ts";
import type { UploaderMethods } from "../../drivers/uploader/api.ts";
import type { LoadStep } from "../../core/sql/load_step.ts";
import { takeText } from "./held_answer.ts";
import { loadFile } from "./loader.ts";
import type { Readers } from "./readers.ts";

/** Pause between two looks at who leads and what the database holds. */
const LOOK_MS = 200;
/** Longest wait for a part, and for the file to take its place. */
const PART_MS = 30_000;
const INSTALL_MS = 30 * 60_000;

/** Longest wait for a look at the database. */
const READ_MS = 5000;
const TABLES = `SELECT count(*) FROM sqlite_schema WHERE ${isUsers("tbl_name")} AND name NOT GLOB 'sqlite_*'`;

/** The line to the uploader Worker. */
export class UploaderClient {
  readonly #caller: Caller<UploaderMethods>;

  constructor(port: MessagePort) {
    const caller = this.#caller = new Caller<UploaderMethods>(port, { callee: "the uploader Worker" });
    port.onmessage = ({ data }: MessageEvent<ToCaller>) => caller.settle(data);
  }

  /** What it has done. */
  status(): Promise<UploaderMethods["status"]["result"]> {
    return this.#caller.call("status", {});
  }

  /** What is to be restored; whoever stops before the end lets go of it. */
  async *download(): AsyncGenerator<Uint8Array> {
    await this.#caller.call("open", {});
    try {
      for (;;) {
        const piece = await this.#caller.call("read", {});
        if (!piece) return;
        yield piece;
      }
    } finally {
      await this.#caller.call("close", {});
    }
  }
}

/** What a restore works with. */
export interface AutoRestoreParts {
  readonly state: Pick<
    NodeState,
    "isLeader" | "leaderKnown" | "ready" | "applied" | "changed" | "term" | "appliedTerm" | "waitingSinceMs"
  >;
  /** Whether the database holds tables of users. */
  hasTables(): Promise<boolean>;
  /** Does a step of the load, on the leader. */
  load(step: LoadStep, timeoutMs: number): Promise<void>;
  /** The file to be loaded, unpacked. */
  download(): AsyncIterable<Uint8Array>;
  /** Time without anything happening after which a node that does not lead waits no longer. */
  readonly timeoutMs: number;
  /** Whether the node goes on without data when it fails. */
  readonly continuesOnFailure: boolean;
  log(line: string, level?: LogLevel): void;
}

/** A restore that is to come, or under way. */
export class AutoRestore {
  /** Whether it is over. */
  isOver = false;
  /** How it ended. */
  readonly counters = { num_auto_restores: 0, num_auto_restores_failed: 0, num_auto_restores_skipped: 0 };
  readonly #parts: AutoRestoreParts;
  #isStopped = false;
  /** When anything happened last, by the monotonic clock, and the applied index then. */
  #moved = { applied: -1, atMs: 0 };

  constructor(parts: AutoRestoreParts) {
    this.#parts = parts;
  }

  /**
   * Resolves when it is over, or was stopped.
   * @throws {Error} When it has failed, and the node is not to go on without data.
   */
  async run(): Promise<void> {
    for (; !this.isOver && !this.#isStopped; await pause(LOOK_MS)) await this.#look();
  }

  /** The node shuts down: what is not over goes on at the next start. */
  stop(): void {
    this.#isStopped = true;
  }

  async #look(): Promise<void> {
    const { state, hasTables, timeoutMs, log } = this.#parts;
    if (!state.ready || !state.leaderKnown || state.waitingSinceMs > 0 || state.applied !== this.#moved.applied) {
      this.#moved = { applied: state.applied, atMs: performance.now() };
    }
    if (!state.ready) return;
    const isCurrent = state.appliedTerm === state.term;
    const holdsData = state.changed === 0 ? false : await hasTables().catch(() => undefined); // which may be known soon
    if (holdsData) return this.#skip("the database holds data: nothing is restored by this node");
    if (state.isLeader && isCurrent && holdsData === false) {
      log("restoring the database, as this node leads");
      await this.#restore(state.term);
    } else if (!state.isLeader && performance.now() - this.#moved.atMs > timeoutMs) {
      this.#skip("another node leads, and restores nothing");
    }
  }

  async #restore(term: number): Promise<void> {
    const { state, download, log, continuesOnFailure } = this.#parts;
    try {
      const bytes = await loadFile(download(), (step) => this.#load(step));
      this.counters.num_auto_restores++;
      this.#end(`restored the database from ${bytes} bytes`);
    } catch (error) {
      const reason = messageOf(error);
      if (this.#isStopped) return log("the shutdown has ended the restore: it begins anew at the next start");
      if (!state.isLeader || state.term !== term) {
        return log(`the restore was given up, as this node did not lead any more: ${reason}`, "warn");
      }
      this.counters.num_auto_restores_failed++;
      if (!continuesOnFailure) throw new Error(`Cannot restore the database: ${reason}`);
      log(`could not restore the database, and goes on without: ${reason}`, "error");
      this.isOver = true;
    }
  }

  async #load(step: LoadStep): Promise<void> {
    if (this.#isStopped) throw new Error("the node shuts down");
    await this.#parts.load(step, step.k === "install" ? INSTALL_MS : PART_MS);
  }

  #skip(line: string): void {
    this.counters.num_auto_restores_skipped++;
    this.#end(line);
  }

  #end(line: string): void {
    this.#parts.log(line);
    this.isOver = true;
  }
}

/** Whether this node's database holds tables of users. */
export async function hasTables({ readers, answers }: { readers: Readers; answers: AnswerBudget }): Promise<boolean> {
  const result = await readers.read({
    statements: [{ parts: [{ sql: TABLES, verb: "SELECT", parameterCount: 0 }], positional: [], named: null }],
    transaction: false,
    options: PLAIN_RENDERING,
    timeoutMs: READ_MS,
    onlyIfReadOnly: false,
  });
  const text = result === undefined ? "" : takeText(result.results, answers);
  const count = /"values":\[\[(\d+)\]\]/.exec(text);
  if (!count) throw new Error("the database does not answer");
  return count[1] !== "0";
}
