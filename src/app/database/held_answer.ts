/**
 * A long answer on its way to a client. Its parts are counted until the client has taken them or has left.
 * @module
 */
import type { AnswerBudget } from "../../base/shared/answer_budget.ts";
import { countedBytes, freePart, type ResultText, wholeText } from "../../core/sql/result_text.ts";

const EMPTY: Uint8Array = new Uint8Array(0);

/** An answer in parts. */
export class HeldAnswer {
  /** Bytes of the whole. */
  readonly length: number;
  readonly #parts: (Uint8Array | undefined)[];
  readonly #budget: AnswerBudget;
  #counted: number;
  #next = 0;

  /** @param counted Bytes that were taken of the budget for it. */
  constructor(parts: readonly Uint8Array[], budget: AnswerBudget, counted: number) {
    this.#parts = [...parts];
    this.#budget = budget;
    this.#counted = counted;
    this.length = parts.reduce((sum, { length }) => sum + length, 0);
  }

  /** The next part; those before it were taken by the client. Undefined behind the last. */
  next(): Uint8Array | undefined {
    const before = this.#next > 0 ? this.#parts[this.#next - 1] : undefined;
    if (before) {
      this.#parts[this.#next - 1] = undefined;
      freePart(before);
      this.#giveBack(Math.min(before.length, this.#counted));
    }
    return this.#parts[this.#next++];
  }

  /** The parts that were not taken, as one; they stay counted. */
  whole(): Uint8Array<ArrayBuffer> {
    const parts = this.#parts.map((part) => part ?? EMPTY);
    const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    this.#free();
    return bytes;
  }

  /** It is sent, or will not be. */
  release(): void {
    this.#free();
    this.#giveBack(this.#counted);
  }

  #free(): void {
    for (const part of this.#parts.splice(0)) if (part) freePart(part);
  }

  #giveBack(bytes: number): void {
    this.#counted -= bytes;
    if (bytes > 0) this.#budget.giveBack(bytes);
  }
}

/** The text of results that stay here, as a string. */
export function takeText(results: ResultText, answers: AnswerBudget): string {
  const text = wholeText(results);
  dropResults(results, answers);
  return text;
}

/** Frees results that nobody waits for. */
export function dropResults(results: ResultText, answers: AnswerBudget): void {
  if (typeof results === "string") return;
  answers.giveBack(countedBytes(results));
  results.forEach(freePart);
}
