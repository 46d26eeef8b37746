/**
 * Ours and real `serf` agents in one pool, both directions: the checklist of src/core/swim/RULES.md (K1 to K40); plain,
 * compressed and encrypted.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { freePort, until } from "../../harness/processes.ts";
import type { QueryAnswer } from "../../../src/drivers/membership/api.ts";
import { OurNode } from "../../harness/our_node.ts";
import { SerfAgent } from "../../harness/serf_agent.ts";
import { messageOf } from "../../../src/base/codec/error_text.ts";

/** Limit for a death to be noticed: some 4 to 6 s with a confirmation, 18 s of suspicion when that is lost (G4.4). */
const DEATH_MS = 30_000;
const KEY_32 = btoa("0123456789abcdef0123456789abcdef");
const KEY_16 = btoa("0123456789abcdef");
const NEW_KEY = btoa("fedcba9876543210fedcba9876543210");
const bytes = (text: string) => new TextEncoder().encode(text);

/** Runs a test with peers that are ended whatever happens; no real one may have logged an error. */
async function withPeers(
  work: (start: { serf: typeof SerfAgent.start; ours: typeof OurNode.start }) => Promise<void>,
  allowed?: RegExp,
): Promise<void> {
  const agents: SerfAgent[] = [];
  const nodes: OurNode[] = [];
  try {
    await work({
      serf: async (...args) => {
        const agent = await SerfAgent.start(...args);
        agents.push(agent);
        return agent;
      },
      ours: async (...args) => {
        const node = await OurNode.start(...args);
        nodes.push(node);
        return node;
      },
    });
    for (const agent of agents) assertEquals(agent.errors(allowed), [], `errors of ${agent.name}`);
  } catch (error) {
    const logs = agents.map((agent) => `--- ${agent.name}\n${agent.log.slice(-3000)}`);
    const ours = nodes.map((node) => `--- ${node.name}\n${node.log.slice(-40).join("\n")}`);
    throw new Error(`${messageOf(error)}\n${[...logs, ...ours].join("\n")}`, {
      cause: error,
    });
  } finally {
    await Promise.all([...nodes.map((node) => node.membership.close()), ...agents.map((agent) => agent.kill())]);
  }
}

/**
 * Does something until it has worked: in a small pool a message goes to two neighbours only, and may pass somebody by
 * (G4.7); real agents among themselves are no better.
 */
async function eventually<T>(what: string, attempt: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 8; tries++) {
    const found = await attempt();
    if (found !== undefined) return found;
  }
  throw new Error(`${what} did not work in 8 attempts`);
}

/** Fires events until one has reached everybody. */
async function eventReaches(
  fire: (payload: string) => Promise<unknown> | void,
  hasHeard: (payload: string) => boolean,
): Promise<void> {
  let number = 0;
  await eventually("an event that reaches all", async () => {
    const payload = `payload${++number}`;
    await fire(payload);
    return await until("all hear it", () => hasHeard(payload) || undefined, 1500).catch(() => undefined);
  });
}

/** Waits until a member that leaves has left, or failed: its intent may pass `node` by (G4.7). */
async function isGone(node: OurNode, name: string): Promise<void> {
  await until(`${name} is gone`, () => ["left", "failed"].includes(node.member(name)?.status ?? "") || undefined);
}

const VARIANTS = [
  { name: "plain", serf: {}, ours: {} },
  { name: "compressed", serf: { compression: true }, ours: { compression: true } },
  {
    name: "encrypted with 32 bytes, compressed by serf alone",
    serf: { key: KEY_32, compression: true },
    ours: { encryptionKey: KEY_32 },
  },
  {
    name: "encrypted with 16 bytes, compressed by ours alone",
    serf: { key: KEY_16 },
    ours: { encryptionKey: KEY_16, compression: true },
  },
];

