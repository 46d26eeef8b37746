/**
 * Failures of the fuzzer, and their equality. Pure.
 * @module
 */

/** The check that found a failure. */
export type FailureKind =
  | "apply" // an exception from applying entries
  | "open" // from opening, closing, killing, adopting
  | "checkpoint"
  | "snapshot"
  | "hash" // from hashing the content
  | "diverge" // replicas differ in what they hold or in their digest
  | "results" // rendered results differ
  | "integrity" // PRAGMA integrity_check finds a fault
  | "dump" // a file cannot be read by a library of its own
  | "hang" // an entry takes without end
  | "crash"; // the process ended

/** A failure. */
export interface Failure {
  /** The check that found it. */
  readonly kind: FailureKind;
  /** One line. */
  readonly message: string;
  /** More, for people. */
  readonly detail?: string;
}

/** Thrown inside a run to end it. */
export class FailureError extends Error {
  /** Always `FailureError`. */
  override readonly name = "FailureError";
  /** The failure that it carries. */
  readonly failure: Failure;

  /** Wraps a failure. */
  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** The message of an exception, with SQLite's code where there is one. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "errcode" in error ? ` (code ${error.errcode})` : "";
  return `${error.name}: ${error.message}${code}`;
}

/** A message without what is by chance: names, numbers, paths. */
export function normalized(message: string): string {
  return message.replaceAll(/"[^"]*"|'[^']*'|`[^`]*`/g, "?").replaceAll(/\S*\/\S+/g, "/").replaceAll(/\d+/g, "#")
    .replaceAll(
      /\b(?:[a-z]+#|main\.\S+|\S+\.\S+)\b\S*/g,
      "?",
    ).slice(0, 120);
}

/** The common part of failures that are taken for the same one while a case is made smaller. */
export function signature({ kind, message }: Failure): string {
  if (kind === "results" || kind === "hang" || kind === "crash") return kind;
  if (kind === "diverge") return `diverge: ${message.split(" of ")[0]}`;
  return `${kind}: ${normalized(message)}`;
}
