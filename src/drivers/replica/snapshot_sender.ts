/**
 * Sends a copy of the database to nodes that need entries which the log no longer has (S4 to S6): in pieces, over a
 * connection of its own, going on where an earlier attempt to the same node broke off. While a node is being sent a copy,
 * and until it follows the log again, the log is not cut behind that copy: otherwise a slow node would need the next copy
 * when it has the first.
 * @module
 */
import { encodeConfig } from "../../core/raft/configuration.ts";
import type { Config, Index, NodeId } from "../../core/raft/message.ts";
import type { SnapshotPart } from "../sqlite/api.ts";
import { jitter, pause } from "../../base/worker/backoff.ts";
import { DatabaseDamageError } from "./damage.ts";
import type { RpcClient } from "../transport/rpc.ts";
import type { SnapshotClient } from "./snapshot_client.ts";
import { CODING } from "./snapshot_receiver.ts";
import { numberField } from "../transport/wire.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** Bytes of a piece. */
export const PIECE_BYTES = 256 * 1024;
/** Pieces on their way at a time. */
const PIECES_MAX = 8;
/** A piece that is not taken within this time ends the attempt. */
const PIECE_TIMEOUT_MS = 30_000;
/** The receiver checks and installs the whole: some seconds per gigabyte. */
const END_TIMEOUT_MS = 600_000;
const RETRY_MS = 2000;
/** After a copy was taken, the log is kept for its receiver to go on with for so long at most. */
const FOLLOW_MS = 60_000;

/** A copy that nobody is being sent takes room on the disk for so long. */
const COPY_KEPT_MS = 60_000;

/** Surroundings. */
export interface SenderParts {
  readonly snapshots: SnapshotClient;
  readonly rpc: RpcClient;
  /** Whether pieces are compressed for nodes that take them so. */
  readonly compress: boolean;
  addrOf(peer: NodeId): string | undefined;
  /** Entry before the first one of the log. */
  base(): Index;
  configAt(index: Index): Config;
  /** How far a peer's log is known to match. */
  matchOf(peer: NodeId): Index;
  /** Tells the core. */
  onSent(peer: NodeId, index: Index | null): void;
  fatal(error: Error): void;
  log(line: string): void;
}

/** Copies on their way. */
export class SnapshotSender {
  readonly #parts: SenderParts;
  readonly #pins = new Map<NodeId, Index>();
  /** Serves every node that needs one as long as the log goes on behind it. */
  #copy: Promise<SnapshotPart> | undefined;
  #users = 0;
  #dropTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #stop = new AbortController();
  /** Copies sent whole. */
  sent = 0;

  constructor(parts: SenderParts) {
    this.#parts = parts;
  }

  /** The log must not be cut above this. */
  get pinned(): Index {
    return Math.min(Infinity, ...this.#pins.values());
  }

  /** Sends `peer` a copy, and tells the core how it went; does nothing where one is on its way. */
  async send(peer: NodeId): Promise<void> {
    if (this.#pins.has(peer)) return;
    this.#pins.set(peer, this.#parts.base());
    this.#users++;
    try {
      const part = await this.#currentCopy();
      this.#pins.set(peer, part.applied);
      await this.#transfer(peer, part);
      this.sent++;
      this.#parts.onSent(peer, part.applied);
      await this.#untilFollowing(peer, part.applied);
    } catch (error) {
      if (error instanceof DatabaseDamageError) this.#parts.fatal(error);
      this.#parts.log(
        `sending node "${peer}" a snapshot failed, trying again: ${messageOf(error)}`,
      );
      await pause(jitter(RETRY_MS), this.#stop.signal);
      this.#parts.onSent(peer, null);
    } finally {
      this.#pins.delete(peer);
      this.#users--;
      clearTimeout(this.#dropTimer);
      // A node that failed in the middle goes on with the same copy, if it comes back soon.
      this.#dropTimer = setTimeout(() => this.#dropCopy(), COPY_KEPT_MS);
    }
  }

  #dropCopy(): void {
    if (this.#users > 0 || this.#copy === undefined) return;
    this.#copy = undefined;
    this.#parts.snapshots.drop().catch((error) => this.#parts.log(`removing a copy failed: ${error.message}`));
  }

  /** The copy in use if the log goes on behind it; a new one takes its place when nobody reads it. */
  async #currentCopy(): Promise<SnapshotPart> {
    const current = await this.#copy?.catch(() => undefined);
    if (current && current.applied >= this.#parts.base()) return current;
    if (current && this.#users > 1) throw new Error("another node is still being sent an older copy");
    const started = performance.now();
    this.#copy = this.#parts.snapshots.copy();
    const part = await this.#copy;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    this.#parts.log(`made a snapshot of ${part.bytes} bytes up to index ${part.applied} in ${seconds} s`);
    return part;
  }

  async #transfer(peer: NodeId, part: SnapshotPart): Promise<void> {
    const { rpc, snapshots, log } = this.#parts;
    const addr = this.#parts.addrOf(peer);
    if (addr === undefined) throw new Error("its address is not known");
    const started = performance.now();
    const timeoutMs = PIECE_TIMEOUT_MS;
    const { head } = await rpc.call(addr, "snapshotBegin", { ...part }, { timeoutMs });
    if (head.needed !== true) return;
    let offset = numberField(head, "offset");
    log(`sending node "${peer}" a snapshot of ${part.bytes} bytes up to index ${part.applied}, from byte ${offset} on`);
    // A node of an older version names no codings, and gets the pieces as they are.
    const compress = this.#parts.compress && Array.isArray(head.codings) && head.codings.includes(CODING);
    let sent = 0;
    const underWay: Promise<unknown>[] = [];
    while (offset < part.bytes) {
      if (this.#stop.signal.aborted) throw new Error("this node stops");
      const { chunk: body, bytes, isCompressed } = await snapshots.read(offset, PIECE_BYTES, compress);
      if (bytes === 0) throw new Error("the copy ended early");
      const coding = isCompressed ? { coding: CODING } : {};
      const piece = rpc.call(addr, "snapshotPiece", { id: part.id, offset, ...coding }, { timeoutMs, body });
      piece.catch(() => {}); // looked at below
      underWay.push(piece);
      offset += bytes;
      sent += body.length;
      if (underWay.length >= PIECES_MAX) await underWay.shift();
    }
    await Promise.all(underWay);
    const config = this.#parts.configAt(part.applied);
    const body = encodeConfig(config);
    await rpc.call(addr, "snapshotEnd", { ...part, configAt: config.at }, { timeoutMs: END_TIMEOUT_MS, body });
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    log(`node "${peer}" has installed the snapshot after ${seconds} s; ${sent} bytes were sent`);
  }

  async #untilFollowing(peer: NodeId, index: Index): Promise<void> {
    for (let waited = 0; waited < FOLLOW_MS && this.#parts.matchOf(peer) < index; waited += 100) {
      if (this.#stop.signal.aborted) return;
      await pause(100, this.#stop.signal);
    }
  }

  /** Ends what is under way. */
  close(): void {
    clearTimeout(this.#dropTimer);
    this.#stop.abort();
  }
}
