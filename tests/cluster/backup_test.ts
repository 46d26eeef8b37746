/** Backups and loads on real nodes: what comes out of one cluster goes into another, and nothing is half done. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { concat } from "../../src/base/codec/concat.ts";
import { Database, runOnce } from "../../src/drivers/libsqlite/driver.ts";
import { muster } from "../harness/agents.ts";
import { leaderOf, nodePlace, type NodeProcess, startCluster, until, withNodes } from "../harness/processes.ts";

const SCHEMA = [
  "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, r REAL, b BLOB, twice GENERATED ALWAYS AS (id * 2))",
  "CREATE INDEX t_name ON t(name)",
  "CREATE VIEW names AS SELECT name FROM t",
  "CREATE TRIGGER t_insert AFTER INSERT ON t WHEN 0 BEGIN SELECT 1; END",
  "CREATE VIRTUAL TABLE f USING fts5(x)",
  "CREATE TABLE w(k TEXT PRIMARY KEY, v) WITHOUT ROWID",
  "INSERT INTO t(name, r, b) VALUES('O''Neil', 1.5, x'00ff'), ('a' || char(0) || 'b', 1e300, NULL), ('ü', -0.1, x'')",
  "INSERT INTO f VALUES('hello world')",
  "INSERT INTO w VALUES('k', 9223372036854775807)",
];
const CONTENT =
  "SELECT group_concat(id || hex(name) || r || quote(b) || twice), (SELECT x FROM f WHERE f MATCH 'hello'), " +
  "(SELECT v || '' FROM w), (SELECT seq FROM sqlite_sequence WHERE name = 't') FROM t";
const OBJECTS = "SELECT group_concat(name, ' ') FROM (SELECT name FROM sqlite_schema WHERE name NOT GLOB '_muster*' " +
  "AND name NOT GLOB 'sqlite_*' AND name NOT GLOB 'f_*' ORDER BY name)";

async function backup(node: NodeProcess, query: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(`${node.url}/db/backup${query}`);
  assertEquals(response.status, 200);
  return new Uint8Array(await response.arrayBuffer());
}

async function load(node: NodeProcess, body: BodyInit, path = "/db/load"): Promise<string> {
  return await (await fetch(node.url + path, { method: "POST", body })).text();
}

/** First row of what a file answers. */
async function ask(root: string, bytes: Uint8Array, sql: string): Promise<unknown> {
  const path = await Deno.makeTempFile({ dir: root });
  await Deno.writeFile(path, bytes);
  const database = new Database(path, { readOnly: false, foreignKeys: false });
  try {
    return runOnce(database, sql)[0];
  } finally {
    database.close();
  }
}

async function unpacked(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** A database file with so many rows of 1 kB. */
async function bigFile(root: string, rows: number): Promise<Uint8Array<ArrayBuffer>> {
  const path = await Deno.makeTempFile({ dir: root });
  const database = new Database(path, { readOnly: false, foreignKeys: false });
  runOnce(database, "PRAGMA page_size = 8192");
  const numbers = `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT ${rows})`;
  runOnce(database, `CREATE TABLE big AS ${numbers} SELECT x, randomblob(1000) AS v FROM c`);
  database.close();
  return await Deno.readFile(path);
}

Deno.test("a backup in every format holds what the database holds, and nothing of the cluster's", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, start);
    const leader = await leaderOf(nodes);
    for (const sql of SCHEMA) await leader.execute(sql);
    const content = (await leader.row(CONTENT)).map(String);
    const follower = nodes.find((node) => node !== leader) ?? leader;
    for (const node of [leader, follower]) {
      for (const query of ["", "?fmt=delete", "?vacuum", "?compress"]) {
        const bytes = await backup(node, query);
        const file = query === "?compress" ? await unpacked(bytes) : bytes;
        assertEquals((await ask(root, file, CONTENT) as unknown[]).map(String), content, query);
        assertEquals(await ask(root, file, OBJECTS), ["f names t t_insert t_name w"], query);
        assertEquals(await ask(root, file, "PRAGMA integrity_check"), ["ok"]);
        assertEquals(await ask(root, file, "SELECT count(*) FROM sqlite_schema WHERE name GLOB '_muster*'"), [0n]);
        assertEquals(file[18], query === "?fmt=delete" ? 1 : 2, "journal mode in the header");
      }
    }
    const refused = await fetch(`${leader.url}/db/backup?fmt=sql&vacuum`);
    assertEquals([refused.status, await refused.text()], [500, "invalid backup format\n"]);
    const only = new TextDecoder().decode(await backup(follower, "?fmt=sql&tables=w"));
    assertMatch(only, /INSERT INTO "w" VALUES\('k',9223372036854775807\);/);
    assertEquals(only.includes(`INSERT INTO "t"`), false);
  }));

