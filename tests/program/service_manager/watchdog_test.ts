/** The service manager's watchdog starves when a Worker hangs, and is fed again when it goes on. */
import { assertEquals, assertMatch } from "@std/assert";
import { deadline } from "@std/async/deadline";
import { managerFacts } from "../../../src/program/service_manager/service_manager.ts";
import { type Patience, Watchdog } from "../../../src/program/service_manager/watchdog.ts";

/** A Worker that can be made to hang. */
class Watched {
  readonly worker = new Worker(new URL("./watched_worker.ts", import.meta.url), { type: "module" });
  readonly #gate = new Int32Array(new SharedArrayBuffer(4));

  #said(text: string): Promise<void> {
    const said = Promise.withResolvers<void>();
    this.worker.onmessage = ({ data }) => data === text && said.resolve();
    return deadline(said.promise, 30_000);
  }

  runs(): Promise<void> {
    return this.#said("runs");
  }

  hang(): Promise<void> {
    const said = this.#said("hangs");
    this.worker.postMessage(this.#gate);
    return said;
  }

  goOn(): Promise<void> {
    const said = this.#said("goes on");
    Atomics.store(this.#gate, 0, 1);
    Atomics.notify(this.#gate, 0);
    return said;
  }
}

/** A watchdog over one Worker; `beat()` tells whether it was fed, `settled()` waits for the Worker's answer. */
async function withWatched(
  patience: Patience | undefined,
  use: (parts: {
    watched: Watched;
    beat: () => boolean;
    fedSoon: () => Promise<void>;
    lines: string[];
  }) => Promise<void>,
): Promise<void> {
  const lines: string[] = [];
  const watched = new Watched();
  let fed = 0;
  const watchdog = new Watchdog({ intervalMs: 1000, feed: () => fed++, log: (line) => lines.push(line) });
  const beat = () => {
    const before = fed;
    watchdog.beat();
    return fed > before;
  };
  const fedSoon = async () => {
    for (let turns = 0; !beat(); turns++) {
      if (turns > 2000) throw new Error("the watchdog is not fed");
      await new Promise((resolve) => setTimeout(resolve, 5)); // for the answer
    }
  };
  try {
    await watched.runs();
    watchdog.watch("http", watched.worker, patience);
    await use({ watched, beat, fedSoon, lines });
  } finally {
    watchdog.close();
    watched.worker.terminate();
  }
}

Deno.test("the watchdog starves while a Worker hangs, and is fed when it answers again", () =>
  withWatched(undefined, async ({ watched, beat, fedSoon, lines }) => {
    assertEquals(beat(), true); // nobody was asked yet
    await fedSoon();
    await watched.hang();
    beat(); // an answer to an earlier question may still have been there
    assertEquals([beat(), beat(), beat()], [false, false, false]);
    assertMatch(lines.join("\n"), /^(.*\n.*\n)*the http Worker does not answer: .*not fed/);
    await watched.goOn();
    await fedSoon();
    assertEquals(lines.at(-1), "the http Worker answers again");
  }));

Deno.test("the watchdog is fed while a Worker that computes gets on, and for a while when it does not", async () => {
  let steps = 0;
  const patience = { stillMsMax: 2000, progress: () => String(steps) };
  await withWatched(patience, async ({ watched, beat, fedSoon, lines }) => {
    await fedSoon();
    await watched.hang();
    beat();
    for (let beats = 0; beats < 10; beats++) {
      steps++;
      assertEquals(beat(), true);
    }
    assertEquals([beat(), beat(), beat(), beat()], [true, true, false, false]);
    assertEquals(lines.length, 1);
    steps++;
    assertEquals(beat(), true);
    await watched.goOn();
  });
});

Deno.test("the watchdog of the environment counts for the process that it names, or for any", () => {
  const facts = (variables: Readonly<Record<string, string>>) => managerFacts((name) => variables[name], 7);
  const socket = { NOTIFY_SOCKET: "/run/notify" };
  assertEquals(facts({}), { path: "", watchdogMs: 0 });
  assertEquals(facts({ WATCHDOG_USEC: "1000000" }), { path: "", watchdogMs: 0 });
  assertEquals(facts(socket), { path: "/run/notify", watchdogMs: 0 });
  for (
    const [usec, pid, expected] of [
      ["1000000", "", 1000],
      ["1000000", "7", 1000],
      ["1000000", "8", 0],
      ["0", "", 0],
      ["-1", "", 0],
      ["soon", "", 0],
    ] as const
  ) {
    assertEquals(facts({ ...socket, WATCHDOG_USEC: usec, WATCHDOG_PID: pid }).watchdogMs, expected, usec);
  }
});
