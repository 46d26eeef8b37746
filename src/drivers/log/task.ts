/**
 * Work that waits for a disk, as generators: what is yielded is waited for by its `then` alone, without a promise in
 * between. So the very same code runs over real files, which answer by promises, and over simulated ones, which answer
 * in virtual time and always in the same order. Pure.
 * @module
 */

/** Something that takes time: a promise, a {@linkcode Task}, a simulated operation; undefined when it is done already. */
export type Wait = Waitable | undefined;

/** A thenable; `failed` takes the value that a promise would be rejected with. */
export interface Waitable {
  then(done: () => void, failed: (error: unknown) => void): unknown;
}

/** A sequence of waits; an error of one is thrown at its `yield`. */
export type Work = Generator<Wait, void, void>;

/** A moment that can be waited for, before and after it has come. */
export class Signal implements Waitable {
  #state: "due" | "done" | "failed" = "due";
  #error: unknown;
  #waiting: { done(): void; failed(error: unknown): void }[] = [];

  /** Calls one of the two when the moment has come; at once where it has. */
  then(done: () => void, failed: (error: unknown) => void): void {
    if (this.#state === "done") done();
    else if (this.#state === "failed") failed(this.#error);
    else this.#waiting.push({ done, failed });
  }

  /** It has come. */
  resolve(): void {
    this.#state = "done";
    for (const { done } of this.#waiting.splice(0)) done();
  }

  /** It will not come. @returns Whether anybody was told. */
  reject(error: unknown): boolean {
    this.#state = "failed";
    this.#error = error;
    const waiting = this.#waiting.splice(0);
    for (const { failed } of waiting) failed(error);
    return waiting.length > 0;
  }
}

/** Work under way. An error that nobody waits for is thrown where the last wait ended. */
export class Task extends Signal {
  readonly #work: Work;

  /** Begins at once, and goes on until the first thing to wait for. */
  constructor(work: Work) {
    super();
    this.#work = work;
    this.#run(() => work.next());
  }

  #run(first: () => IteratorResult<Wait, void>): void {
    let result: IteratorResult<Wait, void>;
    try {
      result = first();
      while (!result.done && result.value === undefined) result = this.#work.next();
    } catch (error) {
      if (!this.reject(error)) throw error;
      return;
    }
    if (result.done) return this.resolve();
    result.value?.then(
      () => this.#run(() => this.#work.next()),
      (error) => this.#run(() => this.#work.throw(error)),
    );
  }
}