Deno.test("a dump and a file, loaded through a follower, make the same database on all nodes", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, start);
    const leader = await leaderOf(nodes);
    for (const sql of SCHEMA) await leader.execute(sql);
    const content = (await leader.row(CONTENT)).map(String);
    const [dump, file] = [await backup(leader, "?fmt=sql"), await backup(leader, "")];
    const follower = nodes.find((node) => node !== leader) ?? leader;
    await leader.execute("CREATE TABLE later(a)");
    assertEquals(await load(follower, file), `{"results":[]}`);
    assertEquals((await leader.row(CONTENT)).map(String), content);
    assertEquals(await leader.row(OBJECTS), ["f names t t_insert t_name w"]);
    for (const name of ["t", "names", "f", "w"]) {
      await leader.execute(`DROP ${name === "names" ? "VIEW" : "TABLE"} ${name}`);
    }
    assertMatch(await load(follower, dump), /^\{"results":\[\{[^\]]*\}\]\}$/);
    assertEquals((await leader.row(CONTENT)).map(String), content);
    const equal = await until("nodes compared", async () => {
      const verdict = await fetch(`${leader.url}/verify`, { method: "POST" });
      return verdict.ok ? (await verdict.json()).equal : undefined;
    });
    assertEquals(equal, true);
    for (
      const [body, error] of [["SQLite format 3\0rubbish", /is damaged|invalid SQLite data/], ["CREATE TABLE", /error/]]
    ) {
      assertMatch(await load(follower, String(body)), error as RegExp);
    }
    assertMatch(await load(follower, "CREATE TABLE half(a); INSERT INTO nowhere VALUES(1)"), /no such table: nowhere/);
    assertEquals((await leader.row("SELECT count(*) FROM sqlite_schema WHERE name = 'half'"))[0], 0);
  }));

Deno.test("what SQL text cannot hold is refused by its name before anything is sent; the rest of it is written", () =>
  withNodes(async (root, start) => {
    const node = start(nodePlace(root, "1"));
    await node.ready();
    for (
      const sql of [
        "CREATE TABLE t(a)",
        "INSERT INTO t VALUES(CAST(x'ff41' AS TEXT))",
        "CREATE VIRTUAL TABLE ft USING fts5(a)",
        "CREATE VIRTUAL TABLE words USING fts5vocab(ft, row)",
        "INSERT INTO ft(rowid, a) VALUES(7, 'seven')",
        "CREATE VIEW v AS SELECT a FROM t",
        "CREATE TRIGGER tr INSTEAD OF INSERT ON v BEGIN INSERT INTO t VALUES(new.a); END",
        "CREATE VIRTUAL TABLE bare USING fts5(a, content='')",
      ]
    ) await node.execute(sql);
    const dump = await backup(node, "?fmt=sql");
    await node.execute("INSERT INTO bare(rowid, a) VALUES(1, 'x')");
    for (const query of ["?fmt=sql", "?fmt=sql&compress"]) {
      for (let count = 0; count < 5; count++) { // more than may be open at a time
        const refused = await fetch(`${node.url}/db/backup${query}`);
        assertEquals(refused.status, 500);
        assertMatch(await refused.text(), /^table bare cannot be written as SQL text: .*; a binary backup has it/);
      }
    }
    const others = new TextDecoder().decode(await backup(node, "?fmt=sql&tables=t,ft,words"));
    assertMatch(others, /INSERT INTO "t" VALUES\(CAST\(x'ff41' AS TEXT\)\);/);
    for (const item of ["VIEW v", "TABLE t", "TABLE words", "TABLE ft", "TABLE bare"]) {
      await node.execute(`DROP ${item}`);
    }
    assertEquals((await load(node, dump)).includes("error"), false);
    await node.execute("INSERT INTO v VALUES('new')");
    const [rows, found] = await node.row(
      "SELECT (SELECT group_concat(hex(a)) FROM t), (SELECT rowid FROM ft('seven'))",
    );
    assertEquals([rows, found], ["FF41,6E6577", 7]);
  }));

