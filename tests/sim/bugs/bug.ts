/**
 * Seeded bugs, and the usual ways to catch them. Pure data.
 * @module
 */
import type { ProfileName } from "../profile.ts";

/** The checks that must notice a bug. */
export type Catcher =
  | {
    readonly by: "simulation";
    /** Seeds within which it must fail. */
    readonly seeds: number;
    /** The first of them. @default {1} */
    readonly first?: number;
    /** Which faults. @default {"swarm"} */
    readonly profile?: ProfileName;
  }
  | {
    readonly by: "test";
    /** The test file that must fail. */
    readonly file: string;
  };

/** One change of the code that breaks a rule. */
export interface Bug {
  /** Number in the list, with a letter where there are several of a kind; `c` and a number for the checker. */
  readonly id: string;
  /** The fault in one line. */
  readonly title: string;
  /** The effect on a user. */
  readonly symptom: string;
  /** The file to be changed. */
  readonly file: string;
  /** Text that occurs in it exactly once. */
  readonly find: string;
  /** The text that takes its place. */
  readonly replace: string;
  /** The checks that must notice it. */
  readonly caught: Catcher;
}

/** A bug of the list that cannot be seeded, as there is nothing yet that could have it. */
export interface Absent {
  /** Number that it would have in the list. */
  readonly id: string;
  /** The fault that it would be. */
  readonly title: string;
  /** Why it does not apply. */
  readonly reason: string;
}

/** Caught by the simulation of the log's files, within so many seeds from the first. */
export function files(seeds: number, first = 1): Catcher {
  return { by: "simulation", seeds, first, profile: "files" };
}

/** Caught by the tests in a file. */
export function test(file: string): Catcher {
  return { by: "test", file };
}
