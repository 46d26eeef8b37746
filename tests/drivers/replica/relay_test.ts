/** Writes of a node that does not lead, between fakes of what surrounds it (X7). */
import { assertEquals } from "@std/assert";
import { encodeCommand } from "../../../src/core/sql/command.ts";
import { splitStatements } from "../../../src/core/sql/statement.ts";
import { renderFlags } from "../../../src/core/sql/render_options.ts";
import type { Waiter } from "../../../src/core/sql/exchange.ts";
import { FrameDecoder } from "../../../src/base/codec/frame.ts";
import { ByteWriter, DecodeError } from "../../../src/base/codec/cursor.ts";
import { CommitWaits, PlacedWaiters } from "../../../src/drivers/replica/waiters.ts";
import { Relay, RELAYED_BYTES_MAX } from "../../../src/drivers/replica/relay.ts";
import {
  decodePlacements,
  decodeProposals,
  type Placements,
  type ProposedWrite,
  type RelayFrame,
  writePlacements,
  writeProposals,
} from "../../../src/drivers/transport/proposal_frames.ts";
import { FRAME, type Hello, PROTOCOL_VERSION } from "../../../src/drivers/transport/wire.ts";

const BODY = command("INSERT INTO t VALUES(1)");

function command(sql: string, isSystem = false): Uint8Array {
  const statements = [{ parts: splitStatements(sql), positional: [], named: null }];
  return encodeCommand({ kind: "execute", transaction: false, statements, isSystem });
}

function waiter(ref: number): Waiter {
  return { port: 1, ref, options: renderFlags(0) };
}

function hello(id: string): Hello {
  const texts = { clusterId: "c", storageId: `${id}1`, addr: "", apiUrl: "", version: "", incarnation: "" };
  return { protocol: PROTOCOL_VERSION, purpose: "raft", id, ...texts };
}

/** A relay whose surroundings note what it asks of them. */
function relays({ leader, takesProposals = true }: { leader?: string; takesProposals?: boolean }) {
  const noted: unknown[] = [];
  const sent: RelayFrame[] = [];
  const links = new Set(["a", "b"]);
  const relay = new Relay({
    takesProposals,
    isMember: ({ id }) => id !== "stranger",
    leader: () => leader,
    send(to, frame) {
      if (!links.has(to)) return false;
      sent.push(frame);
      return true;
    },
    propose: (proposals) => noted.push(...proposals.map(({ asker }) => ["propose", asker])),
    place: ({ ref }, { index, term }) => noted.push(["place", ref, index, term]),
    refused: ({ ref }, why) => noted.push(["refused", ref, why]),
  });
  return { relay, noted, sent, links };
}

function refsOf(frame: RelayFrame | undefined): number[] {
  return frame?.k === "proposals" ? frame.writes.map(({ ref }) => ref) : [];
}

Deno.test("a write goes to the leader, and its client waits at the place that the leader names", () => {
  const { relay, noted, sent } = relays({ leader: "a" });
  assertEquals(relay.forward([{ body: BODY, asker: waiter(7) }, { body: BODY, asker: waiter(8) }]), []);
  const [first, second] = refsOf(sent[0]);
  const placed: Placements = {
    term: 3,
    placed: [{ ref: first, index: 12 }],
    refused: [{ ref: second, why: "behind" }],
  };
  relay.onPlacements(placed, hello("b"));
  assertEquals(noted, [], "a node that was not asked knows nothing of it");
  relay.onPlacements(placed, hello("a"));
  assertEquals(noted.splice(0), [["place", 7, 12, 3], ["refused", 8, "behind"]]);
  relay.onPlacements(placed, hello("a"));
  relay.lost("a");
  assertEquals(noted, [], "what has its answer is not answered again");
});

Deno.test("a write that may have been taken by a leader that is lost has an unknown outcome, at once", () => {
  const ends: ((relay: Relay) => void)[] = [
    (relay) => relay.lost("a"),
    (relay) => relay.onStreamEnd(hello("a")),
    (relay) => relay.leaderChanged("b"),
    (relay) => relay.leaderChanged(null),
  ];
  for (const end of ends) {
    const { relay, noted } = relays({ leader: "a" });
    relay.forward([{ body: BODY, asker: waiter(7) }]);
    relay.lost("b");
    relay.leaderChanged("a");
    assertEquals(noted, []);
    end(relay);
    assertEquals(noted, [["refused", 7, "unknown"]]);
  }
});

Deno.test("a write that cannot be sent stays where it is: without a leader, a link, or room for it", () => {
  const proposal = { body: BODY, asker: waiter(1) };
  assertEquals(relays({}).relay.forward([proposal]), [proposal]);

  const cut = relays({ leader: "a" });
  cut.links.clear();
  assertEquals(cut.relay.forward([proposal]), [proposal]);
  cut.relay.lost("a");
  assertEquals(cut.noted, [], "nothing became of it");

  const { relay, sent } = relays({ leader: "a" });
  const large = { body: new Uint8Array(RELAYED_BYTES_MAX - BODY.length), asker: waiter(2) };
  const small = { body: BODY, asker: waiter(3) };
  assertEquals(relay.forward([large, small, proposal]), [proposal], "the rest has no room beside them");
  const [ref] = refsOf(sent[0]);
  relay.onPlacements({ term: 1, placed: [{ ref, index: 1 }], refused: [] }, hello("a"));
  assertEquals(relay.forward([proposal]), [], "the place of an answered one is free again");
});

