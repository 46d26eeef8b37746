/** Strangers on the cluster port: their frames cost little memory, depose nobody for good, and end no node. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { openStream } from "../../src/drivers/transport/rpc.ts";
import {
  decodeRpc,
  FRAME,
  type Hello,
  HELLO_BYTES_MAX,
  PREAMBLE,
  writeRaftMessage,
  writeRpc,
} from "../../src/drivers/transport/wire.ts";
import type { OutgoingMessage } from "../../src/core/raft/message.ts";
import { leaderOf, type NodeProcess, startCluster, until, withNodes } from "../harness/processes.ts";
import { peakResidentBytes } from "./memory.ts";
import { STRANGER } from "../harness/stranger.ts";

/** Memory that strangers may take of a node, in bytes. */
const GROWTH_MAX = 64 * 1024 * 1024;

function dial(node: NodeProcess, hello: Partial<Hello> = {}) {
  return openStream(node.clusterAddr, { ...STRANGER, ...hello }, { timeoutMs: 10_000, frameBytesMax: 1024 * 1024 });
}

/** A connection with the beginning of a hello that says it is `length` bytes long. */
async function unfinishedHello(node: NodeProcess, length: number): Promise<Deno.Conn> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: node.place.clusterPort });
  const head = new Uint8Array(PREAMBLE.length + 4 + HELLO_BYTES_MAX);
  head.set(PREAMBLE);
  new DataView(head.buffer).setUint32(PREAMBLE.length, length);
  await conn.write(head);
  return conn;
}

async function term(node: NodeProcess): Promise<number> {
  return Number(await node.status("store.raft.term"));
}

/** The cluster takes a write and every node has it. */
async function isSound(nodes: readonly NodeProcess[], row: number): Promise<void> {
  const leader = await leaderOf(nodes);
  await until("a write", async () => {
    await leader.execute(["INSERT OR IGNORE INTO t VALUES(?)", row]);
    return true;
  });
  for (const node of nodes) {
    assertEquals(node.running, true);
    assertEquals(await node.row(`SELECT count(*) FROM t WHERE a=${row}`, "linearizable"), [1]);
  }
}

Deno.test({
  name: "strangers on the cluster port take little memory, and no frame of theirs ends a cluster",
  ignore: Deno.build.os !== "linux",
  fn: (t) =>
    withNodes(async (root, start) => {
      const nodes = await startCluster(root, start);
      const leader = await leaderOf(nodes);
      await leader.execute("CREATE TABLE t(a UNIQUE)");
      const follower = nodes.find((node) => node !== leader) ?? leader;
      const before = await peakResidentBytes(leader);

      await t.step("hellos of 79 MiB that do not end are closed", async () => {
        const strangers = await Promise.all(
          Array.from({ length: 12 }, () => unfinishedHello(leader, 79 * 1024 * 1024)),
        );
        for (const conn of strangers) {
          assertEquals(await conn.read(new Uint8Array(100)).catch(() => null), null);
          conn.close();
        }
        assert(await peakResidentBytes(leader) < before + GROWTH_MAX);
        await isSound(nodes, 1);
      });

      await t.step("ids of 2 MB are refused", async () => {
        for (let nth = 0; nth < 35; nth++) {
          await assertRejects(() => dial(leader, { id: `${nth}${"x".repeat(2_000_000)}` }));
        }
        assert(await peakResidentBytes(leader) < before + GROWTH_MAX);
        await isSound(nodes, 2);
      });

      await t.step("the highest term there is, by a member's name, is taken by nobody", async () => {
        const { connection: known, peer } = await dial(follower); // a welcome names id and storage
        known.close();
        const was = Math.max(...await Promise.all(nodes.map(term)));
        for (const highest of [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 1, 2 ** 52]) {
          const header = { from: follower.place.id, to: leader.place.id, term: highest };
          const messages: OutgoingMessage[] = [
            { k: "requestVote", ...header, last: { index: highest, term: highest }, transfer: true },
            { k: "heartbeat", ...header, commit: { index: 1, term: 1 }, round: 1 },
            { k: "heartbeatReply", ...header, round: 1 },
          ];
          for (const message of messages) {
            const purpose = {
              purpose: "raft",
              clusterId: peer.clusterId,
              id: peer.id,
              storageId: peer.storageId,
            } as const;
            // Each takes the place of the member's own stream, which may take it back before the welcome is read.
            const { connection } = await until("a stream", () => dial(leader, purpose));
            connection.send((writer) => writeRaftMessage(writer, message, []));
            await connection.drained();
            connection.close();
          }
        }
        await isSound(nodes, 3);
        const is = Math.max(...await Promise.all(nodes.map(term)));
        assert(is < was + 100, `term ${is} after ${was}`);
      });

      await t.step("a call with an empty head is answered with an error", async () => {
        for (const method of ["digest", "promise", "remove", "join", "nothing"]) {
          const { connection } = await dial(leader);
          const rpc = { id: 7, method, head: {}, body: new Uint8Array(0) };
          connection.send((writer) => writeRpc(writer, FRAME.call, rpc));
          const reply = await connection.read();
          assertEquals(reply && decodeRpc(reply.payload).method, "error", method);
          connection.close();
        }
        await isSound(nodes, 4);
      });

      await t.step("all of it survives kill -9 of all nodes", async () => {
        await Promise.all(nodes.map((node) => node.stop("SIGKILL")));
        const flags = ["-bootstrap-expect", "3", "-join", nodes.map(({ clusterAddr }) => clusterAddr).join(",")];
        const again = nodes.map(({ place }) => start(place, flags));
        await Promise.all(again.map((node) => node.ready()));
        await isSound(again, 5);
        assertEquals(await again[0].row("SELECT count(*) FROM t", "strong"), [5]);
      });
    }),
});
