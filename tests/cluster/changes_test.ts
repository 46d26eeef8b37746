/**
 * The changes of rows on a cluster: followed on every node from any index, and delivered to a web server, over the death of
 * leaders and of all nodes: each change at least once, in the order of the commits, none invented (Q19.1, Q19.2).
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { freePort, leaderOf, type NodeProcess, startCluster, until, withNodes } from "../harness/processes.ts";

interface Change {
  readonly index: number;
  readonly events: readonly { op?: string; table?: string; after?: { n: number }; error?: string }[];
}

async function keepLog(node: NodeProcess): Promise<void> {
  await until("the log is kept", async () => {
    const response = await fetch(`${node.url}/db/changes/log`, { method: "PUT" });
    const text = await response.text();
    if (!response.ok) throw new Error(text);
    return JSON.parse(text).enabled || undefined;
  });
}

/** Follows the changes until a condition holds of what has come. */
async function follow(
  node: NodeProcess,
  query: string,
  isEnough: (changes: readonly Change[]) => boolean,
): Promise<Change[]> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new Error("too long")), 30_000);
  const changes: Change[] = [];
  try {
    const response = await fetch(`${node.url}/db/changes?${query}`, { signal: controller.signal });
    if (!response.ok) throw new Error(await response.text());
    assertEquals(response.headers.get("content-type"), "application/x-ndjson");
    let rest = "";
    for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const lines = (rest + piece).split("\n");
      rest = lines.pop() ?? "";
      changes.push(...lines.map((line) => JSON.parse(line)).filter(({ events }) => events?.length > 0));
      if (isEnough(changes)) break;
    }
    return changes;
  } finally {
    clearTimeout(timer);
    controller.abort();
  }
}

const numbersOf = (changes: readonly Change[]): number[] =>
  changes.flatMap(({ events }) => events.flatMap(({ after }) => after ? [after.n] : []));

Deno.test("changes are followed on every node, from any index that is kept, with and without a filter", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, start);
    const leader = await leaderOf(nodes);
    const followers = nodes.filter((node) => node !== leader);
    await leader.execute("CREATE TABLE t(n INTEGER PRIMARY KEY)", "CREATE TABLE u(n INTEGER PRIMARY KEY)");
    const missing = await fetch(`${leader.url}/db/changes`);
    assertEquals([missing.status, await missing.text()], [
      404,
      "this cluster keeps no log of changes: PUT /db/changes/log has it keep one\n",
    ]);
    await keepLog(followers[0]);
    for (const node of nodes) {
      await until("it reaches back to its beginning alone, where that is applied", async () => {
        const text = String(await follow(node, "since=0&tables=T", () => true).catch(String));
        return /does not reach back to index 0/.test(text) || undefined;
      });
    }

    const { since } = await (await fetch(`${leader.url}/db/changes/log`)).json();
    const all = nodes.map((node) => follow(node, `since=${since}`, (changes) => numbersOf(changes).length >= 6));
    const some = follow(
      followers[1],
      `since=${since}&tables=u&ops=insert`,
      (changes) => numbersOf(changes).length >= 2,
    );
    await followers[0].execute("INSERT INTO t VALUES(1), (2)");
    await leader.execute("INSERT INTO u VALUES(3)", "UPDATE u SET n = 4");
    await followers[1].execute("INSERT INTO t VALUES(5)", "INSERT INTO u VALUES(6)", "DELETE FROM t");
    const [first, ...others] = await Promise.all(all);
    for (const one of others) assertEquals(one, first, "every node has the same");
    assertEquals(numbersOf(first), [1, 2, 3, 4, 5, 6]);
    assertEquals(numbersOf(await some), [3, 6]);
    const behind = await follow(leader, `since=${first[0].index}&follow=false`, () => false);
    assertEquals(numbersOf(behind), [3, 4, 5, 6]);

    // Server-sent events go on behind the last one that came.
    const sse = await fetch(`${leader.url}/db/changes?follow=false`, {
      headers: { Accept: "text/event-stream", "Last-Event-ID": String(first[0].index) },
    });
    assertMatch(
      await sse.text(),
      new RegExp(`^retry: 1000\\n\\nid: ${first[1].index}\\ndata: \\{"index":${first[1].index},`),
    );
    // SQL sees them, and a database that takes the place of all is told.
    assertEquals(await leader.row("SELECT count(*) FROM muster.changes, json_each(events)"), [9]);
    const backup = await (await fetch(`${leader.url}/db/backup`)).arrayBuffer();
    // The first line tells where it begins: from there on nothing is missed.
    const { last } = await (await fetch(`${leader.url}/db/changes/log`)).json();
    const loaded = follow(followers[0], `since=${last}`, (changes) => changes.length > 0);
    const load = await fetch(`${leader.url}/db/load`, { method: "POST", body: backup });
    assertEquals(load.status, 200, await load.text());
    assertMatch((await loaded)[0].events[0].error ?? "", /another database was loaded/);
    // An end of the log ends who follows it.
    const ended = fetch(`${followers[1].url}/db/changes`).then((response) => response.text());
    await follow(followers[1], "follow=false", () => true);
    await fetch(`${leader.url}/db/changes/log`, { method: "DELETE" }).then((response) => response.body?.cancel());
    assertMatch(await ended, /"error":"this cluster keeps no log of changes/);
  }));

