/**
 * Schedules: what each replica does between the entries of a log. Pure.
 * @module
 */

import { CHANGE_LOG_OFF, changeLogOn } from "../../../src/core/sql/change_log.ts";
import type { Action, Case, Element, Item } from "./case.ts";
import type { Draw } from "./grammar/draw.ts";

/** Size of the log of changed rows: some entries' worth, so that it forgets. */
const CHANGE_LOG_BYTES = 20_000;

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

/** The cluster keeps a log of changed rows from here on, or no more. */
function changeLogItem(isOn: boolean, timeMs: number): Item {
  const elements = (isOn ? changeLogOn(CHANGE_LOG_BYTES) : CHANGE_LOG_OFF)
    .map((sql): Element => ({ sql, positional: [], named: null, kinds: ["change-log"] }));
  const common = { timeMs, seed: [0, 0], after: {}, isCompared: false } as const;
  return { ...common, kind: "request", transaction: true, isSystem: true, elements };
}

/** Entries of which one begins a log of changed rows, and another one ends it now and then. */
function withChangeLog(draw: Draw, items: readonly Item[]): readonly Item[] {
  if (!draw.kind("change-log", 0.3)) return items;
  const from = draw.below(items.length + 1), to = draw.between(from, items.length * 2);
  const timeMs = items[from]?.timeMs ?? 0;
  const end = to < items.length ? [changeLogItem(false, timeMs)] : [];
  return [...items.slice(0, from), changeLogItem(true, timeMs), ...items.slice(from, to), ...end, ...items.slice(to)];
}

/** Gives each replica its batches and faults. One more replica joins midway now and then. */
export function schedule(draw: Draw, { seed, items: given, replicas }: Unscheduled): Case {
  const items = withChangeLog(draw, given);
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
