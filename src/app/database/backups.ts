/**
 * Backups of this node's database: made by the backup Worker, which is started for the first of them, and handed on in pieces
 * as quickly as they are taken.
 * @module
 */
import type { BackupOptions, FromBackup, ToBackup } from "../../drivers/backup/api.ts";

/** A backup on its way. */
export interface BackupInPieces {
  /** Its bytes, where they are known. */
  readonly length: number | undefined;
  /** To be taken once; whoever stops before the end lets go of it. */
  readonly pieces: AsyncIterable<Uint8Array>;
}

/** A message without the reference that it gets here. */
type Question = ToBackup extends infer M ? M extends ToBackup ? Omit<M, "ref"> : never : never;

/** Makes backups. */
export class Backups {
  readonly #line = Promise.withResolvers<MessagePort>();
  readonly #wake: () => void;
  readonly #calls = new Map<number, PromiseWithResolvers<FromBackup["result"]>>();
  #isAwake = false;
  #nextRef = 1;

  /** @param wake Has the Worker started. */
  constructor(wake: () => void) {
    this.#wake = wake;
  }

  /** The line to the Worker. */
  connect(port: MessagePort): void {
    port.onmessage = ({ data: { ref, result, error } }: MessageEvent<FromBackup>) => {
      const call = this.#calls.get(ref);
      this.#calls.delete(ref);
      if (error === undefined) call?.resolve(result);
      else call?.reject(new Error(error));
    };
    this.#line.resolve(port);
  }

  /**
   * Makes a backup of the database as it is now.
   * @throws {Error} Why it cannot be made, for people.
   */
  async open(options: BackupOptions): Promise<BackupInPieces> {
    const of = this.#nextRef;
    const length = await this.#ask({ k: "open", options });
    return { length: typeof length === "number" ? length : undefined, pieces: this.#pieces(of) };
  }

  async *#pieces(of: number): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const piece = await this.#ask({ k: "read", of });
        if (!(piece instanceof Uint8Array)) return;
        yield piece;
      }
    } finally {
      await this.#ask({ k: "close", of });
    }
  }

  async #ask(question: Question): Promise<FromBackup["result"]> {
    const ref = this.#nextRef++;
    if (!this.#isAwake) this.#wake();
    this.#isAwake = true;
    const call = Promise.withResolvers<FromBackup["result"]>();
    this.#calls.set(ref, call);
    (await this.#line.promise).postMessage({ ...question, ref });
    return await call.promise;
  }
}