for (const variant of VARIANTS) {
  Deno.test(`${variant.name}: joins, tags, events, queries and leaves, both ways (K1 to K3, K11, K17, K18, K20 to K24, K26, K27)`, async () => {
    await withPeers(async (start) => {
      const [r1, r2] = await Promise.all([
        start.serf("r1", { ...variant.serf, tags: { role: "web" } }),
        start.serf("r2", variant.serf),
      ]);
      const o1 = await start.ours("o1", { ...variant.ours, tags: { role: "db", "ä": "ö" } });
      const o2 = await start.ours("o2", variant.ours);
      await r2.must("join", r1.address);
      await o1.join(r1.address);
      assertEquals((await r1.sees("o1", "alive")).tags, { role: "db", "ä": "ö" });
      await Promise.all([r2.sees("o1", "alive"), o1.sees("r2", "alive")]);
      assertEquals(o1.member("r1")?.tags, { role: "web" });
      assert((await r2.must("join", o2.address)).includes("Successfully joined")); // real joins ours
      await Promise.all([r1.sees("o2", "alive"), o1.sees("o2", "alive"), o2.sees("r1", "alive")]);

      await r1.must("tags", "-set", "role=cache");
      await until("ours hears of the tags", () => o1.member("r1")?.tags.role === "cache" || undefined);
      assert(o1.told("member-update").includes("r1"));
      await o1.membership.setTags({ role: "db2" });
      await r1.logs(/EventMemberUpdate: o1/);
      assertEquals((await r1.sees("o1", "alive")).tags, { role: "db2" });

      await eventReaches(
        (payload) => r1.must("event", "-coalesce=false", "deploy", payload),
        (payload) => [o1, o2].every(({ userEvents }) => userEvents.includes(`deploy:${payload}`)),
      );
      await eventReaches(
        (payload) => o1.membership.fireEvent(`ours-${payload}`, bytes(payload), { coalesce: false }),
        (payload) => [r1, r2].every(({ log }) => log.includes(`Received event: user-event: ours-${payload}`)),
      );
      for (const { userEvents } of [o1, o2]) assertEquals(userEvents.length, new Set(userEvents).size, "told once");

      await eventually("a query that all answer", async () => {
        const asked: unknown = JSON.parse(
          await r1.must("query", "-format=json", "-timeout=800ms", "-relay-factor=1", "uptime", "x"),
        );
        const { Acks: acks, Responses: responses } = asked as { Acks: string[]; Responses: Record<string, string> };
        assertEquals(acks.length, new Set(acks).size, "duplicates count once");
        if (acks.length < 4) return undefined;
        assertEquals([acks.toSorted(), responses], [["o1", "o2", "r1", "r2"], {
          o1: "answer of o1",
          o2: "answer of o2",
        }]);
        return true;
      });
      await eventually("a query by tag", async () => {
        const output = await r1.must("query", "-format=json", "-timeout=300ms", "-tag", "role=db.*", "q");
        const { Acks: acks } = JSON.parse(output) as { Acks: string[] | null };
        return acks?.length === 1 && acks[0] === "o1" || undefined;
      });
      await eventually("our query", async () => {
        const answers: QueryAnswer[] = [];
        const query = { name: "q", wantAck: true, relayFactor: 1, timeoutMs: 600, nodes: ["r1", "r2", "o2"] };
        await o1.membership.query(query, (answer) => answers.push(answer));
        const from = (type: QueryAnswer["type"]) => answers.filter((one) => one.type === type).map((one) => one.from);
        assertEquals(from("ack").length, new Set(from("ack")).size);
        if (from("ack").length < 3) return undefined;
        assertEquals([from("ack").toSorted(), from("response")], [["o2", "r1", "r2"], ["o2"]]);
        return true;
      });

      await r2.must("leave");
      // Real's intent may pass ours by, and then it failed for ours as it would for real.
      await isGone(o1, "r2");
      await o2.membership.leave();
      await r1.sees("o2", "left");
      await r1.logs(/EventMemberLeave.*: o2/);
      await until("o1 is alone with r1", () => o1.member("o2")?.status === "left" || undefined);
      await r1.must("leave"); // real gossips to those that have left as well, and may pass ours by once more
      await isGone(o1, "r1");
    });
  });

  Deno.test(`${variant.name}: of two, the other one hears that real leaves, and never calls it failed (K11)`, async () => {
    await withPeers(async (start) => {
      const [real, ours] = await Promise.all([start.serf("real", variant.serf), start.ours("ours", variant.ours)]);
      await ours.join(real.address);
      await real.sees("ours", "alive");
      await real.must("leave"); // with nobody else to gossip to, each of its copies of the intent goes to ours
      await ours.sees("real", "left");
      assert(!ours.told("member-failed").includes("real"));
    });
  });
}

