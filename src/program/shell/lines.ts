/**
 * The lines of an editor in their order: also those that are pasted, or typed ahead, while a statement runs.
 * @module
 */
import type { Interface } from "node:readline/promises";

/** Lines that somebody types. */
export class Lines {
  readonly #editor: Interface;
  readonly #waiting: string[] = [];
  readonly #closed = Promise.withResolvers<undefined>();
  #isClosed = false;

  /** @param editor Nobody else asks it. */
  constructor(editor: Interface) {
    this.#editor = editor;
    editor.on("line", (line) => this.#waiting.push(line)); // to which nobody has listened as an answer
    editor.on("close", () => {
      this.#isClosed = true;
      this.#closed.resolve(undefined);
    });
  }

  /** The next line; undefined at the end of the input. */
  async next(prompt: string): Promise<string | undefined> {
    const line = this.#waiting.shift();
    if (line !== undefined || this.#isClosed) return line;
    return await Promise.race([this.#editor.question(prompt), this.#closed.promise]);
  }

  /** Forgets the lines that wait: as a terminal does at Ctrl-C. */
  forget(): void {
    this.#waiting.length = 0;
  }
}
