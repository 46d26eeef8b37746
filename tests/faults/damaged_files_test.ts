/** Damage to the files of a stopped node, wherever it is: exit code 3 and a word, or a repair from the other nodes. */
import { assertEquals, assertMatch } from "@std/assert";
import { leaderOf, nodePlace, type NodeProcess, startCluster, withNodes } from "../harness/processes.ts";

/** Offsets in the head of the database file, and of its first page, that SQLite reports in different words. */
const OFFSETS = [0, 16, 18, 20, 21, 24, 31, 36, 47, 55, 59, 67, 80, 100, 103, 108];

/** Turns a bit of a byte. */
function flip(path: string, at: number): void {
  const bytes = Deno.readFileSync(path);
  bytes[at] ^= 4;
  Deno.writeFileSync(path, bytes);
}

async function copyFolder(from: string, to: string): Promise<void> {
  const { success } = await new Deno.Command("cp", { args: ["-r", from, to] }).output();
  assertEquals(success, true);
}

/** Stops a node whose database then lies in its one file: what a WAL still has would hide damage to the file. */
async function stopWithoutWal(node: NodeProcess): Promise<void> {
  const response = await fetch(`${node.url}/snapshot`, { method: "POST" });
  await response.body?.cancel();
  assertEquals((await node.stop()).code, 0);
  for (const suffix of ["-wal", "-shm"]) {
    await Deno.remove(`${node.place.directory}/sqlite/db.sqlite${suffix}`).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }
}

Deno.test("a node whose database is damaged at its head or cut short ends with exit code 3 and says what to do", () =>
  withNodes(async (root, start) => {
    const node = start(nodePlace(root, "1"));
    await node.ready();
    await node.execute("CREATE TABLE t(a)", "INSERT INTO t VALUES(1)");
    await stopWithoutWal(node);
    const damages = [
      ...OFFSETS.map((at) => ({ name: `${at}`, damage: (path: string) => flip(path, at) })),
      { name: "short", damage: (path: string) => Deno.truncateSync(path, 1000) },
    ];
    for (const { name, damage } of damages) {
      const place = { ...node.place, directory: `${root}/damaged-${name}` };
      await copyFolder(node.place.directory, place.directory);
      damage(`${place.directory}/sqlite/db.sqlite`);
      const damaged = start(place);
      assertEquals((await damaged.ended()).code, 3, `${name}: ${damaged.log}`);
      assertMatch(damaged.log, /fatal: .*db\.sqlite.* (is )?damaged/, name);
      assertEquals(/\n +at /.test(damaged.log), false, `a stack trace: ${damaged.log}`);
    }
  }));

Deno.test("a node of three whose database is damaged at its head is filled again with -raft-rejoin-damaged", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, start);
    const leader = await leaderOf(nodes);
    await leader.execute("CREATE TABLE t(a)", "INSERT INTO t VALUES(1)");
    const node = nodes.find((node) => node !== leader) ?? leader;
    const { place } = node;
    await stopWithoutWal(node);
    flip(`${place.directory}/sqlite/db.sqlite`, 20);
    const addresses = nodes.filter((one) => one !== node).map(({ clusterAddr }) => clusterAddr).join(",");
    const flags = ["-raft-rejoin-damaged", "-join", addresses];
    const damaged = start(place, flags);
    assertEquals((await damaged.ended()).code, 1); // to be started again
    assertMatch(damaged.log, /the next start sets the data aside/);
    const again = start(place, flags);
    await again.ready();
    assertEquals(await again.row("SELECT a FROM t", "strong"), [1]);
    assertEquals([...Deno.readDirSync(place.directory)].some(({ name }) => name.includes("damaged")), true);
  }));
