/**
 * Reads of the catalog that many ask for alike: one reading serves all that ask for the same until the catalog changes.
 * What a read returns was in the catalog after it was asked for, as if each had read for itself.
 * @module
 */

/** Reads that are kept. */
const READS_MAX = 1000;
/** Longest text that is kept, and length of all texts together, in characters. */
const TEXT_MAX = 1024 * 1024;
const TEXTS_MAX = 8 * 1024 * 1024;

/** The result of a read, as it is sent. */
export interface SharedRead {
  /** Undefined where there is nothing. */
  readonly text: string | undefined;
  /** Log index of its last change. */
  readonly index: number;
}

/** Reads since the last change. */
export class SharedReads {
  readonly #reads = new Map<string, Promise<SharedRead>>();
  /** Tells one state of the catalog from the next. */
  readonly #version: () => string;
  #of = "";
  #length = 0;

  /** @param version Differs behind each change, before anybody hears that it is done. */
  constructor(version: () => string) {
    this.#version = version;
  }

  /** The result of the read `key`, which is carried out where nobody has since the last change. */
  get(key: string, read: () => Promise<SharedRead>): Promise<SharedRead> {
    const version = this.#version();
    if (version !== this.#of) {
      this.#clear();
      this.#of = version;
    }
    return this.#reads.get(key) ?? this.#begin(key, read);
  }

  #begin(key: string, read: () => Promise<SharedRead>): Promise<SharedRead> {
    const reading = read();
    if (this.#reads.size >= READS_MAX || this.#length > TEXTS_MAX) this.#clear();
    this.#reads.set(key, reading);
    this.#length += key.length;
    const isKept = () => this.#reads.get(key) === reading;
    reading.then(({ text = "" }) => {
      if (!isKept()) return;
      if (text.length > TEXT_MAX) this.#reads.delete(key);
      else this.#length += text.length;
    }, () => {
      if (isKept()) this.#reads.delete(key);
    });
    return reading;
  }

  #clear(): void {
    this.#reads.clear();
    this.#length = 0;
  }
}
