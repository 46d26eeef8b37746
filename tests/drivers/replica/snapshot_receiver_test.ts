/** The receiving end of a snapshot: who may send one, what is refused, and that one takes the database's place at a time. */
import { assertEquals, assertRejects } from "@std/assert";
import { DecodeError } from "../../../src/base/codec/cursor.ts";
import { encodeConfig } from "../../../src/core/raft/configuration.ts";
import type { Config, EntryId } from "../../../src/core/raft/message.ts";
import { SnapshotReceiver } from "../../../src/drivers/replica/snapshot_receiver.ts";
import { SnapshotClient } from "../../../src/drivers/replica/snapshot_client.ts";
import type { SnapshotMethods } from "../../../src/drivers/sqlite/api.ts";
import { Callee, type Methods, type ToCallee } from "../../../src/base/worker/channel.ts";
import { until } from "../../harness/processes.ts";
import { RemoteError } from "../../../src/drivers/transport/rpc.ts";

const HEAD = { id: "copy", bytes: 10, crc: 1, applied: 9, term: 2 };
const CONFIG: Config = {
  at: 3,
  clusterId: "c",
  members: [{ id: "1", storageId: "d", addr: "h:1", role: "voter" }],
};

interface Bench {
  readonly receiver: SnapshotReceiver;
  readonly calls: string[];
  readonly given: [EntryId, Config][];
  isInstalling: boolean;
  send(method: string, head?: Record<string, unknown>, body?: Uint8Array, caller?: string): Promise<unknown>;
}

async function withReceiver(work: (bench: Bench) => Promise<void>): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  const calls: string[] = [];
  const given: [EntryId, Config][] = [];
  const noted = <T>(name: string, result: T) => (params: unknown) => {
    calls.push(`${name} ${JSON.stringify(params, (_, value) => value instanceof Uint8Array ? value.length : value)}`);
    return result;
  };
  const methods = { begin: noted("begin", 4), write: noted("write", undefined), stage: noted("stage", undefined) };
  const callee = new Callee<SnapshotMethods>(port2, methods as unknown as Methods<SnapshotMethods>);
  port2.onmessage = ({ data }: MessageEvent<ToCallee<SnapshotMethods>>) => callee.take(data);
  const receiver = new SnapshotReceiver({
    snapshots: new SnapshotClient(port1, () => {}),
    leader: () => "2",
    commit: () => 5,
    received: (base, config) => {
      given.push([base, config]);
      return bench.received();
    },
    isInstalling: () => bench.isInstalling,
    log: () => {},
  });
  const bench: Bench & { received(): Promise<void> } = {
    receiver,
    calls,
    given,
    isInstalling: false,
    received: () => Promise.resolve(),
    async send(method, head = HEAD, body = new Uint8Array(0), caller = "2") {
      return (await receiver.answer({ id: 1, method, head, body }, caller))?.head;
    },
  };
  try {
    await work(bench);
  } finally {
    port1.close();
    port2.close();
  }
}

const END = { ...HEAD, configAt: 3 };

Deno.test("a snapshot of the leader is taken piece by piece, staged and handed to the core", () =>
  withReceiver(async (bench) => {
    assertEquals(await bench.send("snapshotBegin"), { needed: true, offset: 4, codings: ["zstd"] });
    assertEquals(await bench.send("snapshotPiece", { id: "copy", offset: 4 }, new Uint8Array(6)), {});
    assertEquals(await bench.send("snapshotEnd", END, encodeConfig(CONFIG)), {});
    assertEquals(bench.calls, [
      `begin {"part":${JSON.stringify(HEAD)}}`,
      `write {"id":"copy","offset":4,"piece":{"chunk":6,"isCompressed":false}}`,
      `stage {"part":${JSON.stringify(HEAD)}}`,
    ]);
    assertEquals(bench.given, [[{ index: 9, term: 2 }, CONFIG]]);
    assertEquals(bench.receiver.installed, 1);
    assertEquals(bench.receiver.answer({ id: 1, method: "digest", head: {}, body: new Uint8Array(0) }, "2"), undefined);
  }));

Deno.test("a snapshot that is not needed, of a stranger or of no believable size is refused", () =>
  withReceiver(async (bench) => {
    assertEquals(await bench.send("snapshotBegin", { ...HEAD, applied: 5 }), { needed: false });
    const stranger = () => bench.send("snapshotBegin", HEAD, new Uint8Array(0), "3");
    await assertRejects(stranger, RemoteError, 'node "3" is not the leader that this node follows');
    await assertRejects(() => bench.send("snapshotEnd", END, encodeConfig(CONFIG), "3"), RemoteError, "not the leader");
    for (const head of [{ ...HEAD, bytes: 2 ** 50 }, { ...HEAD, id: "x".repeat(200) }]) {
      await assertRejects(() => bench.send("snapshotBegin", head), RemoteError, "believable size");
    }
    await assertRejects(() => bench.send("snapshotBegin", { ...HEAD, crc: "1" }), DecodeError);
    await assertRejects(() => bench.send("snapshotPiece", { id: "copy", offset: 0, coding: "other" }), Error);
    assertEquals(bench.calls, []);
  }));

Deno.test("no snapshot is staged before the last one has taken the database's place, however long that takes", () =>
  withReceiver(async (bench) => {
    const ended = Promise.withResolvers<void>();
    Object.assign(bench, { received: () => ended.promise });
    const first = bench.send("snapshotEnd", END, encodeConfig(CONFIG));
    const second = () => bench.send("snapshotEnd", { ...END, applied: 12 }, encodeConfig(CONFIG));
    await assertRejects(second, RemoteError, "another snapshot is being installed");
    // The sender is told that it takes too long, while the log is still about to put the copy in its place.
    await until("it is handed to the core", () => bench.given.length === 1 || undefined);
    bench.isInstalling = true;
    const failed = assertRejects(() => first, Error, "the snapshot was not installed");
    ended.reject(new Error("the snapshot was not installed"));
    await failed;
    await assertRejects(second, RemoteError, "another snapshot is being installed");
    assertEquals(bench.calls.filter((call) => call.startsWith("stage")).length, 1);
    bench.isInstalling = false;
    Object.assign(bench, { received: () => Promise.resolve() });
    assertEquals(await second(), {});
    assertEquals(bench.given.map(([{ index }]) => index), [9, 12]);
  }));
