/**
 * Reads are shared out so that none waits long behind slow ones: with readers that answer when the test says so.
 */
import type { RenderOptions } from "../../../src/core/sql/render_options.ts";
import { assert, assertEquals } from "@std/assert";
import { Readers } from "../../../src/app/database/readers.ts";
import { AnswerBudget, READ_ANSWERS_BYTES_MAX } from "../../../src/base/shared/answer_budget.ts";
import { Ticket, TICKET_BYTES } from "../../../src/base/shared/ticket.ts";
import { type DecodedRead, packReadResults, type ReadResult, unpackReads } from "../../../src/core/sql/exchange.ts";
import { READERS_MAX, readersMaxOf, type ToReader } from "../../../src/drivers/sqlite/api.ts";
import { delay } from "@std/async/delay";
import { until } from "../../harness/processes.ts";

const OPTIONS: RenderOptions = {
  associative: false,
  timings: false,
  blobArray: false,
  qualifyColumns: false,
  errors: "both",
};

/** A reader of the test's. */
class FakeReader {
  readonly ticket: Ticket;
  readonly #port: MessagePort;
  readonly #shared = new SharedArrayBuffer(TICKET_BYTES);
  readonly #words = new Int32Array(this.#shared);
  readonly #batches: DecodedRead[][] = [];
  #wake: () => void = () => {};

