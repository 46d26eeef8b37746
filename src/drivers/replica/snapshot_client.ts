/**
 * The replica's end of the line to the snapshot Worker.
 * @module
 */
import { Caller, type ToCaller } from "../../base/worker/channel.ts";
import { DatabaseDamageError } from "./damage.ts";
import type { SnapshotMethods, SnapshotPart, SnapshotPiece } from "../sqlite/api.ts";

/** Asks the snapshot Worker; a failure is an error for people. */
export class SnapshotClient {
  readonly #caller: Caller<SnapshotMethods>;
  readonly #wake: () => void;
  #isAwake = false;

  /**
   * @param port Owned from now on.
   * @param wake Has the Worker started, before it is asked for the first time: most nodes never need it.
   */
  constructor(port: MessagePort, wake: () => void) {
    this.#wake = wake;
    this.#caller = new Caller(port, {
      callee: "the snapshot Worker",
      failure: (message, code) => code === "damage" ? new DatabaseDamageError(message) : new Error(message),
    });
    port.onmessage = ({ data }: MessageEvent<ToCaller>) => this.#caller.settle(data);
  }

  async #ask<M extends keyof SnapshotMethods>(
    method: M,
    params: SnapshotMethods[M]["params"],
    transfer: Transferable[] = [],
  ): Promise<SnapshotMethods[M]["result"]> {
    if (!this.#isAwake) this.#wake();
    this.#isAwake = true;
    return await this.#caller.call(method, params, { transfer });
  }

  /** Makes a copy of the database, in the place of the last one. */
  async copy(): Promise<SnapshotPart> {
    return await this.#ask("copy", {});
  }

  /** Resolves when it runs, and has done what it was asked before. */
  async wakeUp(): Promise<void> {
    await this.#ask("awake", {});
  }

  /** Holds on to the database as it is now: which index it has applied. */
  async view(): Promise<number> {
    return await this.#ask("view", {});
  }

  /** Hashes the content of the view, and lets go of it. */
  async hash(): Promise<string> {
    return await this.#ask("hash", {});
  }

  /** Removes the copy made last. */
  async drop(): Promise<void> {
    await this.#ask("drop", {});
  }

  /** A piece of the copy made last. */
  async read(offset: number, length: number, compress: boolean): Promise<SnapshotMethods["read"]["result"]> {
    return await this.#ask("read", { offset, length, compress });
  }

  /** Begins to receive, or goes on: how many bytes are here already. */
  async begin(part: SnapshotPart): Promise<number> {
    return await this.#ask("begin", { part });
  }

  /** Takes the next piece, with the memory it lies in. */
  async write(id: string, offset: number, piece: SnapshotPiece): Promise<void> {
    const { buffer } = piece.chunk;
    await this.#ask("write", { id, offset, piece }, buffer instanceof ArrayBuffer ? [buffer] : []);
  }

  /** Verifies what arrived and stages it. */
  async stage(part: SnapshotPart): Promise<void> {
    await this.#ask("stage", { part });
  }
}
