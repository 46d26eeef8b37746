/** Messages between nodes: round trips, and invalid bytes that must end in a DecodeError. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ByteWriter, DecodeError } from "../../../src/base/codec/cursor.ts";
import { type Frame, FrameDecoder } from "../../../src/base/codec/frame.ts";
import {
  decodeHello,
  decodeRaftMessage,
  decodeRpc,
  FRAME,
  RAFT_FRAME_BYTES_MAX,
  writeRaftMessage,
  writeRpc,
} from "../../../src/drivers/transport/wire.ts";
import type { Entry, OutgoingMessage } from "../../../src/core/raft/message.ts";

const HEADER = { from: "node 1", to: "ñ2", term: 7 };
const LAST = { index: 12, term: 6 };
const ENTRIES: Entry[] = [
  { index: 13, term: 6, kind: "command", body: new Uint8Array([1, 2, 3]) },
  { index: 14, term: 7, kind: "noop", body: new Uint8Array() },
  { index: 15, term: 7, kind: "config", body: new Uint8Array(3000) },
];

const MESSAGES: OutgoingMessage[] = [
  { k: "preVote", ...HEADER, last: LAST },
  { k: "preVoteReply", ...HEADER, granted: true },
  { k: "requestVote", ...HEADER, last: LAST, transfer: true },
  { k: "requestVoteReply", ...HEADER, granted: false },
  { k: "appendRange", ...HEADER, prev: LAST, last: 15, commit: 11, round: 4, epoch: 0 },
  { k: "appendReply", ...HEADER, ok: false, index: 12, hint: { index: 9, term: 3 }, round: 4 },
  { k: "heartbeat", ...HEADER, commit: { index: 2 ** 40, term: 3 }, round: 5 },
  { k: "heartbeatReply", ...HEADER, round: 5 },
  { k: "timeoutNow", ...HEADER },
  { k: "removedNotice", ...HEADER, at: 3 },
  { k: "recall", ...HEADER },
  {
    k: "marks",
    ...HEADER,
    isAnswer: true,
    marks: [
      { storageId: "disk 1", term: 7, vote: "ñ2", entry: LAST },
      { storageId: "disk 2", term: 3, vote: null, entry: { index: 0, term: 0 } },
    ],
  },
];

/** The frame that a message travels in. */
function sent(message: OutgoingMessage): Frame {
  const writer = new ByteWriter();
  writeRaftMessage(writer, message, message.k === "appendRange" ? ENTRIES : []);
  const decoder = new FrameDecoder(RAFT_FRAME_BYTES_MAX);
  decoder.push(writer.view());
  const frame = decoder.next();
  if (frame === undefined) throw new Error(`Expected a whole frame for ${message.k}`);
  return frame;
}

Deno.test("every Raft message arrives as it was sent", () => {
  for (const message of MESSAGES) {
    const { kind, payload } = sent(message);
    const found = decodeRaftMessage(kind, payload);
    if (message.k === "appendRange") {
      const { prev, commit, round } = message;
      assertEquals(found, { k: "appendEntries", ...HEADER, prev, commit, round, entries: ENTRIES });
    } else assertEquals(found, message);
  }
});

Deno.test("a call arrives as it was sent", () => {
  const writer = new ByteWriter();
  const rpc = { id: 2 ** 40, method: "http", head: { a: "b" }, body: new Uint8Array([9]) };
  writeRpc(writer, FRAME.call, rpc);
  const decoder = new FrameDecoder(1000);
  decoder.push(writer.view());
  assertEquals(decodeRpc(decoder.next()?.payload ?? new Uint8Array()), rpc);
});

Deno.test("rubbish is a DecodeError, or nothing", () => {
  const harmless = (work: () => unknown) => {
    try {
      work();
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
  };
  fc.assert(
    fc.property(fc.nat(255), fc.uint8Array({ maxLength: 200 }), (kind, bytes) => {
      harmless(() => decodeRaftMessage(kind, bytes));
      harmless(() => decodeRpc(bytes));
      harmless(() => decodeHello(bytes));
    }),
    { numRuns: 3000 },
  );
});

Deno.test("a damaged Raft message is a DecodeError or another message, never a crash", () => {
  for (const message of MESSAGES) {
    const { kind, payload } = sent(message);
    for (let at = 0; at < Math.min(payload.length, 120); at++) {
      for (const bytes of [payload.subarray(0, at), payload.map((byte, i) => i === at ? byte ^ 0xff : byte)]) {
        try {
          decodeRaftMessage(kind, bytes);
        } catch (error) {
          assert(error instanceof DecodeError, String(error));
        }
      }
    }
  }
});
