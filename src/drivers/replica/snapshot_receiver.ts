/**
 * Takes in the copy of the database that the leader sends: piece by piece to a file, verified whole, then handed to the
 * core, which decides whether it takes the place of database and log (S7).
 * @module
 */
import { decodeConfig } from "../../core/raft/configuration.ts";
import type { Config, EntryId, Index, NodeId } from "../../core/raft/message.ts";
import type { SnapshotPart, SnapshotPiece } from "../sqlite/api.ts";
import { RemoteError, type RpcAnswer } from "../transport/rpc.ts";
import type { SnapshotClient } from "./snapshot_client.ts";
import { numberField, type Rpc, textField } from "../transport/wire.ts";

/** Name of the coding of pieces that are compressed: in the answer to `snapshotBegin` and with each piece. */
export const CODING = "zstd";

/** A piece; one without a coding is as it is in the file. */
function pieceOf({ coding }: Record<string, unknown>, chunk: Uint8Array): SnapshotPiece {
  if (coding !== undefined && coding !== CODING) {
    throw new RemoteError(`expected pieces in the coding ${CODING}, not ${coding}`);
  }
  return { chunk, isCompressed: coding !== undefined };
}

const EMPTY = new Uint8Array(0);
/** Longest file that is believed. */
const BYTES_MAX = 2 ** 44;

/** Surroundings. */
export interface ReceiverParts {
  readonly snapshots: SnapshotClient;
  leader(): NodeId | null;
  commit(): Index;
  /** Hands a staged snapshot to the core; resolves when the database holds `base`, and rejects if that takes too long. */
  received(base: EntryId, config: Config): Promise<void>;
  /** Whether one that was handed to the core has not taken the database's place yet. */
  isInstalling(): boolean;
  log(line: string): void;
}

/** Answers the calls of a snapshot's sender. */
export class SnapshotReceiver {
  readonly #parts: ReceiverParts;
  #isInstalling = false;
  /** Copies installed. */
  installed = 0;

  constructor(parts: ReceiverParts) {
    this.#parts = parts;
  }

  /** Answers a call; undefined for a method that is none of a snapshot. */
  answer({ method, head, body }: Rpc, caller: NodeId): Promise<RpcAnswer> | undefined {
    switch (method) {
      case "snapshotBegin":
        return this.#begin(decodePart(head), caller);
      case "snapshotPiece":
        return this.#piece(textField(head, "id"), numberField(head, "offset"), pieceOf(head, body));
      case "snapshotEnd":
        return this.#end(decodePart(head), decodeConfig(body, numberField(head, "configAt")), caller);
      default:
        return undefined;
    }
  }

  #refuseStranger(caller: NodeId): void {
    const leader = this.#parts.leader();
    if (leader !== caller) throw new RemoteError(`node "${caller}" is not the leader that this node follows`);
  }

  async #begin(part: SnapshotPart, caller: NodeId): Promise<RpcAnswer> {
    this.#refuseStranger(caller);
    if (part.applied <= this.#parts.commit()) return { head: { needed: false }, body: EMPTY };
    const offset = await this.#parts.snapshots.begin(part);
    this.#parts.log(`receiving a snapshot of ${part.bytes} bytes up to index ${part.applied} from node "${caller}"`);
    return { head: { needed: true, offset, codings: [CODING] }, body: EMPTY };
  }

  async #piece(id: string, offset: number, piece: SnapshotPiece): Promise<RpcAnswer> {
    await this.#parts.snapshots.write(id, offset, piece);
    return { head: {}, body: EMPTY };
  }

  /**
   * One at a time: the copy that is staged must be the one that the log is told of, and it must stay until it has taken the
   * database's place, which may be later than the sender is answered.
   */
  async #end(part: SnapshotPart, config: Config, caller: NodeId): Promise<RpcAnswer> {
    this.#refuseStranger(caller);
    if (this.#isInstalling || this.#parts.isInstalling()) throw new RemoteError("another snapshot is being installed");
    this.#isInstalling = true;
    try {
      await this.#parts.snapshots.stage(part);
      await this.#parts.received({ index: part.applied, term: part.term }, config);
    } finally {
      this.#isInstalling = false;
    }
    this.installed++;
    this.#parts.log(`installed the snapshot up to index ${part.applied}`);
    return { head: {}, body: EMPTY };
  }
}

function decodePart(head: Record<string, unknown>): SnapshotPart {
  const part = {
    id: textField(head, "id"),
    bytes: numberField(head, "bytes"),
    crc: numberField(head, "crc"),
    applied: numberField(head, "applied"),
    term: numberField(head, "term"),
  };
  if (part.bytes > BYTES_MAX || part.id.length > 128) throw new RemoteError("expected a snapshot of a believable size");
  return part;
}
