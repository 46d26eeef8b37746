/** The way to other datacenters, over a pool and a replica that the test plays. */
import { assertEquals, assertRejects } from "@std/assert";
import { BusyError, OperationError } from "../../../src/app/database/errors.ts";
import { ReplicaError } from "../../../src/app/database/replica_client.ts";
import { WanRouter } from "../../../src/app/wan/router.ts";
import { REQUESTS_MAX } from "../../../src/core/wan/datacenters.ts";
import type { Coordinate, MemberRecord, MembershipEvent } from "../../../src/drivers/membership/api.ts";
import type { Forward, Forwarded } from "../../../src/drivers/replica/api.ts";

const VERSIONS = { protocolMin: 1, protocolMax: 5, protocolCur: 2, delegateMin: 2, delegateMax: 5, delegateCur: 4 };
const NO_BYTES = new Uint8Array(0);
const CALL = { head: { operation: "elsewhere", params: { datacenter: "dc2" } }, body: Uint8Array.of(1, 2) };

function member(name: string, dc: string, { status = "alive" as MemberRecord["status"], role = "consul" } = {}) {
  return { name: `${name}.${dc}`, addr: name, port: 8302, status, tags: { role, dc, port: "8300" }, ...VERSIONS };
}

/** A router, what it asks of the replica, and how the pool changes. */
class Played {
  members: MemberRecord[] = [member("a", "dc1"), member("x", "dc2"), member("y", "dc2")];
  coordinates: Record<string, Coordinate> = {};
  readonly asked: Forward[] = [];
  /** Whether servers answer when they are asked for nothing else. */
  isThere = true;
  answer: (forward: Forward) => Promise<Forwarded> = (forward) => Promise.resolve(answerOf(forward));
  #onEvent: (event: MembershipEvent) => void = () => {};
  readonly router: WanRouter;

  constructor() {
    // The router uses two methods of the replica, and three of the pool.
    const call = (method: string, params: unknown) => {
      if (method === "isThere") return Promise.resolve(this.isThere);
      const forward = params as Forward;
      this.asked.push(forward);
      return this.answer(forward);
    };
    this.router = new WanRouter({
      datacenter: "dc1",
      name: "a.dc1",
      pool: {
        members: () => Promise.resolve(this.members),
        onEvent: (listener) => this.#onEvent = listener,
        call: (() => Promise.resolve(this.coordinates)) as never,
      },
      replica: { call: call as never },
      log() {},
    });
  }

  change(members: MemberRecord[]): void {
    this.members = members;
    this.#onEvent({ type: "member-update", members: [] });
  }

  async forward(datacenter = "dc2", timeoutMs = 1000): Promise<string> {
    return (await this.router.forward(datacenter, CALL, { timeoutMs })).from;
  }
}

function answerOf({ to = "" }: Forward, head: Record<string, unknown> = {}): Forwarded {
  return { answer: { head, body: NO_BYTES }, from: to };
}

Deno.test("a request says where it comes from, and goes to the servers of a datacenter in turn", async () => {
  const played = new Played();
  assertEquals([await played.forward(), await played.forward(), await played.forward()], [
    "x:8300",
    "y:8300",
    "x:8300",
  ]);
  assertEquals(played.asked[0].call.head.params, { datacenter: "dc2", from: "dc1" });
  assertEquals([played.asked[0].datacenter, played.asked[0].retries], ["dc2", 0]);
  assertEquals([...played.asked[1].call.body], [1, 2]);
  await assertRejects(() => played.forward("dc9"), OperationError, "No path to datacenter");
});

Deno.test("one that cannot be reached is passed by; what was sent is not sent again", async () => {
  const played = new Played();
  played.answer = (forward) =>
    forward.to === "x:8300"
      ? Promise.reject(new ReplicaError("Cannot reach x:8300", "not_sent"))
      : Promise.resolve(answerOf(forward));
  assertEquals([await played.forward(), await played.forward()], ["y:8300", "y:8300"]);
  assertEquals(played.asked.map(({ to }) => to), ["x:8300", "y:8300", "y:8300"]);
  played.answer = () => Promise.reject(new ReplicaError("no answer from y:8300", "unknown"));
  played.asked.length = 0;
  await assertRejects(() => played.forward(), ReplicaError, "no answer");
  assertEquals(played.asked.length, 1);
  // It was slow, no more: it is asked again. If it does not answer at all, the datacenter is cut off, which costs nothing.
  played.isThere = false;
  await assertRejects(() => played.forward(), ReplicaError, "no answer");
  assertEquals(played.asked.length, 2);
  await assertRejects(() => played.forward(), OperationError, "Remote DC has no server currently reachable");
  assertEquals(played.asked.length, 2);
});

