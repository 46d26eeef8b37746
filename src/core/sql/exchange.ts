/**
 * Messages between the Workers around the database, and their packed form. Pure.
 *
 * A message between Workers is cloned object by object, which for small requests costs more than the work they ask for
 * (measured: 6.3 µs for a write as an object, 0.8 µs as its share of a packed batch). So a batch travels as lists side by
 * side: the n-th element of each belongs to the n-th item, byte strings and commands are laid end to end.
 * @module
 */

import { pack, type Packed, Packer, unpack } from "../../base/codec/packed.ts";
import { type BoundStatement, decodeCommand, putCommand, type Statements } from "./command.ts";
import { renderBits, renderFlags, type RenderOptions } from "./render_options.ts";
import { buffersOf, type ResultText } from "./result_text.ts";

/** Destination of the outcome of an entry. Only the node that took the request has one. */
export interface Waiter {
  /** 0 is the replica itself, 1 and up are the http Workers in the order given at open. */
  readonly port: number;
  /** The asker's own number for the request; comes back in the {@linkcode Outcome}. */
  readonly ref: number;
  /** How to render the results. */
  readonly options: RenderOptions;
}

/** A committed log entry on its way into the database. */
export interface ApplyEntry {
  /** Log index; entries at or below the applied index are skipped. */
  readonly index: number;
  /** Term of the entry. */
  readonly term: number;
  /** Only commands touch the database; the others move the applied index. */
  readonly kind: "noop" | "command" | "config";
  /** Result of `encodeCommand`, stamped by the leader; ignored for other kinds. */
  readonly body: Uint8Array;
  /** Destination of the results, if this node needs them. */
  readonly waiter?: Waiter;
}

/** Outcome of one entry. */
export interface Outcome {
  /** The waiter's own number. */
  readonly ref: number;
  /** Log index of the entry. */
  readonly index: number;
  /** Text of the JSON array `results`. */
  readonly results: ResultText;
  /** Top-level error: the request failed as a whole. */
  readonly error?: string;
}

/** One read request. */
export interface ReadRequest {
  /** The asker's own number; comes back in the {@linkcode ReadResult}. */
  readonly ref: number;
  /** Statements to run, in order. */
  readonly statements: Statements;
  /** Whether all statements see one snapshot. */
  readonly transaction: boolean;
  /** How to render the results. */
  readonly options: RenderOptions;
  /** Time for the whole request in milliseconds; 0 for no limit. */
  readonly timeoutMs: number;
  /** `/db/request`: answer `writes` instead of running when any statement is not read-only. */
  readonly onlyIfReadOnly: boolean;
  /** Whether the answer is to name the tables that were read. @default {false} */
  readonly wantsTables?: boolean;
}

/** Result of a read request. */
export interface ReadResult {
  /** The asker's own number. */
  readonly ref: number;
  /** Text of the JSON array `results`. */
  readonly results: ResultText;
  /** Nothing was run: a statement writes or does not compile, so the request belongs into the log. */
  readonly writes?: true;
  /** It was ended at its time limit, or as it was cancelled. */
  readonly isLate?: true;
  /** It was ended as there was no room for its answer: it is to begin again when there is. */
  readonly isTooLarge?: true;
  /** Top-level error. */
  readonly error?: string;
  /** Tables and views that the statements read, those behind views as well, in lower case; where it was asked for. */
  readonly tables?: readonly string[];
}

const KINDS: readonly ApplyEntry["kind"][] = ["noop", "command", "config"];

/** Consecutive entries, packed. */
export interface PackedEntries {
  /** Index of the first one. */
  readonly first: number;
  readonly terms: readonly number[];
  readonly kinds: readonly number[];
  readonly bodies: Packed;
  /** Of each waiter: position of its entry, port, ref, render bits. */
  readonly waiters: readonly number[];
}

/** Packs entries whose indices rise by one; at least one. */
export function packEntries(entries: readonly ApplyEntry[]): PackedEntries {
  const waiters: number[] = [];
  entries.forEach(({ waiter }, at) => {
    if (waiter) waiters.push(at, waiter.port, waiter.ref, renderBits(waiter.options));
  });
  return {
    first: entries[0].index,
    terms: entries.map(({ term }) => term),
    kinds: entries.map(({ kind }) => KINDS.indexOf(kind)),
    bodies: pack(entries.map(({ body }) => body)),
    waiters,
  };
}

/** The entries again; bodies are views of the packed bytes. */
export function unpackEntries({ first, terms, kinds, bodies, waiters }: PackedEntries): ApplyEntry[] {
  const entries: ApplyEntry[] = unpack(bodies).map((body, at) => ({
    index: first + at,
    term: terms[at],
    kind: KINDS[kinds[at]],
    body,
  }));
  for (let i = 0; i < waiters.length; i += 4) {
    const [at, port, ref, bits] = waiters.slice(i, i + 4);
    entries[at] = { ...entries[at], waiter: { port, ref, options: renderFlags(bits) } };
  }
  return entries;
}

