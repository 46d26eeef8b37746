/** The runner: when checks run, and what is reported of them. */
import { assertEquals } from "@std/assert";
import type { CheckOutcome, CheckResult, RunnableCheck } from "../../../src/drivers/checks/api.ts";
import { type RunContext, Runner, type RunnerOptions, type RunResult } from "../../../src/drivers/checks/runner.ts";
import { FakeClock } from "./fake_clock.ts";

const INITIAL: CheckOutcome = { status: "critical", output: "" };
const PASSING: RunResult = { status: "passing", output: "fine" };

function check(id: string, fields: Partial<RunnableCheck> = {}): RunnableCheck {
  return {
    id,
    kind: { k: "udp", address: id },
    intervalMs: 10_000,
    timeoutMs: 4000,
    successBeforePassing: 0,
    failuresBeforeWarning: 0,
    failuresBeforeCritical: 0,
    outputBytesMax: 4096,
    ...fields,
  };
}

/** A runner whose runs are ended by the test. */
class Bench {
  readonly clock = new FakeClock();
  readonly reports: (readonly CheckResult[])[] = [];
  /** Runs that were started: which, and when. */
  readonly started: [string, number][] = [];
  readonly runner: Runner;
  /** What a run does. */
  run: (id: string, context: RunContext) => Promise<RunResult> = () => Promise.resolve(PASSING);

  constructor(options: Partial<RunnerOptions> = {}) {
    this.runner = new Runner({
      run: (kind, context) => {
        const id = kind.k === "udp" ? kind.address : "?";
        this.started.push([id, this.clock.now()]);
        return this.run(id, context);
      },
      report: (results) => this.reports.push(results),
      clock: this.clock,
      random: () => 0.5,
      ...options,
    });
  }
}

Deno.test("Runner runs a check first within its interval, and then an interval after each run", async () => {
  const bench = new Bench();
  bench.run = async () => {
    await new Promise<void>((resolve) => bench.clock.after(2000, resolve));
    return PASSING;
  };
  bench.runner.start(check("a"), INITIAL);
  await bench.clock.advance(30_000);
  assertEquals(bench.started, [["a", 5000], ["a", 17_000], ["a", 29_000]]);
});

Deno.test("Runner spreads the first runs by chance over the interval", async () => {
  let next = 0;
  const bench = new Bench({ random: () => next++ / 10 });
  for (let at = 0; at < 10; at++) bench.runner.start(check(`${at}`), INITIAL);
  await bench.clock.advance(9999);
  assertEquals(bench.started.map(([, atMs]) => atMs), [0, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000]);
});

Deno.test("Runner reports a result only where status or output differ from the last ones", async () => {
  const bench = new Bench();
  const results: RunResult[] = [
    { status: "critical", output: "" },
    PASSING,
    PASSING,
    { status: "passing", output: "other" },
    { status: "warning", output: "other" },
  ];
  bench.run = () => Promise.resolve(results.shift() ?? PASSING);
  bench.runner.start(check("a"), INITIAL);
  await bench.clock.advance(50_000);
  assertEquals(bench.reports, [
    [{ id: "a", status: "passing", output: "fine" }],
    [{ id: "a", status: "passing", output: "other" }],
    [{ id: "a", status: "warning", output: "other" }],
  ]);
});

Deno.test("Runner reports the results of one turn together", async () => {
  const bench = new Bench();
  for (const id of ["a", "b", "c"]) bench.runner.start(check(id), INITIAL);
  await bench.clock.advance(6000);
  assertEquals(bench.reports.map((results) => results.map(({ id }) => id).sort()), [["a", "b", "c"]]);
});

Deno.test("Runner counts results in a row where a check has thresholds", async () => {
  const bench = new Bench();
  const statuses = [..."pccpccc"].map((letter) => letter === "p" ? "passing" : "critical");
  bench.run = () => Promise.resolve({ status: statuses.shift() === "passing" ? "passing" : "critical", output: "" });
  bench.runner.start(check("a", { failuresBeforeWarning: 2, failuresBeforeCritical: 3 }), INITIAL);
  await bench.clock.advance(66_000);
  assertEquals(bench.reports.flat().map(({ status }) => status), [
    "passing",
    "warning",
    "passing",
    "warning",
    "critical",
  ]);
});

Deno.test("Runner makes a check critical that fails, with the error's text, cut to its limit", async () => {
  const bench = new Bench();
  bench.run = () => Promise.reject(new Error("0123456789"));
  bench.runner.start(check("a", { outputBytesMax: 5 }), { status: "passing", output: "" });
  await bench.clock.advance(6000);
  assertEquals(bench.reports, [[{ id: "a", status: "critical", output: "Captured 5 of 10 bytes\n...\n56789" }]]);
});

Deno.test("Runner ends a run by its time limit", async () => {
  const bench = new Bench();
  bench.run = (_, { signal }) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("no matter"))));
  bench.runner.start(check("a"), INITIAL);
  await bench.clock.advance(9100);
  assertEquals(bench.reports, [[{ id: "a", status: "critical", output: "Timed out (4s) running check" }]]);
  await bench.clock.advance(10_000);
  assertEquals(bench.started, [["a", 5000], ["a", 19_000]]);
});

