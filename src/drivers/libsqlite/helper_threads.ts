/**
 * The threads on which V8 collects garbage and compiles yield to the Workers. On a machine with few processors one of them
 * could have a processor for a whole slice of the scheduler, some 3 ms, for which requests would wait. Measured on two
 * processors, three nodes: 5 to 10 % more requests of many clients, and a fifth to a third less at the 99th percentile.
 * @module
 */
import type { Symbols } from "./library.ts";

/** What V8 calls them, as C has it: Linux keeps 15 characters of a name. */
const HELPERS = new TextEncoder().encode("V8 Default\0");
/**
 * Added to their nice value. A Worker that collects waits for those that help it, so they must not starve where other
 * programs keep every processor busy: with 10 the 99th percentile of 128 clients is half as much again there, with 19 ten
 * times as much.
 */
const NICE = 5;

/** Lowers the priority of the helpers; returns how many there are, 0 elsewhere than on Linux. Another call changes nothing. */
export function lowerHelpers({ muster_nice: nice }: Pick<Symbols, "muster_nice">): number {
  return nice?.(HELPERS, NICE) ?? 0;
}
