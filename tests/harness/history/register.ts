/**
 * The model of a register: one text, absent at first, that is read, written, compared-and-set,
 * appended to and deleted. Pure.
 * @module
 */
import { type Operation, relevant } from "./history.ts";

/** A client's request to the register of a key. */
export type RegisterRequest =
  | { readonly key: number; readonly kind: "read" }
  | { readonly key: number; readonly kind: "write"; readonly value: string }
  | { readonly key: number; readonly kind: "cas"; readonly expected: Content; readonly value: string }
  | { readonly key: number; readonly kind: "append"; readonly value: string }
  | { readonly key: number; readonly kind: "delete" };

/** Content of a register; null before the first write. */
export type Content = string | null;

/** A read's content, whether a compare-and-set took place, true for writes, appends and deletions. */
export type RegisterAnswer = Content | boolean;

/** An operation on a register. */
export type RegisterOperation = Operation<RegisterRequest, RegisterAnswer>;

/** The answer of a correct register in a state, and the state after it. */
export function applyRegister(state: Content, request: RegisterRequest): { answer: RegisterAnswer; next: Content } {
  switch (request.kind) {
    case "read":
      return { answer: state, next: state };
    case "write":
      return { answer: true, next: request.value };
    case "cas":
      return state === request.expected ? { answer: true, next: request.value } : { answer: false, next: state };
    case "append":
      return { answer: true, next: (state ?? "") + request.value };
    case "delete":
      return { answer: true, next: null };
  }
}

/** State after an operation at `state`, or undefined when a correct register cannot have answered so there. */
export function step(state: Content, { request, outcome, answer }: RegisterOperation): Content | undefined {
  const expected = applyRegister(state, request);
  return outcome === "unknown" || expected.answer === answer ? expected.next : undefined;
}

/** The operations that {@linkcode relevant} keeps. */
export function relevantToRegisters(operations: readonly RegisterOperation[]): RegisterOperation[] {
  return relevant(operations, ({ kind }) => kind === "read");
}

/** An operation in one line. */
export function describeRegisterOperation(operation: RegisterOperation): string {
  const { process, request, outcome, answer, invokedAt, returnedAt, index, note } = operation;
  const what = request.kind === "read" || request.kind === "delete"
    ? request.kind
    : request.kind === "cas"
    ? `cas ${JSON.stringify(request.expected)} → ${JSON.stringify(request.value)}`
    : `${request.kind} ${JSON.stringify(request.value)}`;
  const told = outcome === "done" ? JSON.stringify(answer) : `${outcome}${note ? ` (${note})` : ""}`;
  const at = index === undefined ? "" : ` at index ${index}`;
  const end = returnedAt === Infinity ? "…" : returnedAt.toFixed(3);
  return `process ${process}: key ${request.key} ${what} = ${told}${at} [${invokedAt.toFixed(3)}, ${end}]`;
}