/** A web server that takes changes, and fails as it is told. */
function sink() {
  const changes: Change[] = [];
  const state = { fails: false };
  const server = Deno.serve({ hostname: "127.0.0.1", port: freePort(), onListen() {} }, async (request) => {
    const { payload, service_id } = await request.json();
    assertEquals(service_id, "prod");
    if (state.fails) return new Response("not now", { status: 503 });
    changes.push(...payload);
    return new Response();
  });
  return { changes, state, url: `http://127.0.0.1:${server.addr.port}/in`, close: () => server.shutdown() };
}

Deno.test("changes are delivered at least once, in order, over the death of leaders and of all nodes", () =>
  withNodes(async (root, start) => {
    const to = sink();
    const config = `${root}/cdc.json`;
    await Deno.writeTextFile(
      config,
      JSON.stringify({
        endpoint: to.url,
        service_id: "prod",
        max_batch_delay: "10ms",
        transmit_min_backoff: "20ms",
        table_filter: "^t$",
        high_watermark_interval: "50ms",
      }),
    );
    try {
      const withSink = (place: Parameters<typeof start>[0], flags: readonly string[] = []) =>
        start(place, [...flags, "-cdc-config", config]);
      const nodes = await startCluster(root, withSink);
      const written: number[] = [];
      let next = 1;
      const write = async (count: number) => {
        for (const last = next + count; next < last;) {
          const leader = await leaderOf(nodes.filter(({ running }) => running));
          const { results: [{ error }] } = await leader.execute(`INSERT INTO t VALUES(${next})`);
          if (error === undefined) written.push(next);
          next++;
        }
      };
      await (await leaderOf(nodes)).execute("CREATE TABLE t(n INTEGER PRIMARY KEY)", "CREATE TABLE u(n)");
      await write(10); // nodes that are ready keep the log of changes
      await (await leaderOf(nodes)).execute("INSERT INTO u VALUES(1)");
      const arrived = () =>
        until("all have arrived", () => {
          const numbers = new Set(numbersOf(to.changes));
          return written.every((one) => numbers.has(one)) || undefined;
        });
      await arrived();

      to.state.fails = true;
      await write(10);
      const first = await leaderOf(nodes);
      await first.stop("SIGKILL");
      to.state.fails = false;
      await write(10);
      await arrived();

      to.state.fails = true;
      await write(5);
      await Promise.all(nodes.filter(({ running }) => running).map((node) => node.stop("SIGKILL")));
      to.state.fails = false;
      const again = await Promise.all(nodes.map(({ place }) => withSink(place)));
      nodes.splice(0, nodes.length, ...again);
      await Promise.all(nodes.map((node) => node.ready()));
      await write(5);
      await arrived();

      const seen = new Set<number>();
      const once = to.changes.filter(({ index }) => !seen.has(index) && seen.add(index));
      assertEquals(
        once.map(({ index }) => index),
        once.map(({ index }) => index).toSorted((a, b) => a - b),
        "in order",
      );
      assertEquals(numbersOf(once), written, "none is missing, none is invented");
      assert(to.changes.every(({ events }) => events.every(({ table }) => table === "t")));
      const leader = await leaderOf(nodes);
      await until("the cluster knows", async () => {
        const { sinks } = await (await fetch(`${leader.url}/db/changes/log`)).json();
        return sinks.prod >= once[once.length - 1].index || undefined;
      });
      const { cdc } = await (await fetch(`${leader.url}/status`)).json();
      assertEquals([cdc.is_leader, cdc.service_id, cdc.sink], [true, "prod", to.url]);
    } finally {
      await to.close();
    }
  }));
