/**
 * The disk as the log uses it: one directory of files. files.ts implements it; the simulation has one that loses power,
 * tears writes and fills up (tests/sim). Pure types.
 *
 * Written bytes are durable only after `sync()` of the file; a new or changed name after `sync()` of the directory.
 * Methods that return a {@linkcode Wait} may take as long as the disk does and do not hold up this thread; the others are
 * quick, or for the time before anything else runs (`…Now`). Errors carry a `code` as those of Deno do.
 * @module
 */
import type { Wait } from "./task.ts";

/** The files of one log. */
export interface LogDisk {
  /** Path of a file, for messages. */
  pathOf(name: string): string;
  /** Names of all files. */
  list(): string[];
  /** Whether there is such a file. */
  exists(name: string): boolean;
  /** Opens a file for reading and writing. */
  open(name: string): LogFile;
  /** Makes a file that holds `bytes`, in the place of one of that name. */
  createNow(name: string, bytes: Uint8Array): LogFile;
  /** Makes a file of zeros and its contents durable, in the place of one of that name; nothing stays where that fails. */
  makeZeros(name: string, bytes: number): Wait;
  /** Gives a file another name, in the place of what had it. */
  rename(from: string, to: string): Wait;
  renameNow(from: string, to: string): void;
  remove(name: string): void;
  /** Makes names durable (D6). */
  sync(): Wait;
  syncNow(): void;
  /** A clock that never goes back, in ms. */
  nowMs(): number;
  /** Ends after `ms`. */
  pause(ms: number): Wait;
  /** Ends when the messages of this turn are on their way. */
  afterMessages(): Wait;
}

/** An open file. */
export interface LogFile {
  /** Its size when it was opened. */
  readonly bytes: number;
  /** Reads `length` bytes from `offset` on, or fewer at the end of the file; the bytes are the caller's. */
  read(offset: number, length: number): Uint8Array;
  /** Writes all of `bytes`, whose owner must leave them alone until that has ended. */
  write(offset: number, bytes: Uint8Array): Wait;
  writeNow(offset: number, bytes: Uint8Array): void;
  /** Makes what was written durable. */
  sync(): Wait;
  syncNow(): void;
  close(): void;
}

/** Whether an error says that the disk is full. */
export function isNoSpace(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");
}
