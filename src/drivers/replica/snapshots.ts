/**
 * The log kept short, and the copies that take its place (S1 to S11): one part of the node, so that its rules stand
 * together. What is durable in the database is cut from the log; who needs what was cut is sent a copy; a copy that is
 * sent here takes the place of database and log.
 * @module
 */
import { withTimeout } from "../../base/worker/with_timeout.ts";
import { invariant } from "../../invariant.ts";
import type { Index, NodeId } from "../../core/raft/message.ts";
import type { FromWriter } from "../sqlite/api.ts";
import type { LogStore } from "../log/store.ts";
import type { Replica } from "./replica.ts";
import type { RpcAnswer, RpcClient } from "../transport/rpc.ts";
import type { SnapshotClient } from "./snapshot_client.ts";
import { SnapshotReceiver } from "./snapshot_receiver.ts";
import { SnapshotSender } from "./snapshot_sender.ts";
import type { Rpc } from "../transport/wire.ts";

/** Bytes of the log that are kept before the applied index, from which a node that was down catches up (S3). */
const LOG_KEPT_BYTES = 64 * 1024 * 1024;
/** A log that is longer is cut even if a copy on its way needs it: its receiver gets another one (S6). */
const PINNED_BYTES_MAX = 4 * 1024 * 1024 * 1024;
const INSTALL_TIMEOUT_MS = 120_000;

/** Surroundings. */
export interface SnapshotsParts {
  readonly snapshots: SnapshotClient;
  readonly log: LogStore;
  readonly replica: Replica;
  /** Index that the database held at the start. */
  readonly startedAt: Index;
  /** Connections of their own: heartbeats and forwarded requests do not queue behind megabytes (F7). */
  readonly rpc: RpcClient;
  /** Whether snapshots are compressed on their way. */
  readonly compress: boolean;
  leader(): NodeId | null;
  addrOf(peer: NodeId): string | undefined;
  /** Another file has taken the database's place. */
  onReplaced(): void;
  note(line: string): void;
  fatal(error: Error): void;
}

/** Snapshots of one node. */
export class Snapshots {
  readonly #parts: SnapshotsParts;
  readonly #receiver: SnapshotReceiver;
  readonly #sender: SnapshotSender;
  /** Entries up to here survive without the log. */
  #durable: Index = 0;
  /**
   * Checkpoints of this life behind which the log may be cut, which are what rqlite calls snapshots, and the last one;
   * index 0: none is known yet.
   */
  taken = 0;
  last = { index: 0, term: 0, ms: 0 };
  /** Times that the log was cut. */
  #cuts = 0;
  /** Present while a copy takes the database's place. */
  #onAdopted: ((applied: Index) => void) | undefined;
  readonly #onCheckpoint: ((durable: Index) => void)[] = [];

  constructor(parts: SnapshotsParts) {
    this.#parts = parts;
    const { log, replica, rpc, note, snapshots } = parts;
    this.#receiver = new SnapshotReceiver({
      snapshots,
      leader: parts.leader,
      commit: () => replica.status().commit,
      received: async (base, config) => {
        replica.input({ k: "snapshotReceived", base, config });
        await withTimeout(replica.untilApplied(base.index), INSTALL_TIMEOUT_MS, "the snapshot was not installed");
      },
      isInstalling: () => replica.isInstalling,
      log: note,
    });
    this.#sender = new SnapshotSender({
      snapshots,
      rpc,
      compress: parts.compress,
      addrOf: parts.addrOf,
      base: () => log.base.index,
      configAt: (index) => log.configAt(index),
      matchOf: (peer) => replica.status().progress.find(({ id }) => id === peer)?.match ?? Infinity,
      onSent: (peer, index) => replica.input({ k: "snapshotSent", peer, index }),
      fatal: parts.fatal,
      log: note,
    });
  }

  /** Answers a call; undefined for one that is not about snapshots. */
  answer(rpc: Rpc, caller: NodeId): Promise<RpcAnswer> | undefined {
    return this.#receiver.answer(rpc, caller);
  }

  /** A peer needs entries that the log no longer has. */
  async send(peer: NodeId): Promise<void> {
    await this.#sender.send(peer);
  }

  /** The writer's word. */
  fromWriter(message: FromWriter): void {
    switch (message.k) {
      case "ready":
        return this.#onAdopted?.(message.applied);
      case "checkpointed":
        this.#noteCheckpoint(message);
        for (const resolve of this.#onCheckpoint.splice(0)) resolve(message.durable);
        return;
      case "applied":
        if (message.durable === this.#durable) return;
        this.#noteCheckpoint(message);
        this.#cut(message.durable, LOG_KEPT_BYTES);
    }
  }

  /** A checkpoint makes durable what was applied when it began, so the term is that of the applied index. */
  #noteCheckpoint({ durable, term }: { durable: Index; term: number }): void {
    if (durable === this.#durable) return;
    this.#durable = durable;
    this.last = { index: durable, term, ms: Date.now() };
    if (durable > this.#parts.startedAt) this.taken++;
  }

  /** The log's new segment is durable: the staged copy takes the database's place (S8). */
  async adopt(index: Index): Promise<void> {
    invariant(this.#onAdopted === undefined, "one snapshot takes the database's place at a time");
    const adopted = new Promise<Index>((resolve) => this.#onAdopted = resolve);
    this.#parts.replica.askWriter({ k: "adopt" });
    const applied = await adopted;
    this.#onAdopted = undefined;
    invariant(applied === index, `the copy that took the database's place ends at entry ${index}, not ${applied}`);
    this.#parts.replica.installed(index);
    this.#parts.onReplaced();
  }

  /** Cuts the log behind what the database holds durably (S2); the core hears of it before anything else happens. */
  #cut(durable: Index, keepBytes: number): boolean {
    const { log, replica, note } = this.#parts;
    const pinned = log.size.bytes > PINNED_BYTES_MAX ? Infinity : this.#sender.pinned;
    const base = log.cut(Math.min(durable, pinned), { keepBytes });
    if (!base) return false;
    this.#cuts++;
    replica.input({ k: "compacted", index: base.index });
    note(`cut the log: it begins after index ${base.index} now and has ${log.size.bytes} bytes`);
    return true;
  }

  /** A checkpoint, and the log cut behind it but for `trailing` entries, as far as whole segments allow. Whether anything was done. */
  async take(trailing: number): Promise<boolean> {
    const { log, replica } = this.#parts;
    const before = this.#durable;
    const answered = new Promise<Index>((resolve) => this.#onCheckpoint.push(resolve));
    replica.askWriter({ k: "checkpoint" });
    const durable = await answered;
    const index = Math.min(durable, replica.applied - trailing);
    if (index > log.base.index) await log.rotate();
    return this.#cut(index, 0) || durable > before;
  }

  /** For `/status` and `/debug/vars`. */
  status(): Record<"sent" | "installed" | "log_cuts", number> {
    return { sent: this.#sender.sent, installed: this.#receiver.installed, log_cuts: this.#cuts };
  }

  /** Ends what is under way. */
  close(): void {
    this.#sender.close();
    this.#parts.rpc.close();
  }
}