/** How many tables hold what has come of a load: the cluster's own tables are hidden from queries that do not ask so. */
const LOADING = "SELECT count(*) FROM (SELECT rowid, * FROM sqlite_schema) WHERE name = '_muster_load'";

Deno.test("the leader killed in the midst of a load: the whole file is there or nothing of it, alike on all nodes", () =>
  withNodes(async (root, start) => {
    const nodes = await startCluster(root, start);
    const leader = await leaderOf(nodes);
    await leader.execute("CREATE TABLE before(a)");
    const rows = 60_000;
    const file = await bigFile(root, rows);
    const follower = nodes.find((node) => node !== leader) ?? leader;
    const loading = load(follower, file);
    await until("parts in the log", async () => {
      const [count] = await leader.row(LOADING, "none");
      return count === 1 || undefined;
    });
    await leader.stop("SIGKILL");
    const answer = await loading;
    const rest = nodes.filter((node) => node !== leader);
    const next = await leaderOf(rest);
    const [loaded] = await next.row("SELECT count(*) FROM sqlite_schema WHERE name = 'big'");
    const [before] = await next.row("SELECT count(*) FROM sqlite_schema WHERE name = 'before'");
    assertEquals(Number(loaded) + Number(before), 1, answer);
    if (answer === `{"results":[]}`) assertEquals(await next.row("SELECT count(*) FROM big"), [rows]);
    else assertMatch(answer, /"error":/);
    const again = start(leader.place);
    await again.ready();
    const equal = await until("all nodes compared", async () => {
      const verdict = await fetch(`${next.url}/verify`, { method: "POST" });
      const { complete, equal } = verdict.ok ? await verdict.json() : { complete: false, equal: false };
      return complete ? equal : undefined;
    });
    assertEquals(equal, true);
  }));

Deno.test("a node alone is booted from a file, and one that joins afterwards gets it", () =>
  withNodes(async (root, start) => {
    const first = start(nodePlace(root, "1"));
    await first.ready();
    const file = await bigFile(root, 5000);
    const boot = async (body: BodyInit) => {
      const response = await fetch(`${first.url}/boot`, { method: "POST", body });
      return [response.status, (await response.text()).trim()];
    };
    assertEquals(await boot(""), [503, "EOF"]);
    assertEquals(await boot("no database at all"), [400, "invalid SQLite data"]);
    assertEquals(await boot(file), [200, ""]);
    assertEquals(await first.row("SELECT count(*) FROM big"), [5000]);
    const second = start(nodePlace(root, "2"), ["-join", `127.0.0.1:${first.place.clusterPort}`]);
    await second.ready();
    assertEquals(await second.row("SELECT count(*) FROM big", "none"), [5000]);
    const refused = await fetch(`${first.url}/boot`, { method: "POST", body: file });
    assert(refused.status === 503, await refused.text());
  }));

