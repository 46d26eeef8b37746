/**
 * Damage to this node's own files. The node stops with exit code 3, after which systemd does not restart it.
 * @module
 */
import { LostEntriesError } from "../../core/raft/lost_entries.ts";
import type { FromWriter } from "../sqlite/api.ts";
import { DivergenceError } from "./divergence.ts";
import { LogDamageError } from "../log/recovery.ts";

/** The database file is damaged; the message says what to do. */
export class DatabaseDamageError extends Error {
  /** Always `DatabaseDamageError`. */
  override readonly name = "DatabaseDamageError";
}

/** Whether an operator has to look at the data directory before this node starts again. */
export function isDamage(error: unknown): boolean {
  return error instanceof LogDamageError || error instanceof LostEntriesError || error instanceof DivergenceError ||
    error instanceof DatabaseDamageError;
}

/** The writer's last word as an error. */
export function writerFailure({ message, isDamage }: Extract<FromWriter, { k: "failed" }>): Error {
  return isDamage ? new DatabaseDamageError(message) : new Error(message);
}
