/**
 * Input that must not harm a member: the malformed inputs of G8.5 on live sockets, stalled and many streams, and a
 * push/pull of thousands of nodes (K29, K30, K37).
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { until } from "../../harness/processes.ts";
import { ACK, encodePing, PING, TYPE } from "../../../src/core/swim/message.ts";
import { decode, encodeMessage, NO_BYTES } from "../../../src/core/swim/msgpack.ts";
import { compressed, openPacket } from "../../../src/core/swim/packet.ts";
import { encodePushPull, StreamDecoder, type StreamMessage } from "../../../src/core/swim/stream.ts";
import { versionBytes } from "../../../src/core/swim/version.ts";
import { bytesOf } from "../../core/swim/hex.ts";
import { OurNode } from "../../harness/our_node.ts";
import { SerfAgent } from "../../harness/serf_agent.ts";

const NO_SOURCE = { sourceAddr: NO_BYTES, sourcePort: 0, sourceNode: "" };
const plain = { compression: false, cipher: undefined, label: NO_BYTES };

/** A socket of somebody who is no member. */
class Stranger {
  readonly #socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  readonly #to: Deno.NetAddr;
  #seqNo = 1000;

  constructor(node: OurNode) {
    this.#to = { transport: "udp", hostname: "127.0.0.1", port: node.membership.local.port };
  }

  async send(bytes: Uint8Array): Promise<void> {
    await this.#socket.send(bytes, this.#to);
  }

  /** Pings until it is answered: all before has been taken by then, or lost. */
  async isAnswered(): Promise<void> {
    const seqNo = this.#seqNo++;
    await this.send(encodePing({ seqNo, node: "", ...NO_SOURCE }));
    for (;;) {
      const [answer] = await this.#socket.receive();
      const { messages } = openPacket(answer, plain); // news may ride along
      if (messages.some((message) => message[0] === TYPE.ack && decode(ACK, message, 1).seqNo === seqNo)) return;
    }
  }

  close(): void {
    this.#socket.close();
  }
}

async function withNode(work: (node: OurNode, stranger: Stranger) => Promise<void>, config = {}): Promise<void> {
  const node = await OurNode.start("o1", config);
  const stranger = new Stranger(node);
  try {
    await work(node, stranger);
  } finally {
    stranger.close();
    await node.membership.close();
  }
}

/** Sends bytes on a stream and reads until its end. */
async function request(node: OurNode, bytes: Uint8Array, pieces = 1): Promise<Uint8Array> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: node.membership.local.port });
  conn.setNoDelay(true);
  const received: number[] = [];
  try {
    const size = Math.max(1, Math.ceil(bytes.length / pieces));
    for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at, at + size));
    const chunk = new Uint8Array(64 * 1024);
    for (let count = await conn.read(chunk); count !== null; count = await conn.read(chunk)) {
      for (const byte of chunk.subarray(0, count)) received.push(byte);
    }
  } catch {
    // reset: that is an answer, too
  } finally {
    conn.close();
  }
  return Uint8Array.from(received);
}

function answerIn(bytes: Uint8Array): StreamMessage | undefined {
  return bytes.length === 0 ? undefined : new StreamDecoder(plain, "reply").push(bytes);
}

/** Datagrams of G8.5. */
function malformedPackets(): Uint8Array[] {
  const ping = encodePing({ seqNo: 1, node: "nobody", ...NO_SOURCE });
  const packets = [NO_BYTES];
  for (let type = 0; type < 256; type++) {
    packets.push(
      ...[
        "",
        "c0",
        "05",
        "82",
        "85a4",
        "a161",
        "dbffffffff",
        "ddffffffff",
        "dfffffffff",
        "df80000000",
        "9301",
        "ff00ff00ff",
      ].map((body) => bytesOf(type.toString(16).padStart(2, "0") + body)),
    );
  }
  let nested = ping;
  for (let level = 0; level < 255; level++) {
    nested = Uint8Array.of(TYPE.compound, 1, nested.length >> 8, nested.length & 255, ...nested);
  }
  let shrunk = ping;
  for (let level = 0; level < 12; level++) shrunk = compressed(shrunk); // each makes it longer
  const bomb = compressed(new Uint8Array(5_000_000));
  packets.push(
    nested,
    shrunk,
    bomb,
    bytesOf("0c00000000"),
    bytesOf("0c1234567800"),
    Uint8Array.of(12, 0, 0, 0, 0, ...ping),
  );
  for (
    const text of [
      "07",
      "0703",
      "0702000100",
      "07020001ffff00",
      "0982a4416c676f01a3427566a3000302",
      "0981a4416c676f00",
      "0900",
      "01deadbeef",
      "02" + "00".repeat(60),
      "f4",
      "f400",
      "f4ff",
      "f401",
    ]
  ) packets.push(bytesOf(text));
  for (let subtype = 0; subtype < 12; subtype++) {
    for (
      const body of [
        "",
        "c0",
        "80",
        "81",
        "8187",
        "82a54c54696d65ffa44e6f6465a161",
        "81a844657374416464728",
        "82a54c54696d65cb7ff8000000000000",
      ]
    ) {
      packets.push(bytesOf(`08${subtype.toString(16).padStart(2, "0")}${body}`));
    }
  }
  return packets;
}

