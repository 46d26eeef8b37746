import { assert, assertEquals } from "@std/assert";
import { AnswerBudget } from "../../../src/base/shared/answer_budget.ts";
import { packEntries, packReads, unpackOutcomes } from "../../../src/core/sql/exchange.ts";
import type {
  FromReader,
  FromWriter,
  OpenReader,
  OpenWriter,
  Outcomes,
  ToReader,
  ToWriter,
} from "../../../src/drivers/sqlite/api.ts";
import { Control } from "../../../src/drivers/libsqlite/control.ts";
import { bundledLibrary } from "../../../src/drivers/libsqlite/library.ts";
import { entry, PLAIN, read } from "./fixture.ts";

const SOURCE = new URL("../../../src/drivers/sqlite/", import.meta.url);
/** A Worker's modules are read with the permissions of its parent. */
const mayReadSource = Deno.permissions.querySync({ name: "read", path: SOURCE }).state === "granted";
if (!mayReadSource) console.warn("SKIPPED: the tests of the SQLite Workers need --allow-read on the sources");

/** Messages of a port, one by one. */
class Inbox<T> {
  readonly #messages: T[] = [];
  #wake: () => void = () => {};

  constructor(port: MessagePort) {
    port.onmessage = ({ data }: MessageEvent<T>) => {
      this.#messages.push(data);
      this.#wake();
    };
  }

  async find<U extends T>(matches: (message: T) => message is U): Promise<U> {
    for (;;) {
      const message = this.#messages.shift();
      if (message === undefined) await new Promise<void>((resolve) => this.#wake = resolve);
      else if (matches(message)) return message;
    }
  }
}

function spawn(file: string, dir: string): Worker {
  return new Worker(new URL(file, SOURCE), {
    type: "module",
    deno: { permissions: { read: [dir], write: [dir], ffi: [LIBRARY] } },
  });
}

const LIBRARY = bundledLibrary();
const CHECKPOINT = { entries: 8192, walBytes: 0, intervalMs: 10_000 };

/** What the writer and a reader are told alike. */
const opening = (path: string) => ({
  k: "open" as const,
  path,
  foreignKeys: false,
  library: { path: LIBRARY, extensions: [] },
  control: new Control().shared,
  answers: new AnswerBudget().shared,
});

function openWriter(writer: Worker, { path, ...ports }: Pick<OpenWriter, "path" | "replica" | "http">): void {
  const privateControl = new Control().shared;
  const open: OpenWriter = {
    ...opening(path),
    privateControl,
    checkpoint: CHECKPOINT,
    tempBytesMax: 1024 * 1024,
    ...ports,
  };
  writer.postMessage(open, [ports.replica, ...ports.http]);
}

Deno.test("the writer and reader Workers serve with nothing but their folder", { ignore: !mayReadSource }, async () => {
  const dir = Deno.makeTempDirSync();
  const path = `${dir}/db.sqlite`;
  const replica = new MessageChannel();
  const http = new MessageChannel();
  const fromWriter = new Inbox<FromWriter>(replica.port1);
  const outcomes = new Inbox<Outcomes>(http.port1);
  const writer = spawn("worker.ts", dir);
  openWriter(writer, { path, replica: replica.port2, http: [http.port2] });
  const ready = await fromWriter.find((message) => message.k === "ready");
  assertEquals([ready.applied, ready.term], [0, 0]);

  const tell = (message: ToWriter) => replica.port1.postMessage(message);
  const waiter = (ref: number) => ({ port: 1, ref, options: PLAIN });
  tell({ k: "apply", entries: packEntries([{ ...entry(1, ["CREATE TABLE t(a)"]), waiter: waiter(7) }]) });
  tell({ k: "apply", entries: packEntries([{ ...entry(2, ["INSERT INTO t VALUES(1)"]), waiter: waiter(8) }]) });
  const refs: number[] = [];
  while (refs.length < 2) {
    const message = await outcomes.find((each): each is Outcomes => each.k === "outcomes");
    refs.push(...unpackOutcomes(message.outcomes).map(({ ref }) => ref));
  }
  assertEquals(refs, [7, 8]);

  const channel = new MessageChannel();
  const fromReader = new Inbox<FromReader>(channel.port1);
  const reader = spawn("reader_worker.ts", dir);
  const openReader: OpenReader = { ...opening(path), tempBytesMax: 1024 * 1024, port: channel.port2 };
  reader.postMessage(openReader, [channel.port2]);
  await fromReader.find((message) => message.k === "ready");
  const ask: ToReader = { k: "read", requests: packReads([read(["SELECT a FROM t"])]) };
  channel.port1.postMessage(ask);
  const { results } = await fromReader.find((message) => message.k === "results");
  assertEquals(results.results[0], '[{"columns":["a"],"types":["integer"],"values":[[1]]}]');

  tell({ k: "status", ref: 5 });
  const { status } = await fromWriter.find((message) => message.k === "status");
  assert(Number(status.wal_size) > 0);
  const close: ToReader = { k: "close" };
  channel.port1.postMessage(close);
  tell({ k: "close" });
  await fromWriter.find((message) => message.k === "closed");
  for (const port of [replica.port1, http.port1, channel.port1]) port.close();
  writer.terminate();
  reader.terminate();
  Deno.removeSync(dir, { recursive: true });
});

Deno.test(
  "a WAL that cannot be made durable beside the writes ends the writer",
  { ignore: !mayReadSource },
  async () => {
    const dir = Deno.makeTempDirSync();
    const path = `${dir}/db.sqlite`;
    const replica = new MessageChannel();
    const fromWriter = new Inbox<FromWriter>(replica.port1);
    const writer = spawn("worker.ts", dir);
    const died = new Promise<string>((resolve) =>
      writer.onerror = (event) => {
        event.preventDefault();
        resolve(event.message);
      }
    );
    openWriter(writer, { path, replica: replica.port2, http: [] });
    await fromWriter.find((message) => message.k === "ready");
    const tell = (message: ToWriter) => replica.port1.postMessage(message);
    tell({ k: "apply", entries: packEntries([entry(1, ["CREATE TABLE t(a)"])]) });
    await fromWriter.find((message) => message.k === "applied");
    Deno.removeSync(`${path}-wal`); // SQLite still writes to the file that it has open
    Deno.symlinkSync("/dev/null", `${path}-wal`); // which cannot be synced
    for (let index = 2;; index++) {
      tell({ k: "apply", entries: packEntries([entry(index, ["INSERT INTO t VALUES(1)"])]) });
      const said = await fromWriter.find((message) => message.k === "applied" || message.k === "failed");
      if (said.k === "applied") continue;
      assertEquals(said, { k: "failed", message: said.message, isDamage: false });
      assert(said.message.includes(`Cannot write "${path}-wal" to the disk: `), said.message);
      break;
    }
    assert((await died).includes("Cannot write"));
    replica.port1.close();
    writer.terminate();
    Deno.removeSync(dir, { recursive: true });
  },
);
