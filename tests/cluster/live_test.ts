/**
 * Live queries on a cluster: the result, and what changes of it, on every node, whatever changes what it reads; nothing for
 * equal results, nothing for who comes again and has missed nothing (Q19.3).
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { leaderOf, type NodeProcess, startCluster, until, withNodes } from "../harness/processes.ts";

interface Line {
  readonly index: number;
  readonly tag: string;
  readonly values?: unknown[][];
  readonly splices?: readonly { at: number; delete: number; insert: unknown[][] }[];
  readonly error?: string;
}

/** A live query that is followed: its lines, and the rows as they come out of them. */
class Live {
  readonly lines: Line[] = [];
  rows: unknown[][] = [];
  readonly #controller = new AbortController();
  #done: Promise<void> = Promise.resolve();

  static async open(node: NodeProcess, sql: string | unknown[], query = ""): Promise<Live> {
    const live = new Live();
    const { signal } = live.#controller;
    const response = typeof sql === "string"
      ? await fetch(`${node.url}/db/live?interval=20ms&q=${encodeURIComponent(sql)}${query}`, { signal })
      : await fetch(`${node.url}/db/live?interval=20ms${query}`, {
        method: "POST",
        body: JSON.stringify(sql),
        signal,
        headers: { "Content-Type": "application/json" },
      });
    if (!response.ok) throw new Error(await response.text());
    live.#done = live.#read(response);
    live.#done.catch(() => {}); // seen by close()
    return live;
  }

  async #read(response: Response): Promise<void> {
    let rest = "";
    try {
      for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        const lines = (rest + piece).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) this.#take(JSON.parse(line));
      }
    } catch (error) {
      if (!this.#controller.signal.aborted) throw error;
    }
  }

  #take(line: Line): void {
    this.lines.push(line);
    if (line.splices === undefined && line.error === undefined && "columns" in line) this.rows = line.values ?? [];
    for (const splice of line.splices ?? []) this.rows.splice(splice.at, splice.delete, ...splice.insert);
  }

  async is(rows: unknown[][]): Promise<void> {
    await until(`the rows ${JSON.stringify(rows)}`, () => {
      if (JSON.stringify(this.rows) === JSON.stringify(rows)) return true;
      throw new Error(JSON.stringify(this.rows));
    });
  }

  async close(): Promise<void> {
    this.#controller.abort();
    await this.#done;
  }
}

Deno.test("live queries send what changes, on every node, and nothing else (Q19.3)", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, start);
    const leader = await leaderOf(nodes);
    await leader.execute(
      "CREATE TABLE t(id INTEGER PRIMARY KEY, v)",
      "CREATE TABLE other(a)",
      "CREATE TABLE counted(n)",
      "CREATE VIEW doubled AS SELECT id, v * 2 AS d FROM t",
      "CREATE TRIGGER counting AFTER DELETE ON other BEGIN INSERT INTO counted VALUES(OLD.a); END",
      "INSERT INTO t VALUES(1, 10), (2, 20)",
    );
    const refused = async (query: string) => {
      const response = await fetch(`${leader.url}/db/live?${query}`);
      return `${response.status} ${(await response.text()).trim()}`;
    };
    assertEquals(await refused("q=SELECT * FROM none"), "400 no such table: none");
    assertMatch(await refused("q=DELETE FROM t"), /^400 expected one statement that reads/);
    assertMatch(await refused("q=SELECT 1%3B SELECT 2"), /^400 expected one statement/);
    assertMatch(await refused("q=SELECT 1&interval=1ms"), /^400 interval: expected a time from 20ms to 1h/);

    const has = async (node: NodeProcess) => (await node.row("SELECT max(d) FROM doubled", "none"))[0] === 40;
    for (const node of nodes) await until("every node has the rows", async () => await has(node) || undefined);
    const lives = await Promise.all(nodes.map((node) => Live.open(node, "SELECT * FROM doubled ORDER BY id")));
    const large = await Live.open(nodes[0], [["SELECT v FROM t WHERE id = ? AND v > $least", 3, { least: 5 }]]);
    const counted = await Live.open(nodes[1], "SELECT count(*) FROM counted");
    try {
      await Promise.all(lives.map((live) => live.is([[1, 20], [2, 40]])));
      await large.is([]);
      await leader.execute("INSERT INTO t VALUES(3, 9007199254740993)", "UPDATE t SET v = 1.5 WHERE id = 1");
      await Promise.all(lives.map((live) => live.is([[1, 3], [2, 40], [3, 18014398509481986]])));
      await large.is([[9007199254740992]]);

      // What leaves the result as it is is told to nobody: neither rows that are as they were, nor those of other tables.
      const before = lives.map(({ lines }) => lines.length);
      await leader.execute("UPDATE t SET v = v", "INSERT INTO other VALUES(1), (2)");
      await leader.execute("DELETE FROM other");
      await counted.is([[2]]);
      await leader.execute("DELETE FROM t WHERE id = 2");
      await Promise.all(lives.map((live) => live.is([[1, 3], [3, 18014398509481986]])));
      assertEquals(lives.map(({ lines }) => lines.length), before.map((count) => count + 1));
      assertEquals(lives[0].lines.at(-1)?.splices, [{ at: 1, delete: 1, insert: [] }]);

      // Who comes again with the tag of what it has gets no result.
      const { tag } = lives[0].lines.at(-1) ?? { tag: "" };
      const again = await Live.open(nodes[2], "SELECT * FROM doubled ORDER BY id", `&tag=${tag}`);
      await until("it is told how far it holds", () => again.lines.length > 0 || undefined);
      assertEquals(Object.keys(again.lines[0]), ["index", "tag"]);
      assert(again.lines[0].index >= (lives[0].lines.at(-1)?.index ?? 0));
      await again.close();

      // The schema counts as well.
      await leader.execute("DROP VIEW doubled");
      await until("the error", () => lives.every(({ lines }) => lines.at(-1)?.error) || undefined);
      assertEquals(lives[1].lines.at(-1)?.error, "no such table: doubled");
      await leader.execute("CREATE VIEW doubled AS SELECT id, v AS d FROM t");
      await Promise.all(lives.map((live) => live.is([[1, 1.5], [3, 9007199254740992]])));
    } finally {
      await Promise.all([...lives, large, counted].map((live) => live.close()));
    }
  }));
