/**
 * The record of what clients did and saw, for the checkers beside this file (H1 to H3). Pure: times are
 * numbers that the caller gives, all from one clock.
 *
 * A process is a client that has one operation open at a time. An operation is `done` (its answer came), `notDone` (it
 * certainly had no effect) or `unknown` (it may take effect at any time from its call on, or never).
 * @module
 */

/** The outcome of an operation. */
export type Outcome = "done" | "notDone" | "unknown";

/** One operation of one client. */
export interface Operation<Request, Answer> {
  readonly process: number;
  readonly invokedAt: number;
  /** `Infinity`: never; so for every unknown one. */
  readonly returnedAt: number;
  readonly request: Request;
  readonly outcome: Outcome;
  /** The answer that the client got; present for operations that are done. */
  readonly answer?: Answer;
  /** Log index that the answer named. */
  readonly index?: number;
  /** Why it is not done, for the reader of a violation. */
  readonly note?: string;
}

/** Ends an operation, once. */
export interface OpenOperation<Answer> {
  done(at: number, answer: Answer, index?: number): void;
  notDone(at: number, note?: string): void;
  unknown(note?: string): void;
}

/** Collects operations as they happen. */
export class History<Request, Answer> {
  readonly #ended: Operation<Request, Answer>[] = [];
  readonly #open = new Map<number, Operation<Request, Answer>>();

  /**
   * A client sends a request.
   * @throws {Error} When the process waits for an answer still: that would be two clients.
   */
  invoke(process: number, request: Request, at: number): OpenOperation<Answer> {
    if (this.#open.has(process)) throw new Error(`Cannot invoke: process ${process} has an operation open`);
    const open = { process, request, invokedAt: at, returnedAt: Infinity, outcome: "unknown" } as const;
    this.#open.set(process, open);
    const end = (operation: Operation<Request, Answer>) => {
      if (this.#open.get(process) !== open) throw new Error(`Cannot end an operation of process ${process} twice`);
      this.#open.delete(process);
      this.#ended.push(operation);
    };
    return {
      done: (at, answer, index) =>
        end({ ...open, returnedAt: at, outcome: "done", answer, ...(index === undefined ? {} : { index }) }),
      notDone: (at, note) => end({ ...open, returnedAt: at, outcome: "notDone", ...(note && { note }) }),
      unknown: (note) => end({ ...open, ...(note && { note }) }),
    };
  }

  /** All operations by the time of their call; those without an end are unknown. */
  get operations(): Operation<Request, Answer>[] {
    return [...this.#ended, ...this.#open.values()].sort((a, b) => a.invokedAt - b.invokedAt);
  }
}

/**
 * The operations that a checker of effects has to look at: without those that were certainly not done, and without
 * reads of unknown outcome, which say nothing.
 */
export function relevant<Request, Answer>(
  operations: readonly Operation<Request, Answer>[],
  isRead: (request: Request) => boolean,
): Operation<Request, Answer>[] {
  return operations.filter(({ outcome, request }) => outcome === "done" || (outcome === "unknown" && !isRead(request)));
}

/** Whether `a` had returned before `b` was invoked: every order has to respect that. Equal times are concurrent. */
export function precedes(
  a: { readonly returnedAt: number },
  b: { readonly invokedAt: number },
): boolean {
  return a.returnedAt < b.invokedAt;
}

/** Operations by what `keyOf` says of them, each group in the order it had. */
export function partition<T>(operations: readonly T[], keyOf: (operation: T) => number): Map<number, T[]> {
  return Map.groupBy(operations, keyOf);
}
