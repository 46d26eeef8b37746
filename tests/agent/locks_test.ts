/**
 * Nobody holds a lock beside another, whatever happens to agents and servers (C10): holders take a lock through client agents
 * that are killed and paused, as is the leader, and do fenced work meanwhile. Their histories are checked: a LockIndex
 * belongs to one session, work is accepted in the order of LockIndex, and the times in which two are known to hold it do not
 * overlap. One after the other does get it.
 *
 * `LOCK_SECONDS` is how long; the longer, the more faults. `LOCK_SEED` repeats their order.
 */
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { agentPlace, type AgentProcess, leaderAmong, withAgents } from "../harness/agents.ts";
import { until } from "../harness/processes.ts";
import { Random } from "../harness/random.ts";

const SECONDS = Number(Deno.env.get("LOCK_SECONDS") ?? 12);
const SEED = Number(Deno.env.get("LOCK_SEED") ?? Math.floor(Math.random() * 2 ** 32));
const HOLDERS = 4;
const REQUEST_MS = 8000;
const HELD_MS_MAX = 1500;
/** A machine with much else to do takes long to start agents and to elect leaders. */
const PATIENCE_MS = 90_000;
const KEY = "locks/one";

/** What one holding of the lock is known to have done. */
interface Held {
  readonly session: string;
  readonly lockIndex: number;
  /** From when on it was held for certain, and until when, on this machine's clock. */
  readonly fromMs: number;
  untilMs: number;
  /** ModifyIndex of the work that was accepted. */
  readonly work: number[];
}

/** Agents that can be replaced under those who use them. */
interface Seats {
  readonly servers: AgentProcess[];
  readonly clients: AgentProcess[];
}

/** Sends a request; undefined where its outcome is unknown, or it failed. */
async function ask(agent: AgentProcess, method: string, path: string, body?: string): Promise<string | undefined> {
  try {
    const init = { method, body: body ?? null, signal: AbortSignal.timeout(REQUEST_MS) };
    const response = await fetch(agent.url + path, init);
    const text = await response.text();
    return response.ok ? text : undefined;
  } catch {
    return undefined;
  }
}

/** Holds the lock until its work is refused, or for a while; tells what is certain. */
async function hold(agent: () => AgentProcess, session: string, random: Random, history: Held[]): Promise<void> {
  if (await ask(agent(), "PUT", `/v1/kv/${KEY}?acquire=${session}`, session) !== "true") return;
  const fromMs = performance.now();
  const text = await ask(agent(), "GET", `/v1/kv/${KEY}?consistent`);
  const [entry] = text === undefined ? [] : JSON.parse(text);
  if (entry?.Session !== session) return;
  const held: Held = { session, lockIndex: entry.LockIndex, fromMs, untilMs: fromMs, work: [] };
  history.push(held);
  const end = fromMs + random.between(200, HELD_MS_MAX);
  while (performance.now() < end) {
    const startedMs = performance.now();
    const done = await ask(
      agent(),
      "PUT",
      "/v1/txn",
      JSON.stringify([
        { KV: { Verb: "check-session", Key: KEY, Session: session } },
        { KV: { Verb: "set", Key: "locks/work", Value: btoa(crypto.randomUUID()) } },
      ]),
    );
    if (done === undefined) break; // refused, or unknown
    held.work.push(JSON.parse(done).Results.at(-1).KV.ModifyIndex);
    held.untilMs = startedMs;
    await delay(random.between(1, 30));
  }
  await ask(agent(), "PUT", `/v1/kv/${KEY}?release=${session}`, session);
}

/** Takes the lock again and again until told to stop. */
async function holder(seats: Seats, at: number, history: Held[], stop: AbortSignal): Promise<void> {
  const random = new Random(SEED, at + 1);
  const agent = () => seats.clients[at % seats.clients.length];
  let session: string | undefined;
  while (!stop.aborted) {
    if (session === undefined) {
      const made = await ask(agent(), "PUT", "/v1/session/create", `{"LockDelay":"500ms","TTL":"10s"}`);
      session = made && JSON.parse(made).ID;
    }
    if (session === undefined) await delay(100);
    else {
      const before = history.length;
      await hold(agent, session, random, history);
      const renewed = await ask(agent(), "PUT", `/v1/session/renew/${session}`);
      if (renewed === undefined) session = undefined;
      if (history.length === before) await delay(random.between(10, 60));
    }
  }
  if (session !== undefined) await ask(agent(), "PUT", `/v1/session/destroy/${session}`);
}

/** Who holds it, as one server shows it from change to change. */
async function watch(server: () => AgentProcess, seen: Map<number, Set<string>>, stop: AbortSignal): Promise<void> {
  for (let index = 0; !stop.aborted;) {
    const text = await ask(server(), "GET", `/v1/kv/${KEY}?stale&index=${index}&wait=1s`);
    const [entry] = text === undefined ? [] : JSON.parse(text);
    if (entry === undefined) await delay(50);
    else {
      index = entry.ModifyIndex;
      if (entry.Session) note(seen, entry.LockIndex, entry.Session);
    }
  }
}