Deno.test("a read that was not answered goes to the next server, once to each", async () => {
  const played = new Played();
  const unanswered = new ReplicaError("no answer from x:8300", "unknown");
  played.answer = (forward) =>
    forward.to === "x:8300" ? Promise.reject(unanswered) : Promise.resolve(answerOf(forward));
  const read = () => played.router.forward("dc2", CALL, { timeoutMs: 1000, isRepeatable: true });
  assertEquals((await read()).from, "y:8300");
  assertEquals(played.asked.map(({ to }) => to), ["x:8300", "y:8300"]);
  played.answer = () => Promise.reject(unanswered);
  played.asked.length = 0;
  await assertRejects(read, OperationError, "Remote DC has no server currently reachable: no answer from x:8300");
  assertEquals(played.asked.map(({ to }) => to).sort(), ["x:8300", "y:8300"]);
});

Deno.test("while the other datacenter has no leader a request is held, and told so in the end", async () => {
  const played = new Played();
  let answers = 0;
  played.answer = (forward) => Promise.resolve(answerOf(forward, { leaderless: ++answers < 4 }));
  assertEquals(await played.forward("dc2", 5000), "y:8300");
  assertEquals(answers, 4, "both servers, and both again");
  played.answer = (forward) => Promise.resolve(answerOf(forward, { leaderless: true }));
  // One that died over a read is no reason to fail either; over a write it is.
  const died = { failure: { k: "forward", message: "no answer from the leader", code: "unknown" } };
  answers = 0;
  played.answer = (forward) => Promise.resolve(answerOf(forward, ++answers < 3 ? died : {}));
  const read = await played.router.forward("dc2", CALL, { timeoutMs: 5000, isRepeatable: true });
  assertEquals([read.answer.head, answers], [{}, 3]);
  answers = 0;
  assertEquals((await played.router.forward("dc2", CALL, { timeoutMs: 5000 })).answer.head, died);
  played.answer = (forward) => Promise.resolve(answerOf(forward, { leaderless: true }));
  const { answer } = await played.router.forward("dc2", CALL, { timeoutMs: 1 });
  assertEquals(answer.head.leaderless, true);
});

Deno.test("a member that has failed is asked for nothing, one that has left is no path, others are no servers", async () => {
  const played = new Played();
  await played.forward();
  played.change([member("a", "dc1"), member("x", "dc2", { status: "failed" })]);
  await assertRejects(() => played.forward(), OperationError, "Remote DC has no server currently reachable");
  assertEquals(played.router.names, ["dc1", "dc2"]);
  played.change([member("a", "dc1"), member("x", "dc2", { status: "left" }), member("z", "dc3", { role: "node" })]);
  await assertRejects(() => played.forward(), OperationError, "No path to datacenter");
  assertEquals(played.router.names, ["dc1"]);
});

Deno.test("requests to one datacenter are limited", async () => {
  const played = new Played();
  const gate = Promise.withResolvers<void>();
  played.answer = async (forward) => {
    await gate.promise;
    return answerOf(forward);
  };
  const all = Array.from({ length: REQUESTS_MAX }, () => played.forward());
  await assertRejects(() => played.forward(), BusyError, 'too many requests to datacenter "dc2"');
  gate.resolve();
  await Promise.all(all);
  assertEquals((await played.forward()).length, 6);
});

Deno.test("the map has all datacenters by distance, with the coordinates of their servers", async () => {
  const played = new Played();
  const at = (x: number): Coordinate => ({ vec: [x, 0, 0, 0, 0, 0, 0, 0], error: 0.1, adjustment: 0, height: 1e-5 });
  played.members = [...played.members, member("z", "dc0"), member("q", "dc4")];
  played.coordinates = { "a.dc1": at(0), "x.dc2": at(0.01), "y.dc2": at(0.02), "z.dc0": at(0.2) };
  const map = await new Played().router.map();
  assertEquals(map.map(({ name }) => name), ["dc1", "dc2"]);
  played.change(played.members);
  const found = await played.router.map();
  assertEquals(found.map(({ name }) => name), ["dc1", "dc2", "dc0", "dc4"]);
  assertEquals(found[1].servers.map(({ coordinate }) => coordinate?.vec[0]), [0.01, 0.02]);
});
