/**
 * The replica's end of the line to the snapshot Worker.
 * @module
 */
import { DatabaseDamageError } from "./damage.ts";
import type { FromSnapshot, SnapshotPart, SnapshotRequest, ToSnapshot } from "../sqlite/api.ts";

/** Asks the snapshot Worker; a failure is an error for people. */
export class SnapshotClient {
  readonly #port: MessagePort;
  readonly #calls = new Map<number, PromiseWithResolvers<unknown>>();
  #nextRef = 1;

  readonly #wake: () => void;
  #isAwake = false;

  /**
   * @param port Owned from now on.
   * @param wake Has the Worker started, before it is asked for the first time: most nodes never need it.
   */
  constructor(port: MessagePort, wake: () => void) {
    this.#port = port;
    this.#wake = wake;
    port.onmessage = ({ data: { ref, result, error, isDamage } }: MessageEvent<FromSnapshot>) => {
      const call = this.#calls.get(ref);
      this.#calls.delete(ref);
      if (error === undefined) call?.resolve(result);
      else call?.reject(isDamage ? new DatabaseDamageError(error) : new Error(error));
    };
  }

  async #ask(request: SnapshotRequest, transfer: Transferable[] = []): Promise<unknown> {
    if (!this.#isAwake) this.#wake();
    this.#isAwake = true;
    const message: ToSnapshot = { ref: this.#nextRef++, request };
    const call = Promise.withResolvers<unknown>();
    this.#calls.set(message.ref, call);
    this.#port.postMessage(message, transfer);
    return await call.promise;
  }

  // What the Worker answers is of this process: its types are those of SnapshotRequest.

  /** Makes a copy of the database, in the place of the last one. */
  async copy(): Promise<SnapshotPart> {
    return await this.#ask({ k: "copy" }) as SnapshotPart;
  }

  /** Resolves when it runs, and has done what it was asked before. */
  async wakeUp(): Promise<void> {
    await this.#ask({ k: "awake" });
  }

  /** Holds on to the database as it is now: which index it has applied. */
  async view(): Promise<number> {
    return await this.#ask({ k: "view" }) as number;
  }

  /** Hashes the content of the view, and lets go of it. */
  async hash(): Promise<string> {
    return await this.#ask({ k: "hash" }) as string;
  }

  /** Removes the copy made last. */
  async drop(): Promise<void> {
    await this.#ask({ k: "drop" });
  }

  /** A piece of the copy made last. */
  async read(offset: number, length: number): Promise<Uint8Array> {
    return await this.#ask({ k: "read", offset, length }) as Uint8Array;
  }

  /** Begins to receive, or goes on: how many bytes are here already. */
  async begin(part: SnapshotPart): Promise<number> {
    return await this.#ask({ k: "begin", part }) as number;
  }

  /** Takes the next piece, with the memory it lies in. */
  async write(id: string, offset: number, chunk: Uint8Array): Promise<void> {
    await this.#ask({ k: "write", id, offset, chunk }, chunk.buffer instanceof ArrayBuffer ? [chunk.buffer] : []);
  }

  /** Verifies what arrived and stages it. */
  async stage(part: SnapshotPart): Promise<void> {
    await this.#ask({ k: "stage", part });
  }
}
