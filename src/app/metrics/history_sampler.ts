/**
 * Keeps the last hours of a node's figures: reads them every 10 s.
 * @module
 */
import type { Family } from "../../core/metrics/family.ts";
import { type History, STEPS } from "../../core/metrics/history.ts";
import { readSeries } from "../../core/metrics/series.ts";

/** Takes a sample now, and then one at each step for as long as the process lives. */
export function keepHistory(history: History, families: (nowMs: number) => Promise<Family[]>): void {
  const sample = async () => {
    const nowMs = Date.now();
    history.take(readSeries(await families(nowMs)), nowMs);
  };
  const [{ stepMs }] = STEPS;
  sample();
  Deno.unrefTimer(Number(setInterval(sample, stepMs)));
}
