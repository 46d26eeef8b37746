/**
 * Large answers, many at once: a node's memory stays bounded whoever asks and however slowly they take what they asked
 * for, small reads go on, and what answers have taken is given back, whatever became of them.
 */
import { assert, assertEquals } from "@std/assert";
import { nodePlace, type NodeProcess, startCluster, until, withNodes } from "../harness/processes.ts";
import { peakResidentBytes, RSS_MAX } from "./memory.ts";

const ROWS = 200_000;
const SQL =
  `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<${ROWS}) SELECT x, hex(zeroblob(45)) FROM c`;
/** The bytes of the answer, at least. */
const ANSWER_BYTES_MIN = ROWS * 90;
const CLIENTS = 16;

function targetOf(query: string): string {
  return `/db/query?q=${encodeURIComponent(SQL)}&${query}`;
}

/** Asks as others do, and takes the answer. */
async function ask(node: NodeProcess, query: string): Promise<{ status: number; bytes: number }> {
  const response = await fetch(node.url + targetOf(query));
  let bytes = 0;
  for await (const part of response.body ?? []) bytes += part.length;
  return { status: response.status, bytes };
}

/** Nothing is counted any more. */
async function untilGivenBack(node: NodeProcess): Promise<void> {
  await until(`the bytes of all answers of node ${node.place.id} given back`, async () => {
    const { answer_bytes, waiting_for_room } = await node.status("http.readers") as Record<string, number>;
    return answer_bytes === 0 && waiting_for_room === 0 || undefined;
  });
}

Deno.test({
  name: "a node keeps its memory bounded, and answers small reads, while many ask for large answers",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withNodes(async (root, start) => {
      const node = start(nodePlace(root, "1"));
      await node.ready();
      let isOver = false;
      let smallReads = 0;
      const small = (async () => {
        while (!isOver) {
          assertEquals(await node.row("SELECT 1", "none"), [1]); // which has a time limit
          smallReads++;
        }
      })();
      const answers = await Promise.all(Array.from({ length: CLIENTS }, () => ask(node, "level=none")));
      isOver = true;
      await small;
      for (const { status, bytes } of answers) {
        assert(status === 503 || status === 200 && bytes > ANSWER_BYTES_MIN, `${status} ${bytes}`);
      }
      assert(answers.filter(({ status }) => status === 200).length >= CLIENTS / 4);
      await untilGivenBack(node);
      assert(await peakResidentBytes(node) < RSS_MAX, `${await peakResidentBytes(node)}`);
      assert(smallReads > 1, "small reads were answered meanwhile");
    }),
});

Deno.test({
  name: "clients that do not read hold no more than their share, and others are told why they wait in vain",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withNodes(async (root, start) => {
      const node = start(nodePlace(root, "1"));
      await node.ready();
      const head = new TextEncoder().encode(`GET ${targetOf("level=none")} HTTP/1.1\r\nHost: m\r\n\r\n`);
      const silent = await Promise.all(Array.from({ length: CLIENTS }, async () => {
        const conn = await Deno.connect({ hostname: "127.0.0.1", port: node.place.httpPort });
        await conn.write(head);
        return conn;
      }));
      await until("all room taken", async () => {
        const { waiting_for_room, waiting, running } = await node.status("http.readers") as Record<string, number>;
        return waiting_for_room > 0 && waiting === 0 && running === 0 || undefined; // nothing else is to give room back
      });
      const response = await fetch(node.url + targetOf("level=none"));
      assertEquals([response.status, response.headers.get("retry-after")], [503, "1"]);
      assert((await response.text()).startsWith("too many large answers are on their way to clients ("));
      assertEquals(await node.row("SELECT 1", "none"), [1]);
      assert(await peakResidentBytes(node) < RSS_MAX, `${await peakResidentBytes(node)}`);
      for (const conn of silent) conn.close();
      await untilGivenBack(node);
      assertEquals((await ask(node, "level=none")).status, 200);
    }),
});

Deno.test("what large answers have taken is given back: forwarded, strong, of writes, indented, ended", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, start);
    const [node] = nodes;
    await node.execute("CREATE TABLE t(a)");
    const insert =
      "INSERT INTO t WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<3000) SELECT hex(zeroblob(45)) FROM c RETURNING a";
    for (const one of nodes) {
      for (
        const query of ["level=weak", "level=strong&timings", "level=none&pretty", "level=linearizable&associative"]
      ) {
        const { status, bytes } = await ask(one, query);
        assertEquals(status, 200);
        assert(bytes > ANSWER_BYTES_MIN, `${query} ${bytes}`);
      }
      for (const path of ["/db/execute", "/db/execute?transaction&pretty", "/db/request"]) {
        const { results } = await one.send(path, [insert, "SELEC", insert]);
        assertEquals(results[0].values?.length, 3000);
      }
      // Its client leaves in the midst of it.
      const leaving = new AbortController();
      const response = await fetch(one.url + targetOf("level=none"), { signal: leaving.signal });
      leaving.abort();
      await response.body?.cancel().catch(() => {});
    }
    for (const one of nodes) await untilGivenBack(one);
  }));