/** Outcomes, packed. */
export interface PackedOutcomes {
  readonly refs: readonly number[];
  readonly indices: readonly number[];
  readonly results: readonly ResultText[];
  /** Position and text of those that failed as a whole. */
  readonly errors: readonly (readonly [number, string])[];
}

/** Buffers of results, to be transferred with them. */
export function transferOf({ results }: { readonly results: readonly ResultText[] }): ArrayBuffer[] {
  return results.flatMap(buffersOf);
}

/** Packs outcomes. */
export function packOutcomes(outcomes: readonly Outcome[]): PackedOutcomes {
  return {
    refs: outcomes.map(({ ref }) => ref),
    indices: outcomes.map(({ index }) => index),
    results: outcomes.map(({ results }) => results),
    errors: errorsOf(outcomes),
  };
}

function errorsOf(items: readonly { readonly error?: string }[]): [number, string][] {
  const errors: [number, string][] = [];
  items.forEach(({ error }, at) => {
    if (error !== undefined) errors.push([at, error]);
  });
  return errors;
}

/** The outcomes again. */
export function unpackOutcomes({ refs, indices, results, errors }: PackedOutcomes): Outcome[] {
  const outcomes: Outcome[] = refs.map((ref, at) => ({ ref, index: indices[at], results: results[at] }));
  for (const [at, error] of errors) outcomes[at] = { ...outcomes[at], error };
  return outcomes;
}

/** Read requests, packed. */
export interface PackedReads {
  readonly refs: readonly number[];
  readonly commands: Packed;
  /** Render bits, and 16 for `onlyIfReadOnly`. */
  readonly flags: readonly number[];
  readonly timeoutsMs: readonly number[];
}

const ONLY_IF_READ_ONLY = 64;
const WANTS_TABLES = 128;

const reads = new Packer();

/** Packs read requests. */
export function packReads(requests: readonly ReadRequest[]): PackedReads {
  const commands = reads.packAll(requests, (writer, { statements, transaction }) => {
    putCommand(writer, { kind: "query", transaction, statements });
  });
  return {
    refs: requests.map(({ ref }) => ref),
    commands,
    flags: requests.map(({ options, onlyIfReadOnly, wantsTables }) =>
      renderBits(options) | (onlyIfReadOnly ? ONLY_IF_READ_ONLY : 0) | (wantsTables ? WANTS_TABLES : 0)
    ),
    timeoutsMs: requests.map(({ timeoutMs }) => timeoutMs),
  };
}

/** A read request as a reader gets it. */
export interface DecodedRead extends ReadRequest {
  readonly statements: readonly BoundStatement[];
}

/** The requests again. */
export function unpackReads({ refs, commands, flags, timeoutsMs }: PackedReads): DecodedRead[] {
  return unpack(commands).map((bytes, at) => {
    const { statements, transaction } = decodeCommand(bytes);
    return {
      ref: refs[at],
      statements,
      transaction,
      options: renderFlags(flags[at]),
      timeoutMs: timeoutsMs[at],
      onlyIfReadOnly: (flags[at] & ONLY_IF_READ_ONLY) > 0,
      wantsTables: (flags[at] & WANTS_TABLES) > 0,
    };
  });
}

/** Read results, packed. */
export interface PackedReadResults {
  readonly refs: readonly number[];
  readonly results: readonly ResultText[];
  /** Positions of those that were not run because they write. */
  readonly writes: readonly number[];
  /** Positions of those that were ended at their time limit, or as they were cancelled. */
  readonly late: readonly number[];
  /** Positions of those that were ended for want of room. */
  readonly tooLarge: readonly number[];
  /** Position and text of those that failed as a whole. */
  readonly errors: readonly (readonly [number, string])[];
  /** Position and tables of those that were asked for them. */
  readonly tables: readonly (readonly [number, readonly string[]])[];
}

/** Packs read results. */
export function packReadResults(items: readonly ReadResult[]): PackedReadResults {
  return {
    refs: items.map(({ ref }) => ref),
    results: items.map(({ results }) => results),
    writes: items.flatMap(({ writes }, at) => writes ? [at] : []),
    late: items.flatMap(({ isLate }, at) => isLate ? [at] : []),
    tooLarge: items.flatMap(({ isTooLarge }, at) => isTooLarge ? [at] : []),
    errors: errorsOf(items),
    tables: items.flatMap(({ tables }, at) => tables ? [[at, tables] as const] : []),
  };
}

/** The results again. */
export function unpackReadResults(
  { refs, results, writes, late, tooLarge, errors, tables }: PackedReadResults,
): ReadResult[] {
  const items: ReadResult[] = refs.map((ref, at) => ({ ref, results: results[at] }));
  for (const at of writes) items[at] = { ...items[at], writes: true };
  for (const at of late) items[at] = { ...items[at], isLate: true };
  for (const at of tooLarge) items[at] = { ...items[at], isTooLarge: true };
  for (const [at, error] of errors) items[at] = { ...items[at], error };
  for (const [at, names] of tables) items[at] = { ...items[at], tables: names };
  return items;
}