Deno.test("real killed and restarted, ours killed and restarted; reconnecting both ways (K7 to K10, K34, K35)", async () => {
  await withPeers(async (start) => {
    const config = { reconnect_interval: "1s" };
    const tuning = { reconnectIntervalMs: 1000 };
    const r1 = await start.serf("r1", { config });
    const [o1, o2] = [await start.ours("o1", { tuning }), await start.ours("o2", { tuning })];
    await o1.join(r1.address);
    await o2.join(r1.address);
    await Promise.all([o1.sees("o2", "alive"), o2.sees("o1", "alive")]);

    await r1.kill();
    const killedMs = performance.now();
    await Promise.all([o1.sees("r1", "failed", DEATH_MS), o2.sees("r1", "failed", DEATH_MS)]);
    assert(performance.now() - killedMs > 2500, "not before the suspicion was over");
    assert([o1, o2].some(({ log }) => log.some((line) => line.includes("Suspect r1 has failed"))));
    // Nobody tells the restarted one where the others are. When it refutes its death before one of them has called on
    // it, it is told by the next push/pull.
    const again = await start.serf("r1", { config, port: r1.port });
    await Promise.all([
      o1.sees("r1", "alive"),
      o2.sees("r1", "alive"),
      again.sees("o1", "alive"),
      again.sees("o2", "alive"),
    ]);

    const bind = { host: "127.0.0.1", port: o2.membership.local.port };
    await o2.membership.close();
    await Promise.all([again.sees("o2", "failed", DEATH_MS), o1.sees("o2", "failed", DEATH_MS)]);
    const back = await start.ours("o2", { bind, tuning });
    await Promise.all([
      again.sees("o2", "alive"),
      o1.sees("o2", "alive"),
      back.sees("r1", "alive"),
    ]);
    await back.membership.leave();
    await back.membership.close();
    await again.sees("o2", "left");
    const third = await start.ours("o2", { bind });
    await third.join(again.address);
    await Promise.all([again.sees("o2", "alive"), o1.sees("o2", "alive")]);

    await third.membership.close();
    await Promise.all([again.sees("o2", "failed", DEATH_MS), o1.sees("o2", "failed", DEATH_MS)]);
    await again.must("force-leave", "o2");
    await o1.sees("o2", "left");
    // Real sends it twice in a pool of this size, and may send both to the dead one.
    await until("o2 is forgotten", async () => {
      await again.must("force-leave", "-prune", "o2");
      return o1.member("o2") === undefined || undefined;
    });
    await again.must("leave"); // it still gossips to the dead one, and may pass ours by
    await isGone(o1, "r1");
  });
});