Deno.test("a leader takes the writes of members, as clients send them, and answers those that it does not take", async () => {
  const writes: ProposedWrite[] = [{ ref: 1, body: BODY }, { ref: 2, body: command("SELECT 1", true) }];
  const { relay, noted, sent } = relays({ leader: "a" });
  relay.onProposals([...writes, { ref: 3, body: new Uint8Array(3) }], hello("b"));
  assertEquals(noted, [["propose", { peer: "b", ref: 1 }]]);
  relay.refuse({ peer: "b", ref: 1 }, "queue_full");
  await Promise.resolve();
  const refused = [
    { ref: 2, why: "not_leader" },
    { ref: 3, why: "not_leader" },
    { ref: 1, why: "queue_full" },
  ];
  assertEquals(sent, [{ k: "placed", placements: { term: 0, placed: [], refused } }]);

  for (const [caller, takesProposals] of [["stranger", true], ["b", false]] as const) {
    const closed = relays({ leader: "a", takesProposals });
    closed.relay.onProposals(writes.slice(0, 1), hello(caller));
    assertEquals(closed.noted, [], "only members, and only where there are no users");
  }
});

Deno.test("places are told to each node in one frame", () => {
  const { relay, sent } = relays({});
  const asker = (peer: string, ref: number) => ({ peer, ref });
  relay.placed(4, [
    { asker: asker("a", 1), index: 10 },
    { asker: asker("b", 1), index: 11 },
    { asker: asker("a", 2), index: 12 },
  ]);
  const placements = (placed: Placements["placed"]) => ({ k: "placed", placements: { term: 4, placed, refused: [] } });
  assertEquals(sent.map((frame): unknown => frame), [
    placements([{ ref: 1, index: 10 }, { ref: 2, index: 12 }]),
    placements([{ ref: 1, index: 11 }]),
  ]);
});

Deno.test("frames come back as they were, and rubbish is refused", () => {
  const writer = new ByteWriter();
  const placements: Placements = {
    term: 2,
    placed: [{ ref: 1, index: 2 ** 40 }],
    refused: [{ ref: 9, why: "behind" }],
  };
  writeProposals(writer, [{ ref: 0xffff_ffff, body: BODY }]);
  writePlacements(writer, placements);
  const decoder = new FrameDecoder(1024);
  decoder.push(writer.view().slice());
  const [first, second] = [decoder.next(), decoder.next()];
  assertEquals([first?.kind, second?.kind], [FRAME.proposals, FRAME.placed]);
  assertEquals(decodeProposals(first?.payload ?? BODY), [{ ref: 0xffff_ffff, body: BODY }]);
  assertEquals(decodePlacements(second?.payload ?? BODY), placements);

  const seed = crypto.getRandomValues(new Uint32Array(1))[0];
  for (const decode of [decodeProposals, decodePlacements]) {
    for (let at = 0; at < 500; at++) {
      const bytes = Uint8Array.from({ length: at % 40 }, (_, i) => Math.imul(seed + at * 41 + i, 2654435761) >>> 24);
      try {
        decode(bytes);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw new Error(`seed ${seed}, number ${at}`, { cause: error });
      }
    }
  }
});

Deno.test("who waits for an entry learns of one of another term in its place, and of a later leader's", () => {
  const gone: number[] = [];
  const waiters = new PlacedWaiters(({ ref }) => gone.push(ref));
  waiters.add(waiter(1), { index: 5, term: 2 });
  waiters.add(waiter(2), { index: 6, term: 2 });
  assertEquals([waiters.take(5, 2)?.ref, waiters.take(5, 2), gone], [1, undefined, []]);
  assertEquals([waiters.take(6, 3), gone.splice(0)], [undefined, [2]]);
  waiters.add(waiter(3), { index: 7, term: 2 });
  waiters.add(waiter(4), { index: 7, term: 3 });
  assertEquals([gone, waiters.take(7, 3)?.ref], [[3], 4]);
  waiters.add(waiter(5), { index: 8, term: 3 });
  waiters.forgetUpTo(8);
  assertEquals(waiters.take(8, 3), undefined);
});

Deno.test("a node is told of the commit index when an entry of its clients is committed, once", () => {
  const waits = new CommitWaits();
  for (const index of [4, 5, 9]) waits.add("b", index);
  waits.add("c", 6);
  assertEquals(waits.due(3), []);
  assertEquals(waits.due(5), ["b"]);
  assertEquals(waits.due(5), []);
  assertEquals(waits.due(9), ["b", "c"]);
  assertEquals(waits.due(20), []);
});