Deno.test("Runner leaves a run alone that does not end, and says that it has timed out", async () => {
  const bench = new Bench();
  bench.run = () => new Promise(() => {});
  bench.runner.start(check("a"), INITIAL);
  await bench.clock.advance(9500);
  assertEquals(bench.reports.flat().map(({ output }) => output), ["Timed out (4s) running check"]);
  assertEquals(bench.runner.running, 1);
  await bench.clock.advance(5000); // so much time it has to end
  assertEquals(bench.runner.running, 0);
  await bench.clock.advance(10_000);
  assertEquals(bench.started.map(([, atMs]) => atMs), [5000, 24_500]);
});

Deno.test("Runner takes the words of a run that ends by its time limit itself", async () => {
  const bench = new Bench();
  const { promise: over, resolve } = Promise.withResolvers<void>();
  bench.run = (_, { signal }) =>
    new Promise((settle) => {
      signal.addEventListener("abort", () => settle({ status: "critical", output: `${signal.reason.message}!`, over }));
    });
  bench.runner.start(check("a"), INITIAL);
  await bench.clock.advance(10_000);
  assertEquals(bench.reports.flat().map(({ output }) => output), ["Timed out (4s) running check!"]);
  assertEquals(bench.runner.running, 1); // not over yet
  resolve();
  await bench.clock.advance(0);
  assertEquals(bench.runner.running, 0);
});

Deno.test("Runner has so many runs under way, and no more; others wait for their turn", async () => {
  let next = 0;
  const bench = new Bench({ runsMax: 2, random: () => next++ / 1000 });
  const ends: (() => void)[] = [];
  bench.run = () => new Promise((resolve) => ends.push(() => resolve(PASSING)));
  for (const id of ["a", "b", "c", "d"]) bench.runner.start(check(id), INITIAL);
  await bench.clock.advance(5000);
  assertEquals([bench.runner.running, bench.started.map(([id]) => id)], [2, ["a", "b"]]);
  bench.runner.stop("c");
  ends[0]();
  await bench.clock.advance(0);
  assertEquals([bench.runner.running, bench.started.map(([id]) => id)], [2, ["a", "b", "d"]]);
  ends.slice(1).forEach((end) => end());
  await bench.clock.advance(0);
  assertEquals(bench.runner.running, 0);
});

Deno.test("Runner ends the run of a check that is stopped, and reports nothing of it", async () => {
  const bench = new Bench();
  let reason: unknown;
  bench.run = (_, { signal }) =>
    new Promise((resolve) => {
      signal.addEventListener("abort", () => {
        reason = signal.reason;
        resolve(PASSING);
      });
    });
  bench.runner.start(check("a"), INITIAL);
  await bench.clock.advance(5000);
  bench.runner.stop("a");
  bench.runner.stop("unknown");
  await bench.clock.advance(60_000);
  assertEquals([bench.reports, bench.started.length, bench.runner.running], [[], 1, 0]);
  assertEquals(String(reason), "EndOfRun: the check was stopped");
});

Deno.test("Runner reports nothing of a check that is stopped in the turn of its result", async () => {
  const bench = new Bench();
  const { promise, resolve } = Promise.withResolvers<RunResult>();
  bench.run = () => promise;
  bench.runner.start(check("a"), INITIAL);
  await bench.clock.advance(5000);
  resolve(PASSING);
  for (let at = 0; at < 10; at++) await undefined;
  bench.runner.stop("a");
  await bench.clock.advance(1000);
  assertEquals(bench.reports, []);
});

Deno.test("Runner replaces a check of the same ID, whose run is over before the next one begins", async () => {
  const bench = new Bench();
  const ends: (() => void)[] = [];
  bench.run = () => new Promise((resolve) => ends.push(() => resolve(PASSING)));
  bench.runner.start(check("a"), INITIAL);
  await bench.clock.advance(5000);
  bench.runner.start(check("a", { intervalMs: 1000 }), PASSING);
  await bench.clock.advance(2000);
  assertEquals(bench.started.length, 1);
  ends[0]();
  await bench.clock.advance(0);
  assertEquals(bench.started, [["a", 5000], ["a", 7000]]);
  ends[1]();
  await bench.clock.advance(100);
  assertEquals(bench.reports, []); // it was passing with this output before
});

Deno.test("Runner.close() ends everything, and resolves when it is over", async () => {
  const bench = new Bench();
  bench.run = (_, { signal }) =>
    new Promise((resolve) => signal.addEventListener("abort", () => bench.clock.after(300, () => resolve(PASSING))));
  for (const id of ["a", "b"]) bench.runner.start(check(id), INITIAL);
  await bench.clock.advance(5000);
  let isClosed = false;
  bench.runner.close().then(() => isClosed = true);
  await bench.clock.advance(200);
  assertEquals(isClosed, false);
  await bench.clock.advance(200);
  assertEquals([isClosed, bench.runner.running], [true, 0]);
});