Deno.test("keys are rotated by real and by ours; a wrong key or none stays outside (K23 to K25)", async () => {
  const directory = await Deno.makeTempDir({ prefix: "muster-keys-" });
  try {
    await withPeers(async (start) => {
      const r1 = await start.serf("r1", { key: KEY_32 });
      const o1 = await start.ours("o1", { encryptionKey: KEY_32, directory });
      await o1.join(r1.address);
      await r1.sees("o1", "alive");
      const stranger = await start.ours("stranger", { encryptionKey: KEY_16 });
      const open = await start.ours("open");
      for (const node of [stranger, open]) {
        assertEquals((await node.membership.join([o1.address, r1.address])).joined, 0);
      }
      assert((await open.membership.join([o1.address])).errors[0].includes("encryption is not configured"));
      assert(!(await r1.members()).has("stranger") && o1.membership.members().length === 2);

      assert((await r1.must("keys", `-install=${NEW_KEY}`)).includes("Successfully installed"));
      await r1.must("keys", `-use=${NEW_KEY}`);
      await r1.must("keys", `-remove=${KEY_32}`);
      const listed = await r1.must("keys", "-list");
      assert(listed.includes(NEW_KEY) && listed.includes("[2/2]") && !listed.includes(KEY_32), listed);
      const { members, responses, failures, keys } = await o1.membership.keys("install", { key: KEY_16 });
      assertEquals([members, responses, failures, keys], [2, 2, 0, {}]);
      assertEquals((await o1.membership.keys("list")).keys, { [NEW_KEY]: 2, [KEY_16]: 2 });
      assertEquals((await o1.membership.keys("remove", { key: NEW_KEY })).failures, 2);
      assertEquals(JSON.parse(await Deno.readTextFile(`${directory}/keyring.json`)), [NEW_KEY, KEY_16]);
      await o1.membership.close();
      const back = await start.ours("o1", { directory, bind: { host: "127.0.0.1", port: o1.membership.local.port } });
      await back.sees("r1", "alive"); // from the snapshot, with the key of the file
      await r1.must("event", "-coalesce=false", "e", "x");
      await until("the event comes", () => back.userEvents.includes("e:x") || undefined);
    }, /not encrypted|No installed keys|failed to receive|Removing the primary key/i);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("a node restarted finds its pool by its snapshot, but not after it has left (K36)", async () => {
  const directory = await Deno.makeTempDir({ prefix: "muster-snapshot-" });
  try {
    await withPeers(async (start) => {
      const r1 = await start.serf("r1");
      const o1 = await start.ours("o1", { directory });
      await o1.join(r1.address);
      await r1.must("event", "-coalesce=false", "old", "1");
      await until("the event comes", () => o1.userEvents.length === 1 || undefined);
      const bind = { host: "127.0.0.1", port: o1.membership.local.port };
      await o1.membership.close();
      const second = await start.ours("o1", { directory, bind });
      await second.sees("r1", "alive");
      await r1.must("event", "-coalesce=false", "new", "2");
      await until("the event comes", () => second.userEvents.length > 0 || undefined);
      assertEquals(second.userEvents, ["new:2"]);
      await second.membership.leave();
      await second.membership.close();
      const third = await start.ours("o1", { directory, bind });
      assertEquals(third.membership.members().length, 1);
      assert(!third.log.some((line) => line.includes("re-join")));
      await third.membership.close();
      await Deno.writeTextFile(`${directory}/members.snapshot`, `alive: r1 ${r1.address}\nleave\nalive: r1 127.0`);
      const fourth = await start.ours("o1", { directory, bind, rejoinAfterLeave: true });
      await fourth.sees("r1", "alive");
    });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("a real node facing a forged claim to its name stays up by our votes (K22)", async () => {
  await withPeers(async (start) => {
    const r1 = await start.serf("r1");
    const [o1, o2] = [await start.ours("o1"), await start.ours("o2")];
    await o1.join(r1.address);
    await o2.join(r1.address);
    await r1.sees("o2", "alive");
    const forger = await start.ours("r1", { resolveConflicts: false });
    await forger.membership.join([r1.address]);
    await r1.logs(/majority in name conflict resolution/);
    assert(r1.isRunning && !r1.log.includes("minority"));
  }, /Node name conflicts with another node|Conflicting address for r1/);
});

Deno.test("an event of before the join is replayed to ours when it wants that (K19)", async () => {
  await withPeers(async (start) => {
    const r1 = await start.serf("r1");
    await r1.must("event", "-coalesce=false", "old", "1");
    const [wants, wantsNot] = [await start.ours("o1"), await start.ours("o2")];
    assertEquals((await wants.membership.join([r1.address], { replay: true })).joined, 1);
    await wantsNot.join(r1.address);
    assertEquals(wants.userEvents, ["old:1"]);
    await r1.must("event", "-coalesce=false", "new", "2");
    await until(
      "both hear it",
      () => [wants, wantsNot].every(({ userEvents }) => userEvents.includes("new:2")) || undefined,
    );
    assertEquals(wantsNot.userEvents, ["new:2"]);
  });
});

Deno.test("UDP to ours blocked, TCP open: real says so and keeps ours alive (K6)", async () => {
  const advertised = freePort();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: advertised }); // and no UDP there
  const conns: Deno.Conn[] = [];
  try {
    await withPeers(async (start) => {
      const o1 = await start.ours("o1", { advertise: { host: "127.0.0.1", port: advertised } });
      const forwarding = (async () => {
        for await (const conn of listener) {
          const onward = await Deno.connect({ hostname: "127.0.0.1", port: o1.membership.local.port });
          conns.push(conn, onward);
          conn.readable.pipeTo(onward.writable).catch(() => {});
          onward.readable.pipeTo(conn.writable).catch(() => {});
        }
      })();
      const r1 = await start.serf("r1");
      await o1.join(r1.address);
      await r1.sees("o1", "alive");
      await r1.logs(/Was able to connect to o1/);
      const seen = r1.log.split("Was able to connect to o1").length;
      await until(
        "it goes on",
        () => r1.log.split("Was able to connect to o1").length >= seen + 4 || undefined,
        20_000,
      );
      await r1.sees("o1", "alive");
      assert(!r1.log.includes("Suspect o1"));
      listener.close();
      await forwarding.catch(() => {});
    });
  } finally {
    for (const conn of conns) {
      try {
        conn.close();
      } catch {
        // closed by its streams
      }
    }
  }
});
