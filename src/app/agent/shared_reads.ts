/**
 * Reads of the catalog that many ask for alike: one reading serves all that ask for the same until the catalog changes.
 * What a read returns was in the catalog after it was asked for, as if each had read for itself.
 * @module
 */

/** Reads that are kept. */
const READS_MAX = 1000;
/** Rows of a read that is kept, and of all together. */
const ROWS_OF_READ_MAX = 10_000;
const ROWS_MAX = 50_000;

/** The result of a read. */
export interface Rows {
  /** Of each statement. */
  readonly rows: readonly (readonly unknown[])[];
}

/** Reads since the last change. */
export class SharedReads<Read extends Rows> {
  readonly #reads = new Map<string, Promise<Read>>();
  /** Tells one state of the catalog from the next. */
  readonly #version: () => string;
  #of = "";
  #rows = 0;

  /** @param version Differs behind each change, before anybody hears that it is done. */
  constructor(version: () => string) {
    this.#version = version;
  }

  /** The result of the read `key`, which is carried out where nobody has since the last change. It is not to be changed. */
  get(key: string, read: () => Promise<Read>): Promise<Read> {
    const version = this.#version();
    if (version !== this.#of) {
      this.#clear();
      this.#of = version;
    }
    return this.#reads.get(key) ?? this.#begin(key, read);
  }

  #begin(key: string, read: () => Promise<Read>): Promise<Read> {
    const reading = read();
    if (this.#reads.size >= READS_MAX || this.#rows > ROWS_MAX) this.#clear();
    this.#reads.set(key, reading);
    const isKept = () => this.#reads.get(key) === reading;
    reading.then(({ rows }) => {
      if (!isKept()) return;
      const count = rows.reduce((sum, { length }) => sum + length, 0);
      if (count > ROWS_OF_READ_MAX) this.#reads.delete(key);
      else this.#rows += count;
    }, () => {
      if (isKept()) this.#reads.delete(key);
    });
    return reading;
  }

  #clear(): void {
    this.#reads.clear();
    this.#rows = 0;
  }
}
