/**
 * Every order tried: slow, and so short that it can be believed. What the checkers are compared with, for a handful of
 * operations. And the generator of the histories for that: a correct database with clients beside each other.
 * @module
 */
import { History, type Operation, precedes } from "./history.ts";

/** Whether some order of the operations respects the clock and the model; unknown ones may be left out. */
export function hasOrder<Request, Answer, State>(
  operations: readonly Operation<Request, Answer>[],
  model: Model<Request, Answer, State>,
): boolean {
  const search = (left: readonly Operation<Request, Answer>[], state: State): boolean =>
    left.every(({ outcome }) => outcome === "unknown") || left.some((one) => {
      if (left.some((other) => precedes(other, one))) return false;
      const { answer, next } = model.apply(state, one.request);
      if (one.outcome === "done" && JSON.stringify(answer) !== JSON.stringify(one.answer)) return false;
      return search(left.filter((other) => other !== one), next);
    });
  return search(operations.filter(({ outcome }) => outcome !== "notDone"), model.initial);
}

/** A database that executes one request at a time. */
export interface Model<Request, Answer, State> {
  readonly initial: State;
  apply(state: State, request: Request): { readonly answer: Answer; readonly next: State };
}

/**
 * Lets clients work on a correct database. Each number moves one client on by one step: it sends a request, the request
 * takes effect, the answer comes; or the request is refused, or its answer is lost before or after the effect.
 * @param requestOf What a client asks, by a number.
 */
export function generate<Request, Answer, State>(
  moves: readonly number[],
  model: Model<Request, Answer, State>,
  requestOf: (number: number) => Request,
): Operation<Request, Answer>[] {
  const history = new History<Request, Answer>();
  const clients = Array.from(
    { length: 3 },
    () => ({ advance: undefined as ((luck: number, now: number) => boolean) | undefined }),
  );
  let state = model.initial;
  moves.forEach((move, now) => {
    const process = move % clients.length;
    const client = clients[process];
    const number = Math.floor(move / clients.length);
    if (client.advance !== undefined) {
      if (client.advance(number % 16, now)) client.advance = undefined;
      return;
    }
    const request = requestOf(number);
    const open = history.invoke(process, request, now);
    let answer: { readonly answer: Answer } | undefined;
    client.advance = (luck, now) => {
      if (luck === 0) open.unknown();
      else if (answer !== undefined) open.done(now, answer.answer);
      else if (luck === 1) open.notDone(now);
      else {
        const applied = model.apply(state, request);
        state = applied.next;
        answer = applied;
        return false;
      }
      return true;
    };
  });
  return history.operations;
}