function note(seen: Map<number, Set<string>>, lockIndex: number, session: string): void {
  seen.set(lockIndex, (seen.get(lockIndex) ?? new Set()).add(session));
}

/** Kills and pauses agents and leaders until the time is over; all run at its end. */
async function torment(
  seats: Seats,
  restart: (agent: AgentProcess) => AgentProcess,
  untilMs: number,
): Promise<string[]> {
  const random = new Random(SEED);
  const done: string[] = [];
  for (let nth = 0; performance.now() < untilMs; nth++) {
    await delay(random.between(300, 1500));
    const ofServer = nth % 2 === 1;
    const seat = ofServer ? seats.servers : seats.clients;
    const victim = ofServer ? await leaderAmong(seats.servers, PATIENCE_MS) : random.pick(seat);
    if (!victim) throw new Error("there is nobody");
    const isKill = random.chance(0.5);
    done.push(`${isKill ? "kill" : "pause"} ${victim.place.name}`);
    if (isKill) {
      await victim.stop("SIGKILL");
      await delay(random.between(0, 2500));
      seat[seat.indexOf(victim)] = restart(victim);
    } else {
      Deno.kill(victim.pid, "SIGSTOP");
      await delay(random.between(500, 4000));
      Deno.kill(victim.pid, "SIGCONT");
    }
  }
  return done;
}

/** Fails where two held the lock at once. */
function checkHistory(history: readonly Held[], seen: Map<number, Set<string>>): void {
  for (const { lockIndex, session } of history) note(seen, lockIndex, session);
  for (const [lockIndex, sessions] of seen) assertEquals(sessions.size, 1, `LockIndex ${lockIndex}: ${[...sessions]}`);
  const work = history.flatMap(({ lockIndex, work }) => work.map((at) => ({ at, lockIndex })));
  work.sort((a, b) => a.at - b.at);
  for (const [nth, { at, lockIndex }] of work.entries()) {
    const before = work[nth - 1] ?? { at: 0, lockIndex: 0 };
    assert(before.at < at && before.lockIndex <= lockIndex, `work at ${before.at} and ${at}, LockIndex ${lockIndex}`);
  }
  const byStart = [...history].sort((a, b) => a.fromMs - b.fromMs);
  for (const [nth, one] of byStart.entries()) {
    const next = byStart[nth + 1];
    if (next && next.lockIndex !== one.lockIndex) {
      assert(one.untilMs <= next.fromMs, `${JSON.stringify(one)} overlaps ${JSON.stringify(next)}`);
    }
  }
}

Deno.test({
  name: "a lock has one holder at a time while agents and the leader are killed and paused",
  ignore: Deno.build.os === "windows",
  fn: () =>
    withAgents(async (root, start) => {
      console.log(`LOCK_SEED=${SEED} LOCK_SECONDS=${SECONDS}`);
      const places = ["s1", "s2", "s3"].map((name) => agentPlace(root, name));
      const others = ["a", "b"].map((name) => agentPlace(root, name));
      const join = places.map(({ host, port }) => `-retry-join=${host}:${port}`);
      const server = ["-server", "-bootstrap-expect=3", ...join];
      const seats: Seats = {
        servers: places.map((place) => start(place, ...server)),
        clients: others.map((place) => start(place, ...join)),
      };
      await Promise.all([...seats.servers, ...seats.clients].map((agent) => agent.up()));
      await leaderAmong(seats.servers, PATIENCE_MS);
      await until("all are in the catalog", async () => {
        return (await seats.clients[0].get("/v1/catalog/nodes")).length === 5 || undefined;
      }, PATIENCE_MS);
      const stop = new AbortController();
      const history: Held[] = [];
      const seen = new Map<number, Set<string>>();
      const running = [
        ...Array.from({ length: HOLDERS }, (_, at) => holder(seats, at, history, stop.signal)),
        ...places.map((_, at) => watch(() => seats.servers[at], seen, stop.signal)),
      ];
      const restart = ({ place }: AgentProcess) => start(place, ...places.includes(place) ? server : join);
      const faults = await torment(seats, restart, performance.now() + SECONDS * 1000);
      // When all is well again everybody gets it.
      const calmMs = performance.now();
      const behind = () => new Set(history.filter(({ fromMs }) => fromMs > calmMs).map(({ session }) => session)).size;
      await until("two hold it afterwards", () => behind() >= 2 || undefined, PATIENCE_MS);
      stop.abort();
      await Promise.all(running);
      const count = history.reduce((sum, { work }) => sum + work.length, 0);
      console.log(`${faults.join(", ")}: held ${history.length} times, ${count} pieces of work`);
      checkHistory(history, seen);
    }, { isThread: false }),
});