Deno.test("every malformed datagram leaves a member alive, answering and with nothing but itself in its list (K37)", async () => {
  await withNode(async (node, stranger) => {
    for (const packet of malformedPackets()) {
      await stranger.send(packet);
      await stranger.isAnswered();
    }
    assertEquals(node.membership.members().map(({ name }) => name), ["o1"]);
    const { dropped } = node.membership.stats();
    assert(Number(dropped) > 1000, dropped);
    assert(node.log.length < 200, "the log is not filled");
  });
});

Deno.test("every malformed stream is closed, with a word where its first layer cannot be read (K24, K30, K37)", async () => {
  const nodeHeader = "0683a44a6f696ec3a54e6f646573";
  const cases = [
    ..."00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d f4 ff".split(" "),
    "0d93",
    "0681",
    nodeHeader + "ff" + "ac5573657253746174654c656e00",
    nodeHeader + "ce00100001ac5573657253746174654c656e00",
    nodeHeader + "01ac5573657253746174654c656e0081a44e616d65a0",
    "0900",
    "0982a4416c676f01a3427566a101",
    "0982a4416c676f00a3427566a2ffff",
    "0a01400001",
    "0a0000002e0100",
    "f400",
    "f403666f6f00",
    "08" + "81aa557365724d73674c656ece01400001",
    "08" + "81aa557365724d73674c656ed1ffff",
  ];
  await withNode(async (node, stranger) => {
    await Promise.all(cases.map((text) => request(node, bytesOf(text))));
    assertEquals(answerIn(await request(node, bytesOf("0a0000002e")))?.type, "error");
    assertEquals(answerIn(await request(node, bytesOf("0982a4416c676f00a3427566a2ffff")))?.type, "error");
    // closed at once, silent, and half of a push/pull: ended by the time limit
    (await Deno.connect({ hostname: "127.0.0.1", port: node.membership.local.port })).close();
    await Promise.all([
      request(node, NO_BYTES),
      request(node, bytesOf(nodeHeader)),
      request(node, bytesOf(nodeHeader + "ce00100000ac5573657253746174654c656ece01400000")),
    ]);
    await stranger.isAnswered();
    assertEquals(node.membership.members().length, 1);
  });
  await withNode(async (node) => {
    const refused = await request(
      node,
      Uint8Array.of(TYPE.ping, ...encodeMessage(0, PING, { seqNo: 5, node: "", ...NO_SOURCE }).slice(1)),
    );
    assertEquals(refused[0], TYPE.encrypt, "an encrypted error");
  }, { encryptionKey: btoa("0123456789abcdef") });
});

Deno.test("a ping on a stream is answered, for another node it is not; a push/pull comes in any pieces (K30)", async () => {
  await withNode(async (node) => {
    const answer = answerIn(await request(node, encodePing({ seqNo: 55, node: "o1", ...NO_SOURCE })));
    assertEquals(answer, { type: "ack", ack: { seqNo: 55, payload: NO_BYTES } });
    assertEquals((await request(node, encodePing({ seqNo: 55, node: "other", ...NO_SOURCE }))).length, 0);
    const push = encodePushPull({ join: true, nodes: [], userState: NO_BYTES });
    const reply = answerIn(await request(node, push, push.length));
    if (reply?.type !== "push-pull") throw new Error(`a push/pull expected: ${reply?.type}`);
    assertEquals([reply.join, reply.nodes.map(({ name }) => name)], [true, ["o1"]]);
  });
});

Deno.test("200 streams at a time that stall are ended, and a member goes on (K30)", async () => {
  await withNode(async (node, stranger) => {
    const half = bytesOf("0683a44a6f696ec3a54e6f646573");
    const answers = await Promise.all(Array.from({ length: 200 }, () => request(node, half)));
    assertEquals(answers.filter(({ length }) => length > 0), []);
    await stranger.isAnswered();
    assert((await request(node, encodePushPull({ join: false, nodes: [], userState: NO_BYTES }))).length > 0);
  });
});

Deno.test("a push/pull of 3000 nodes is taken and given; a real agent lists them all (K29)", async () => {
  const tuning = { probeIntervalMs: 600_000, gossipIntervalMs: 600_000 }; // nobody of the 3000 answers
  const serf = await SerfAgent.start("r1");
  try {
    await withNode(async (node) => {
      const nodes = Array.from({ length: 3000 }, (_, at) => ({
        name: `node-${at}`,
        addr: Uint8Array.of(127, 1, at >> 8, at & 255),
        port: 9,
        meta: bytesOf("ff81a4726f6c65ab" + "61".repeat(11)),
        incarnation: 1,
        state: 0,
        vsn: versionBytes(5),
      }));
      await request(node, encodePushPull({ join: true, nodes, userState: NO_BYTES }));
      await until("all are taken", () => node.membership.members().length === 3001 || undefined);
      await node.join(serf.address);
      await until("the agent lists all", async () => {
        const alive = [...(await serf.members()).values()].filter(({ status }) => status === "alive");
        if (alive.length !== 3002) throw new Error(`${alive.length} are alive`);
        return true;
      });
    }, { tuning });
  } finally {
    await serf.kill();
  }
});
