/**
 * Backups of this node's database. The backup Worker, which is started for the first backup, makes them; they are
 * passed on in pieces as fast as the receiver takes them.
 * @module
 */
import { Caller, type ToCaller } from "../../base/worker/channel.ts";
import type { BackupMethods, BackupOptions } from "../../drivers/backup/api.ts";

/** A backup on its way. */
export interface BackupInPieces {
  /** Its bytes, where they are known. */
  readonly length: number | undefined;
  /** To be taken once; whoever stops before the end lets go of it. */
  readonly pieces: AsyncIterable<Uint8Array>;
}

/** Makes backups. */
export class Backups {
  /** Backups that were begun. */
  made = 0;
  /** When the last one had been taken to its end, wall clock in ms; 0: none. */
  lastMs = 0;
  /** Present once the Worker runs. */
  readonly #caller = Promise.withResolvers<Caller<BackupMethods>>();
  readonly #wake: () => void;
  #isAwake = false;

  /** @param wake Has the Worker started. */
  constructor(wake: () => void) {
    this.#wake = wake;
  }

  /** The line to the Worker. */
  connect(port: MessagePort): void {
    const caller = new Caller<BackupMethods>(port, { callee: "the backup Worker" });
    port.onmessage = ({ data }: MessageEvent<ToCaller>) => caller.settle(data);
    this.#caller.resolve(caller);
  }

  /**
   * Makes a backup of the database as it is now.
   * @throws {Error} Why it cannot be made, for people.
   */
  async open(options: BackupOptions): Promise<BackupInPieces> {
    if (!this.#isAwake) this.#wake();
    this.#isAwake = true;
    const caller = await this.#caller.promise;
    const { id, length } = await caller.call("open", options);
    this.made++;
    return { length, pieces: piecesOf(caller, id, () => this.lastMs = Date.now()) };
  }
}

async function* piecesOf(
  caller: Caller<BackupMethods>,
  id: number,
  onEnd: () => void,
): AsyncGenerator<Uint8Array> {
  try {
    for (;;) {
      const piece = await caller.call("read", { id });
      if (!piece) return onEnd();
      yield piece;
    }
  } finally {
    await caller.call("close", { id });
  }
}