  constructor(readers: Readers) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port2;
    this.ticket = new Ticket({ shared: this.#shared, at: 0 });
    port2.onmessage = ({ data }: MessageEvent<ToReader>) => {
      if (data.k !== "read") return;
      this.#batches.push(unpackReads(data.requests));
      this.#wake();
    };
    readers.add({ port: port1, ticket: { shared: this.#shared, at: 0 } });
  }

  /** The next batch; the reader is at its first request from then on. */
  async next(): Promise<DecodedRead[]> {
    while (this.#batches.length === 0) await new Promise<void>((resolve) => this.#wake = resolve);
    const batch = this.#batches.shift() ?? [];
    this.ticket.current = batch[0].ref;
    return batch;
  }

  /** Resolves when the request that it is at is to end. */
  async cancelled(): Promise<void> {
    while (this.#words[1] !== this.ticket.current) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  answer(batch: readonly DecodedRead[], rest: Partial<ReadResult> = {}): void {
    this.ticket.current = 0;
    const results = batch.map(({ ref, statements }) => ({ ref, results: statements[0].parts[0].sql, ...rest }));
    this.#port.postMessage({ k: "results", results: packReadResults(results) });
  }

  close(): void {
    this.#port.close();
  }
}

function request(sql: string, timeoutMs = 60_000): Omit<DecodedRead, "ref"> {
  const statements = [{ parts: [{ sql, verb: "SELECT", parameterCount: 0 }], positional: [], named: null }];
  return { statements, transaction: false, options: OPTIONS, timeoutMs, onlyIfReadOnly: false };
}

const textsOf = (batch: readonly DecodedRead[]) => batch.map(({ statements }) => statements[0].parts[0].sql);

async function withReaders(
  count: number,
  work: (readers: Readers, fakes: FakeReader[]) => Promise<void>,
  answers = new AnswerBudget(),
): Promise<void> {
  const readers = new Readers(() => {}, answers);
  const fakes = Array.from({ length: count }, () => new FakeReader(readers));
  try {
    await work(readers, fakes);
  } finally {
    readers.close();
    for (const fake of fakes) fake.close();
  }
}

Deno.test("Readers have a slow read make way for one that waits, and begin again with it later", () =>
  withReaders(1, async (readers, [fake]) => {
    const slow = readers.read(request("slow"));
    const first = await fake.next();
    const quick = readers.read(request("quick"));
    await fake.cancelled();
    fake.answer(first, { isLate: true });
    const second = await fake.next();
    assertEquals(textsOf(second), ["quick"]);
    fake.answer(second);
    assertEquals((await quick)?.results, "quick");
    const third = await fake.next();
    assertEquals(textsOf(third), ["slow"]);
    fake.answer(third);
    assertEquals((await slow)?.results, "slow");
  }));

Deno.test("Readers make way: what runs comes to its end or begins again later, and nothing begins meanwhile", () =>
  withReaders(1, async (readers, [fake]) => {
    assertEquals(await readers.makeWay(), 0);
    const quick = readers.read(request("quick"));
    assertEquals(readers.status().waiting, 1);
    readers.goOn();
    const first = await fake.next();
    const shortWay = readers.makeWay();
    fake.answer(first);
    assertEquals([await shortWay, (await quick)?.results], [0, "quick"]);
    readers.goOn();

    const slow = readers.read(request("slow"));
    const second = await fake.next();
    let isMade = false;
    const longWay = readers.makeWay().finally(() => isMade = true);
    const late = readers.read(request("late"));
    await fake.cancelled();
    assertEquals(isMade, false, "it still runs");
    fake.answer(second, { isLate: true });
    assert(await longWay > 50, "how long it had run");
    assertEquals(readers.status().waiting, 2);
    readers.goOn();
    for (let answered = 0; answered < 2;) {
      const batch = await fake.next();
      fake.answer(batch);
      answered += batch.length;
    }
    assertEquals((await Promise.all([slow, late])).map((result) => result?.results), ["slow", "late"]);
  }));

Deno.test("Readers that have made way go on by themselves when the writer stays silent", () =>
  withReaders(1, async (readers, [fake]) => {
    await readers.makeWay();
    const read = readers.read(request("read"));
    fake.answer(await fake.next());
    assertEquals((await read)?.results, "read");
  }));

Deno.test("Readers go on when one of them does not make way", () =>
  withReaders(1, async (readers, [fake]) => {
    const stuck = readers.read(request("stuck"));
    const batch = await fake.next();
    await readers.makeWay();
    fake.answer(batch, { isLate: true });
    fake.answer(await fake.next());
    assertEquals((await stuck)?.results, "stuck");
  }));

Deno.test("Readers end a read whose client has left", () =>
  withReaders(1, async (readers, [fake]) => {
    const client = Promise.withResolvers<void>();
    const read = readers.read(request("long"), () => client.promise);
    const batch = await fake.next();
    client.resolve();
    assertEquals(await read, undefined);
    await fake.cancelled();
    fake.answer(batch, { isLate: true });
  }));

Deno.test("Readers answer at the time limit, whatever a reader does, and end what it does", () =>
  withReaders(1, async (readers, [fake]) => {
    const read = readers.read(request("stuck", 30));
    const batch = await fake.next();
    assertEquals(await read, undefined);
    await fake.cancelled();
    fake.answer(batch);
  }));

Deno.test("Readers keep one reader for quick reads", () =>
  withReaders(2, async (readers, [reserved, other]) => {
    let isReleased = false;
    let slowAtReserved = 0;
    const serve = async (fake: FakeReader) => {
      for (;;) {
        const batch = await fake.next();
        const isSlow = !isReleased && !textsOf(batch).includes("quick");
        if (isSlow && fake === reserved) slowAtReserved += batch.length;
        fake.answer(batch, isSlow ? { isLate: true } : {});
      }
    };
    serve(reserved);
    serve(other);
    const slow = [readers.read(request("a")), readers.read(request("b"))];
    for (let count = 0; count < 20; count++) assertEquals((await readers.read(request("quick")))?.results, "quick");
    isReleased = true;
    assertEquals((await Promise.all(slow)).map((result) => result?.results), ["a", "b"]);
    assert(slowAtReserved <= 4, `${slowAtReserved}`); // each of the two at each of the two lowest levels
  }));

Deno.test("Readers let a read whose answer found no room begin again when there is room, and others meanwhile", () => {
  const answers = new AnswerBudget();
  answers.add(READ_ANSWERS_BYTES_MAX);
  return withReaders(1, async (readers, [fake]) => {
    const large = readers.read(request("large"));
    fake.answer(await fake.next(), { isTooLarge: true });
    const small = readers.read(request("small"));
    const second = await fake.next();
    assertEquals(textsOf(second), ["small"]);
    fake.answer(second);
    assertEquals((await small)?.results, "small");
    assertEquals(readers.status().waiting_for_room, 1);
    answers.giveBack(READ_ANSWERS_BYTES_MAX);
    const third = await fake.next();
    assertEquals(textsOf(third), ["large"]);
    fake.answer(third);
    assertEquals((await large)?.results, "large");
    assertEquals(readers.status().waiting_for_room, 0);
  }, answers);
});

Deno.test("Readers give back what an answer has taken that nobody waits for", () => {
  const answers = new AnswerBudget();
  return withReaders(1, async (readers, [fake]) => {
    const client = Promise.withResolvers<void>();
    const read = readers.read(request("long"), () => client.promise);
    const batch = await fake.next();
    client.resolve();
    assertEquals(await read, undefined);
    answers.add(3);
    fake.answer(batch, { results: [new Uint8Array(3)] });
    const next = readers.read(request("next"));
    fake.answer(await fake.next());
    await next;
    assertEquals(answers.taken, 0);
  }, answers);
});

Deno.test("a single reader takes slow reads too, and no other one is asked for", async () => {
  let wanted = 0;
  const readers = new Readers(() => wanted++, new AnswerBudget(), 1);
  const fake = new FakeReader(readers);
  try {
    const slow = readers.read(request("slow"));
    for (let slices = 0; slices < 3; slices++) {
      const batch = await fake.next();
      assertEquals(textsOf(batch), ["slow"]);
      const quick = readers.read(request("quick"));
      await fake.cancelled();
      fake.answer(batch, { isLate: true });
      fake.answer(await fake.next());
      assertEquals((await quick)?.results, "quick");
    }
    fake.answer(await fake.next());
    assertEquals((await slow)?.results, "slow");
    assertEquals(wanted, 0);
    assertEquals([readersMaxOf(0), readersMaxOf(1), readersMaxOf(256)], [READERS_MAX, 1, READERS_MAX]);
  } finally {
    readers.close();
    fake.close();
  }
});

Deno.test("the first reader is asked for by the first read, once, and answers all that have waited for it", async () => {
  let wanted = 0;
  const readers = new Readers(() => wanted++);
  assertEquals([readers.status().readers, wanted], [0, 0]);
  const reads = [readers.read(request("one")), readers.read(request("two")), readers.read(request("late", 1))];
  assertEquals(await reads[2], undefined); // its time has passed meanwhile
  const fake = new FakeReader(readers);
  try {
    const batch = await fake.next();
    assertEquals(textsOf(batch), ["one", "two"]);
    fake.answer(batch);
    assertEquals([(await reads[0])?.results, (await reads[1])?.results, wanted], ["one", "two", 1]);
  } finally {
    readers.close();
    fake.close();
  }
});

Deno.test("a second reader is asked for when a read is slow or much waits, and not for quick reads", async () => {
  const withOne = async (work: (readers: Readers, fake: FakeReader) => Promise<void>): Promise<void> => {
    const fakes: FakeReader[] = [];
    const readers = new Readers(() => fakes.push(new FakeReader(readers)));
    fakes.push(new FakeReader(readers));
    try {
      await work(readers, fakes[0]);
    } finally {
      readers.close();
      for (const fake of fakes) fake.close();
    }
  };
  const count = (readers: Readers) => readers.status().readers;
  await withOne(async (readers, fake) => {
    for (let round = 0; round < 50; round++) {
      const read = readers.read(request("quick"));
      fake.answer(await fake.next());
      await read;
    }
    assertEquals(count(readers), 1);
    const first = readers.read(request("first"));
    for (let looks = 0; looks < 5; looks++) await delay(10);
    assertEquals(count(readers), 1, "it has not begun: it is starting, or the machine is busy");
    fake.answer(await fake.next());
    await first;
    const slow = readers.read(request("slow"));
    const batch = await fake.next();
    await until("a second reader", () => count(readers) === 2 || undefined);
    fake.answer(batch);
    await slow;
  });
  await withOne(async (readers, fake) => {
    for (let one = 0; one < 1000; one++) void readers.read(request("some"));
    while (count(readers) < Math.min(2, navigator.hardwareConcurrency)) {
      const batch = await fake.next();
      await delay(5); // what a batch takes
      fake.answer(batch);
    }
  });
});

Deno.test("of many reads of one turn, an idle reader begins with the first half while the others come", () =>
  withReaders(1, async (readers, [fake]) => {
    const turn = (count: number) => Promise.all(Array.from({ length: count }, () => readers.read(request("one"))));
    const sizes: number[] = [];
    const answerAll = async (count: number) => {
      for (let left = count; left > 0;) {
        const batch = await fake.next();
        sizes.push(batch.length);
        left -= batch.length;
        fake.answer(batch);
      }
    };
    // The first of them leaves alone, as nobody knows yet that others follow.
    await Promise.all([turn(40), answerAll(40)]);
    await Promise.all([turn(40), answerAll(40)]);
    await Promise.all([turn(10), answerAll(10)]);
    assertEquals(sizes, [1, 39, 19, 21, 10]);
  }));
