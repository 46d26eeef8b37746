/**
 * Loading a database into the cluster, step by step: its file comes in parts, which every replica keeps in a table, and then
 * takes the place of what the database holds. So a file of any size goes through the log in entries of a moderate size, a
 * snapshot in between holds what has come so far, and no replica sees half of it. Pure.
 *
 * A part may be sent again: it takes its own place. One load is under way at a time: the first part of another one puts an end
 * to it.
 * @module
 */
import { DecodeError } from "../../base/codec/cursor.ts";
import type { Command, StampedCommand } from "./command.ts";
import type { SqlValue } from "./value.ts";

/** Most bytes of a part. */
export const LOAD_PART_BYTES_MAX = 1024 * 1024;
/** Table in which the parts are kept until all have come. */
export const LOAD_TABLE = "_muster_load";

/** A step. */
export type LoadStep =
  /** Bytes of the file from an offset on. */
  | { readonly k: "part"; readonly id: string; readonly at: number; readonly bytes: Uint8Array }
  /** All have come: the file has so many bytes. */
  | { readonly k: "install"; readonly id: string; readonly size: number }
  /** Nobody will install it. */
  | { readonly k: "drop"; readonly id: string };

/** The command of a step. */
export function loadCommand(step: LoadStep): Command {
  const { k, id } = step;
  const values: SqlValue[] = k === "part"
    ? [k, id, BigInt(step.at), step.bytes]
    : k === "install"
    ? [k, id, BigInt(step.size)]
    : [k, id];
  return {
    kind: "load",
    transaction: false,
    isSystem: true,
    statements: [{ parts: [], positional: values, named: null }],
  };
}

/**
 * The step that a command of kind `load` holds.
 * @throws {DecodeError} When it holds none.
 */
export function loadStepOf({ statements }: Pick<StampedCommand, "statements">): LoadStep {
  const [k, id, number, bytes] = statements[0]?.positional ?? [];
  if (typeof id !== "string") throw new DecodeError("Expected the id of a load");
  if (k === "drop") return { k, id };
  if (typeof number !== "bigint" || number < 0n) throw new DecodeError("Expected an offset or a size");
  if (k === "install") return { k, id, size: Number(number) };
  if (k !== "part" || !(bytes instanceof Uint8Array)) throw new DecodeError("Expected a step of a load");
  return { k, id, at: Number(number), bytes };
}
