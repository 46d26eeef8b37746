/**
 * Answers of a node that cannot know the age of its data: a leader that was suspended, one that is cut off, one that
 * replays its log.
 */
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { leaderOf, nodePlace, type NodeProcess, startCluster, until, withNodes } from "../harness/processes.ts";

const READ = ["SELECT v FROM t"];

/** Text of an answer, whatever its status. */
async function ask(node: NodeProcess, level: string): Promise<string> {
  const response = await fetch(`${node.url}/db/query?level=${level}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(READ),
    signal: AbortSignal.timeout(20_000),
  });
  return await response.text();
}

const STALE = `{"results":[],"error":"stale read"}`;
const LEADERLESS = "leader not found\n";
const BOUND_MS = 500;
const BOUNDED = ["none&freshness=500ms", "none&freshness=500ms&freshness_strict"];

const row = (v: number) => `{"results":[{"columns":["v"],"types":["integer"],"values":[[${v}]]}]}`;

Deno.test("a leader that was suspended answers no bounded or weak read by what it had then", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, start);
    const old = await leaderOf(nodes);
    await old.execute("CREATE TABLE t (v)", "INSERT INTO t VALUES(1)");
    for (const level of ["none&freshness=1ns", "none&freshness=1ns&freshness_strict", ...BOUNDED, "weak"]) {
      assertEquals(await ask(old, level), row(1), `${level} on a healthy leader`);
    }
    const [other] = nodes.filter((node) => node !== old);
    old.signal("SIGSTOP");
    await until("a write is taken by another leader", async () => {
      await other.send("/db/execute", ["UPDATE t SET v = 2"], 2000).then(({ results, error }) => {
        if (error !== undefined || results[0].error !== undefined) throw new Error(error ?? results[0].error);
      });
      return true;
    });
    await delay(BOUND_MS); // what it had then is older than the bound from here on
    // They lie in its buffers when it goes on, and are what it reads first.
    const levels = [...BOUNDED, "weak", "weak", "weak"];
    const answers = levels.map((level) => ask(old, level));
    old.signal("SIGCONT");
    for (const [at, answer] of (await Promise.all(answers)).entries()) {
      const allowed = levels[at] === "weak" ? [row(2), LEADERLESS] : [STALE, row(2)];
      assert(allowed.includes(answer), `${levels[at]}: ${answer}`);
    }
    await until("it answers as the others do", async () => await ask(old, BOUNDED[0]) === row(2) || undefined);
  }));

Deno.test("a leader that is cut off is not ready, and answers neither bounded nor weak reads", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, start);
    const leader = await leaderOf(nodes);
    await leader.execute("CREATE TABLE t (v)", "INSERT INTO t VALUES(1)");
    const others = nodes.filter((node) => node !== leader);
    for (const node of others) node.signal("SIGSTOP");
    await until("a bounded read is refused", async () => await ask(leader, BOUNDED[0]) === STALE || undefined);
    assertEquals(await ask(leader, BOUNDED[1]), STALE);
    assertEquals(await ask(leader, "weak"), LEADERLESS);
    assertEquals(await ask(leader, "none"), row(1));
    const readyz = await fetch(`${leader.url}/readyz`);
    assertEquals(readyz.status, 503, await readyz.text());
    for (const node of others) node.signal("SIGCONT");
    await until("all is well again", async () => await ask(leader, "weak") === row(1) || undefined);
  }));

Deno.test("a node that replays its log gives no old state to weak reads, and is not ready", () =>
  withNodes(async (root, start) => {
    const place = nodePlace(root, "1");
    const first = start(place);
    await first.ready();
    await first.execute("CREATE TABLE t (v)", "INSERT INTO t VALUES(0)");
    const writes = 1500;
    for (let done = 0; done < writes; done += 50) {
      await Promise.all(Array.from({ length: 50 }, () => first.execute("UPDATE t SET v = v + 1")));
    }
    await first.stop("SIGKILL");
    for (const { name } of Deno.readDirSync(`${place.directory}/sqlite`)) {
      await Deno.remove(`${place.directory}/sqlite/${name}`);
    }
    const again = start(place);
    const weak = await until("a weak read is answered", async () => {
      const answer = await ask(again, "weak");
      return answer === LEADERLESS ? undefined : answer;
    });
    assertEquals(weak, row(writes));
  }));

Deno.test("a node that is ready has applied what was committed before its leader led", () =>
  withNodes(async (root, start) => {
    const place = nodePlace(root, "1");
    const first = start(place);
    await first.ready();
    // Each statement takes some time again when the log is replayed.
    const slow = "INSERT INTO t WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 300000) " +
      "SELECT count(*) FROM c";
    await first.execute("CREATE TABLE t (v)");
    for (let i = 0; i < 10; i++) await first.execute(slow);
    await first.stop("SIGKILL");
    for (const { name } of Deno.readDirSync(`${place.directory}/sqlite`)) {
      await Deno.remove(`${place.directory}/sqlite/${name}`);
    }
    const again = start(place);
    await again.ready();
    assertEquals(await again.row("SELECT count(*) FROM t", "none"), [10]);
  }));

for (const level of ["linearizable", "strong"]) {
  Deno.test(`the first ${level} read after the loss of the majority is refused with 503`, () =>
    withNodes(async (root, start) => {
      const nodes = await startCluster(root, start, 2);
      const leader = await leaderOf(nodes);
      await leader.execute("CREATE TABLE t (v)", "INSERT INTO t VALUES(1)");
      await Promise.all(nodes.filter((node) => node !== leader).map((node) => node.stop("SIGKILL")));
      const response = await leader.get(`/db/query?level=${level}&timeout=3s&q=SELECT%20v%20FROM%20t`, 20_000);
      assertEquals([response.status, await response.text()], [503, LEADERLESS]);
    }));
}
