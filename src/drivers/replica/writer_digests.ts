/**
 * Asks the writer for digests of what was applied.
 * @module
 */
import type { FromWriter, ToWriter } from "../sqlite/api.ts";

type Question = Extract<ToWriter, { k: "digest" }>;

/** Questions under way. */
export class WriterDigests {
  readonly #asked = new Map<number, (digest: number | null) => void>();
  #nextRef = 1;
  readonly #ask: (message: Question) => void;

  /** @param ask Posts a message to the writer. */
  constructor(ask: (message: Question) => void) {
    this.#ask = ask;
  }

  /** The digest after an entry; null where it is not known. */
  at(index: number): Promise<number | null> {
    return new Promise((resolve) => {
      const ref = this.#nextRef++;
      this.#asked.set(ref, resolve);
      this.#ask({ k: "digest", ref, index });
    });
  }

  /** Takes the writer's answer. */
  take({ ref, digest }: Extract<FromWriter, { k: "digest" }>): void {
    this.#asked.get(ref)?.(digest);
    this.#asked.delete(ref);
  }
}