Deno.test("muster backup writes a checked file, muster restore brings it into another node; what is damaged is not sent", () =>
  withNodes(async (root, start) => {
    const [from, to] = [start(nodePlace(root, "1")), start(nodePlace(root, "2"))];
    await Promise.all([from.ready(), to.ready()]);
    for (const sql of SCHEMA) await from.execute(sql);
    const content = await from.row(CONTENT);
    const run = async (node: NodeProcess, ...args: string[]) => {
      const { code, stdout, stderr } = await muster([args[0], `-http-addr=${node.url}`, ...args.slice(1)]);
      return { code, text: stdout + stderr };
    };
    const file = `${root}/backup.sqlite`;
    const made = await run(from, "backup", file);
    assertEquals(made.code, 0, made.text);
    assertMatch(made.text, /bytes, checked: tables: 3, rows: 5, indexes, triggers and views: 3/);
    assertMatch((await run(from, "backup", file)).text, /exists: -force replaces it/);
    const restored = await run(to, "restore", file);
    assertEquals([restored.code, await to.row(CONTENT)], [0, content], restored.text);
    const packed = await run(from, "backup", "-format", "sql", "-compress", `${root}/dump.sql.gz`);
    assertEquals(packed.code, 0, packed.text);
    assertMatch((await run(to, "restore", `${root}/dump.sql.gz`)).text, /restore failed: table .* already exists/);
    const bytes = await Deno.readFile(file);
    bytes[4100] ^= 0xff;
    await Deno.writeFile(file, bytes);
    const damaged = await run(to, "restore", file);
    assertEquals([damaged.code, await to.row(CONTENT)], [1, content]);
    assertMatch(damaged.text, /it is damaged|malformed/);
    await Deno.writeFile(`${root}/picture.png`, new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0, 1]));
    assertMatch((await run(to, "restore", `${root}/picture.png`)).text, /is neither a SQLite database nor SQL text/);
    await from.stop("SIGKILL");
    const nobody = await run(from, "backup", `${root}/none`);
    assertEquals(nobody.code, 1);
    assertEquals([...Deno.readDirSync(root)].filter(({ name }) => name.startsWith("none")), []);
  }));

Deno.test("muster restore refuses what it cannot restore as a whole, and says what is wrong with the file", () =>
  withNodes(async (root, start) => {
    const node = start(nodePlace(root, "1"));
    await node.ready();
    const restore = async (...args: string[]) => {
      const { code, stdout, stderr } = await muster(["restore", `-http-addr=${node.url}`, ...args]);
      return { code, text: stdout + stderr };
    };
    const refused = async (why: string, ...args: string[]) => {
      const { code, text } = await restore(...args);
      assertEquals([code, text.includes(why)], [1, true], text);
    };
    const [open, copy] = [`${root}/open.sqlite`, `${root}/copy.sqlite`];
    const database = new Database(open, { readOnly: false, foreignKeys: false });
    runOnce(database, "PRAGMA journal_mode = wal");
    runOnce(database, "CREATE TABLE t(a)");
    for (const side of ["", "-wal"]) await Deno.copyFile(open + side, copy + side);
    database.close();
    for (const flags of [[], ["-no-check"]]) await refused(`changes in ${copy}-wal would be lost`, ...flags, copy);
    await Deno.remove(`${copy}-wal`);
    assertEquals((await restore(copy)).code, 0);

    const write = async (name: string, bytes: Uint8Array) => {
      await Deno.writeFile(`${root}/${name}`, bytes);
      return `${root}/${name}`;
    };
    const packed = async (bytes: Uint8Array<ArrayBuffer>) => {
      const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
      return new Uint8Array(await new Response(stream).arrayBuffer());
    };
    const bytes = await bigFile(root, 100);
    const members = concat([await packed(bytes.slice(0, 5000)), await packed(bytes.slice(5000))]);
    assertEquals((await restore(await write("two.gz", members))).code, 0);
    assertEquals(await node.row("SELECT count(*) FROM big"), [100]);
    await refused("cut.gz: the gzip data are damaged or cut short: ", await write("cut.gz", members.slice(0, 50_000)));
    await refused("nothing.gz: it holds nothing", await write("nothing.gz", await packed(new Uint8Array(0))));
    await refused("empty is empty", await write("empty", new Uint8Array(0)));
    const latin = new Uint8Array([...new TextEncoder().encode("CREATE TABLE t(a);\nINSERT INTO t VALUES('"), 0xe9]);
    await refused("latin.sql.gz: line 2 is not text in UTF-8", await write("latin.sql.gz", await packed(latin)));
    await refused("is not an ordinary file", root);
    await refused("is not an ordinary file", "/dev/zero");
    assertEquals(await node.row("SELECT count(*) FROM big"), [100]);
  }));
