/**
 * Schedules: what each replica does between the entries of a log. Pure.
 * @module
 */

import type { Action, Case, Item } from "./case.ts";
import type { Draw } from "./grammar/draw.ts";

/** Renders nothing, plainly, or in one of the other ways. */
function waitersOf(draw: Draw, count: number): (number | null)[] {
  const bits = draw.pick([0, 0, 1, 4, 8, 13]);
  const several = draw.chance(0.4);
  return Array.from({ length: count }, (_, at) => at === 0 || several && draw.chance(0.7) ? bits : null);
}

function action(draw: Draw): Action {
  return draw.weighted<() => Action>([
    [10, () => "cut"],
    [3, () => draw.kind("restart", 1) ? "restart" : "cut"],
    [2, () => draw.kind("crash", 1) ? "crash" : "cut"],
    [2, () => draw.kind("crash", 1) ? "powerLoss" : "cut"],
    [2, () => "checkpoint"],
    [2, () => "passive"],
  ])();
}

/** Entries without a schedule. */
export interface Unscheduled {
  readonly seed: number;
  readonly items: readonly Item[];
  /** Replicas that are there from the start. */
  readonly replicas: number;
}

/** Gives each replica its batches and faults. One more replica joins midway now and then. */
export function schedule(draw: Draw, { seed, items, replicas }: Unscheduled): Case {
  const joiner = draw.kind("snapshot", 0.5) ? replicas : undefined;
  const joinsAt = draw.below(Math.max(1, items.length));
  const isBatched = draw.has("batches");
  const pauses = Array.from({ length: replicas + 1 }, () => isBatched ? draw.pick([0.02, 0.1, 0.3, 1]) : 1);
  const chunk = draw.between(12, 40);
  const scheduled = items.map((item, at): Item => {
    const after: Record<number, Action> = {};
    for (let replica = 0; replica < replicas; replica++) {
      if (draw.chance(pauses[replica])) {
        after[replica] = pauses[replica] === 1 && draw.chance(0.9) ? "cut" : action(draw);
      }
    }
    if (joiner !== undefined && at > joinsAt && draw.chance(pauses[joiner])) after[joiner] = action(draw);
    if (joiner === undefined && draw.chance(0.004)) after[0] = "join 1";
    if (joiner !== undefined && at === joinsAt) after[joiner] = `join ${draw.below(replicas)}`;
    return { ...item, after, isCompared: at % chunk === chunk - 1 };
  });
  const count = joiner === undefined ? replicas : replicas + 1;
  return { seed, foreignKeys: draw.chance(0.4), waiters: waitersOf(draw, count), items: scheduled };
}
