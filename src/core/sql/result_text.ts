/**
 * The text of results: a string while it is short, which is the quickest way between Workers, and bytes in parts where it
 * is long. Parts are transferred, not copied, and are counted (rpc/answer_budget.ts); strings are not. Pure.
 * @module
 */

/** JSON text, or its parts in UTF-8. */
export type ResultText = string | readonly Uint8Array<ArrayBuffer>[];

/** Characters from which on a text becomes bytes. */
export const PART_LENGTH = 64 * 1024;

const encoder = new TextEncoder();

/** Told of bytes before they are kept; throws where there is no room for them. */
export type TakeBytes = (bytes: number, characters: number) => void;

/** A text that grows. */
export class TextBuilder {
  readonly #take: TakeBytes;
  readonly #parts: Uint8Array<ArrayBuffer>[] = [];
  #text = "";

  /** @param take Told of each part. */
  constructor(take: TakeBytes) {
    this.#take = take;
  }

  /** Whether nothing was added. */
  get isEmpty(): boolean {
    return this.#text === "" && this.#parts.length === 0;
  }

  /** Adds a text. */
  add(text: string): void {
    this.#text = this.#text === "" ? text : this.#text + text;
    if (this.#text.length >= PART_LENGTH) this.#flush();
  }

  /** Adds a text whose parts, if it has any, were taken before. */
  append(text: ResultText): void {
    if (typeof text === "string") return this.add(text);
    this.#flush();
    for (const part of text) this.#parts.push(part);
  }

  #flush(): void {
    if (this.#text === "") return;
    const part = encoder.encode(this.#text);
    this.#take(part.length, this.#text.length);
    this.#parts.push(part);
    this.#text = "";
  }

  /** Forgets the text. */
  drop(): void {
    this.#text = "";
    this.#parts.splice(0).forEach(freePart);
  }

  /** The text. */
  finish(): ResultText {
    if (this.#parts.length === 0) return this.#text;
    this.#flush();
    return this.#parts;
  }
}

/** Frees the memory of a part now; until it is collected as garbage, many others may have been made. */
export function freePart({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && byteLength > 0 && buffer.byteLength === byteLength) buffer.transfer(0);
}

/** Bytes of a text that are counted. */
export function countedBytes(text: ResultText): number {
  if (typeof text === "string") return 0;
  let bytes = 0;
  for (const part of text) bytes += part.length;
  return bytes;
}

/** The buffers of a text, to be transferred with it. */
export function buffersOf(text: ResultText): ArrayBuffer[] {
  return typeof text === "string" ? [] : text.map(({ buffer }) => buffer);
}

/** The whole text as a string. */
export function wholeText(text: ResultText): string {
  if (typeof text === "string") return text;
  const stream = new TextDecoder("utf-8", { ignoreBOM: true });
  return text.map((part) => stream.decode(part, { stream: true })).join("") + stream.decode();
}
