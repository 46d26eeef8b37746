/** Changes are delivered in order and none is left out, whoever leads meanwhile: with a log, a sink and a leader of the test's. */
import { assertEquals } from "@std/assert";
import type { ChangeFeed, ChangePiece } from "../../../src/app/changes/change_feed.ts";
import { Delivery } from "../../../src/app/changes/delivery.ts";
import type { Catalog } from "../../../src/app/agent/catalog.ts";
import type { CdcOptions } from "../../../src/drivers/sink/api.ts";
import { until } from "../../harness/processes.ts";

const OPTIONS: CdcOptions = {
  endpoint: "stdout",
  serviceId: "",
  rowIdsOnly: false,
  tableFilter: "",
  batchMax: 10,
  batchDelayMs: 1,
  watermarkIntervalMs: 60_000,
  timeoutMs: 1000,
  retriesMax: undefined,
  isExponential: false,
  backoffMinMs: 1,
  backoffMaxMs: 1,
};

const pieceOf = (index: number): ChangePiece => ({ changes: [{ index, timeMs: 0, events: "[{}]" }], index });

/** A log that has so many entries, one in each piece. */
class FakeFeed {
  /** Called while a batch waits for more. */
  whileItWaits: (index: number) => void = () => {};
  /** Resolves when there is another change. */
  nextChange: () => Promise<void> = () => Promise.resolve();
  readonly #count: number;

  constructor(count: number) {
    this.#count = count;
  }

  status(): Promise<Record<string, unknown>> {
    return Promise.resolve({ enabled: true, since: 0, sinks: {} });
  }

  read(index: number): Promise<ChangePiece> {
    this.whileItWaits(index);
    return Promise.resolve({ changes: [], index });
  }

  async *follow(since: number, over: Promise<void>): AsyncGenerator<ChangePiece> {
    for (let index = since + 1; index <= this.#count; index++) {
      yield pieceOf(index);
      await this.nextChange();
    }
    await over;
  }
}

async function deliveredOf(
  feed: FakeFeed,
  state: { isLeader: boolean },
  fails: (indexes: readonly number[]) => boolean = () => false,
): Promise<number[]> {
  const delivered: number[] = [];
  const fake: unknown = { feed, catalog: { write: () => Promise.resolve() } };
  const { feed: changes, catalog } = fake as { feed: ChangeFeed; catalog: Catalog }; // of them, what is used here
  const delivery = new Delivery({
    options: OPTIONS,
    nodeId: "1",
    catalog,
    changes,
    state,
    log() {},
    deliver(body) {
      const { payload }: { payload: { index: number }[] } = JSON.parse(body);
      const indexes = payload.map(({ index }) => index);
      if (fails(indexes)) return Promise.reject(new Error("it is away"));
      delivered.push(...indexes);
      return Promise.resolve();
    },
  });
  feed.nextChange = async () => void await until("it leads", () => state.isLeader || undefined);
  const running = delivery.run();
  try {
    await until("the last change", () => delivered.includes(3) || undefined);
  } finally {
    delivery.stop();
    await running;
  }
  return delivered;
}

Deno.test("a change that waits while its node stops to lead, and leads again, is delivered before those behind it", async () => {
  const feed = new FakeFeed(3);
  const state = { isLeader: true };
  let isFirst = true;
  feed.whileItWaits = (index) => {
    if (index !== 2 || !isFirst) return;
    isFirst = false;
    state.isLeader = false;
    setTimeout(() => state.isLeader = true);
  };
  assertEquals((await deliveredOf(feed, state)).filter((index, at, all) => all.indexOf(index) === at), [1, 2, 3]);
});

Deno.test("a change that the sink refuses while its node stops to lead is delivered before those behind it", async () => {
  const state = { isLeader: true };
  let attempts = 0;
  const delivered = await deliveredOf(new FakeFeed(3), state, ([index]) => {
    if (index !== 2 || attempts++ > 0) return false;
    state.isLeader = false;
    setTimeout(() => state.isLeader = true, 5);
    return true;
  });
  assertEquals(delivered.filter((index, at) => delivered.indexOf(index) === at), [1, 2, 3]);
});
