/** Automatic backups and the restore on real nodes (Q18.1, Q18.2). */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { S3_BUCKET, S3_KEYS, S3_REGION, S3Server } from "../harness/peers/s3_server.ts";
import {
  clusterFlags,
  leaderOf,
  nodePlace,
  type NodeProcess,
  startCluster,
  until,
  withNodes,
} from "../harness/processes.ts";
import type { StartNode } from "../harness/processes.ts";

/** An interval so short that several pass while a test looks. */
const INTERVAL = "100ms";

function s3(server: S3Server, differing: Record<string, unknown> = {}): Record<string, unknown> {
  const keys = { access_key_id: "$S3_KEY_ID", secret_access_key: S3_KEYS.secretAccessKey };
  const sub = {
    ...keys,
    region: S3_REGION,
    bucket: S3_BUCKET,
    path: "db",
    endpoint: server.url,
    force_path_style: true,
  };
  return { version: 1, type: "s3", sub, ...differing };
}

async function fileWith(root: string, config: unknown): Promise<string> {
  const path = await Deno.makeTempFile({ dir: root, suffix: ".json" });
  await Deno.writeTextFile(path, JSON.stringify(config));
  return path;
}

const ENV = { env: { S3_KEY_ID: S3_KEYS.accessKeyId } };

/** A node or a cluster with the flags of automatic backups. */
function startWith(start: StartNode, flags: readonly string[]): StartNode {
  return (place, others = []) => start(place, [...others, ...flags], ENV);
}

async function uploads(node: NodeProcess): Promise<Record<string, number>> {
  const counters = await (await fetch(`${node.url}/debug/vars?key=uploader`)).json();
  return counters.uploader;
}

/** Waits until a counter has grown by so much. */
async function grows(node: NodeProcess, counter: string, by = 1): Promise<void> {
  const before = (await uploads(node))[counter];
  await until(`${counter} growing`, async () => (await uploads(node))[counter] >= before + by || undefined);
}

async function withServer(work: (server: S3Server, root: string, start: StartNode) => Promise<void>): Promise<void> {
  const server = S3Server.start();
  try {
    await withNodes((root, start) => work(server, root, start));
  } finally {
    await server.stop();
  }
}

Deno.test("a cluster stores a backup, none without a change, also after the leader has changed (Q18.1)", () =>
  withServer(async (server, root, start) => {
    const flags = ["-auto-backup", await fileWith(root, s3(server, { interval: INTERVAL }))];
    const nodes = await startCluster(root, startWith(start, flags));
    const leader = await leaderOf(nodes);
    await grows(leader, "num_uploads_skipped", 2);
    assertEquals(server.keys, [], "what was never written is not stored");
    await leader.execute("CREATE TABLE t(x)", "INSERT INTO t VALUES(1)");
    await until("a backup", () => server.objects.has("db") || undefined);
    await grows(leader, "num_uploads_skipped", 2);
    assertEquals((await uploads(leader)).num_uploads_ok, 1);
    const { bytes, metadata } = server.objects.get("db") ?? { bytes: new Uint8Array(0), metadata: {} };
    assertEquals([...bytes.subarray(0, 2)], [0x1f, 0x8b]);
    assertMatch(metadata["x-amz-meta-x-rqlite-auto-backup-id"], /^\d+$/);
    assertEquals(server.requests.filter((line) => line === "PUT db").length, 1);
    assertEquals((await uploads(leader)).total_upload_bytes, bytes.length);

    await leader.stop("SIGKILL");
    const next = await leaderOf(nodes.filter((node) => node !== leader));
    await until("the new leader comparing", async () => (await uploads(next)).num_uploads_skipped_id > 0 || undefined);
    await grows(next, "num_uploads_skipped", 2);
    assertEquals((await uploads(next)).num_uploads_ok, 0, "the same data is not stored twice");
    await next.execute("INSERT INTO t VALUES(2)");
    await until("a backup of the new leader", async () => (await uploads(next)).num_uploads_ok === 1 || undefined);
    const status = JSON.stringify([await next.status(""), await (await fetch(`${next.url}/debug/vars`)).json()]);
    assert(status.includes("s3://backups/db"));
    for (const text of [status, next.log, leader.log]) {
      assert(!text.includes(S3_KEYS.secretAccessKey) && !text.includes(S3_KEYS.accessKeyId));
    }
  }));

Deno.test("a new cluster restores what another one has stored, and is ready behind that (Q18.2)", () =>
  withServer(async (server, root, start) => {
    const backup = ["-auto-backup", await fileWith(root, s3(server, { interval: INTERVAL, vacuum: true }))];
    const old = startWith(start, backup)(nodePlace(root, "old"));
    await old.ready();
    await old.execute("CREATE TABLE t(x)", "INSERT INTO t VALUES(randomblob(3000000)), (randomblob(3000000))");
    const [sum] = await old.row("SELECT group_concat(hex(x)) FROM t");
    await until("a backup", async () => (await uploads(old)).num_uploads_ok > 0 || undefined);
    await grows(old, "num_uploads_skipped");
    await old.stop();

    const released = Promise.withResolvers<void>();
    server.holds = (line) => line === "GET db" ? released.promise : undefined;
    const restore = ["-auto-restore", await fileWith(root, s3(server))];
    const places = ["1", "2", "3"].map((id) => nodePlace(root, id));
    const begin = startWith(start, [...clusterFlags(places), ...restore]);
    const nodes = places.map((place) => begin(place));
    await Promise.all(nodes.map((node) =>
      until("a node with a leader", async () => {
        const text = await (await fetch(`${node.url}/readyz`)).text();
        return text.includes("waiting for the automatic restore") || undefined;
      })
    ));
    released.resolve();
    await Promise.all(nodes.map((node) => node.ready()));
    for (const node of nodes) assertEquals(await node.row("SELECT group_concat(hex(x)) FROM t", "none"), [sum]);
    const leader = await leaderOf(nodes);
    const vars = await (await fetch(`${leader.url}/debug/vars?key=downloader`)).json();
    assertEquals([vars.downloader.num_downloads_ok, vars.downloader.num_downloads_fail], [1, 0]);

    // At the first start only: what was deleted since stays so.
    await leader.execute("DROP TABLE t");
    await Promise.all(nodes.map((node) => node.stop()));
    const again = places.map((place) => begin(place));
    await Promise.all(again.map((node) => node.ready()));
    assertEquals(await again[0].row("SELECT count(*) FROM sqlite_schema WHERE name = 't'"), [0]);
    assertEquals(server.requests.filter((line) => line === "GET db").length, 1);
  }));

Deno.test("a restore that breaks in the middle ends the node and leaves nothing; the next start does it anew (Q18.2)", () =>
  withServer(async (server, root, start) => {
    const backup = ["-auto-backup", await fileWith(root, s3(server, { interval: INTERVAL, no_compress: true }))];
    const old = startWith(start, backup)(nodePlace(root, "old"));
    await old.ready();
    await old.execute("CREATE TABLE t(x)", "INSERT INTO t VALUES(randomblob(5000000))");
    await until("a backup", () => server.objects.has("db") || undefined);
    await old.stop();

    server.cuts = (line) => line === "GET db" ? 3_000_000 : undefined;
    const place = nodePlace(root, "new");
    const config = s3(server);
    const broken = startWith(start, ["-auto-restore", await fileWith(root, config)])(place);
    assertEquals((await broken.ended()).code, 1);
    assertMatch(broken.log, /fatal: Cannot restore the database: nothing was loaded: /);

    const goesOn = await fileWith(root, { ...config, continue_on_failure: true });
    const stored = server.objects.get("db");
    const empty = startWith(start, ["-auto-restore", goesOn, ...backup])(nodePlace(root, "empty"));
    await empty.ready();
    await grows(empty, "num_uploads_skipped", 2);
    assertEquals(server.objects.get("db"), stored, "what has no tables does not take the backup's place");
    assertMatch(empty.log, /could not restore the database, and goes on without/);
    assertEquals(await empty.row("SELECT count(*) FROM sqlite_schema WHERE name = 't'"), [0]);

    await empty.stop();
    server.cuts = () => undefined;
    const whole = startWith(start, ["-auto-restore", await fileWith(root, config)])(place);
    await whole.ready();
    assertEquals(await whole.row("SELECT length(x) FROM t"), [5_000_000]);
  }));

Deno.test("a shutdown ends an upload or a restore at once; both begin anew at the next start (Q18.1, Q18.2)", () =>
  withServer(async (server, root, start) => {
    const backup = ["-auto-backup", await fileWith(root, s3(server, { interval: INTERVAL }))];
    const place = nodePlace(root, "1");
    const node = startWith(start, backup)(place);
    await node.ready();
    const held = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    server.holds = (
      line,
    ) => (line.startsWith("PUT") && arrived.resolve(), line.startsWith("HEAD") ? undefined : held.promise);
    await node.execute("CREATE TABLE t(x)", "INSERT INTO t VALUES(1)");
    await arrived.promise;
    assertEquals((await node.stop()).code, 0);
    assertMatch(node.log, /the upload to s3:\/\/backups\/db was ended by the shutdown: nothing was stored/);
    held.resolve();
    assertEquals(server.keys, []);
    const again = startWith(start, backup)(place);
    await until("a backup", () => server.objects.has("db") || undefined);
    await again.stop();

    const restore = ["-auto-restore", await fileWith(root, s3(server))];
    const next = nodePlace(root, "2");
    const [asked, never] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    server.holds = (line) => (line === "GET db" && asked.resolve(), line === "GET db" ? never.promise : undefined);
    const restoring = startWith(start, restore)(next);
    await asked.promise;
    await restoring.says(/HTTP API available/); // from then on it takes signals
    assertEquals((await restoring.stop()).code, 0);
    never.resolve();
    server.holds = () => undefined;
    const restored = startWith(start, restore)(next);
    await restored.ready();
    assertEquals(await restored.row("SELECT x FROM t"), [1]);
  }));

Deno.test("timestamped backups in a directory go but for the newest, and the newest one is restored (Q18.1, Q18.2)", () =>
  withNodes(async (root, start) => {
    const sub = { dir: `${root}/backups`, name: "db.gz" };
    const config = { version: 1, type: "file", interval: INTERVAL, timestamp: true, keep: 2, sub };
    const node = start(nodePlace(root, "1"), ["-auto-backup", await fileWith(root, config)]);
    await node.ready();
    await node.execute("CREATE TABLE t(x)");
    const names = () => [...Deno.readDirSync(sub.dir)].map(({ name }) => name).sort();
    await until("an old one being removed", async () => {
      await node.execute("INSERT INTO t VALUES(1)");
      return (await uploads(node)).num_removed > 0 || undefined;
    });
    await grows(node, "num_uploads_skipped");
    const [count] = await node.row("SELECT count(*) FROM t");
    assertMatch(names().join(" "), /^\d{14}_db\.gz \d{14}_db\.gz METADATA\.json$/);
    await node.stop();

    const restore = await fileWith(root, { version: 1, type: "file", timestamp: true, sub });
    const restored = start(nodePlace(root, "2"), ["-auto-restore", restore]);
    await restored.ready();
    assertEquals(await restored.row("SELECT count(*) FROM t"), [count]);
  }));

Deno.test("an upload whose connection breaks leaves no object, is counted, and succeeds later; wrong files are refused", () =>
  withServer(async (server, root, start) => {
    server.breaks = (line) => line.startsWith("PUT ");
    const flags = ["-auto-backup", await fileWith(root, s3(server, { interval: INTERVAL }))];
    const node = startWith(start, flags)(nodePlace(root, "1"));
    await node.ready();
    await node.execute("CREATE TABLE t(x)");
    await until("a failure", async () => (await uploads(node)).num_uploads_fail > 0 || undefined);
    assertEquals([server.keys, server.uploads.size], [[], 0]);
    await node.says(
      /\[uploader\] .* the automatic backup failed, and is tried again after 100ms: Cannot store s3:\/\/backups\/db: /,
    );
    server.breaks = () => false;
    await until("a backup", () => server.objects.has("db") || undefined);

    const wrong = start(nodePlace(root, "2"), ["-auto-backup", await fileWith(root, { type: "s3", interval: "1s" })]);
    assertEquals((await wrong.ended()).code, 1);
    assertMatch(wrong.log, /fatal: -auto-backup: "sub" must be an object with access_key_id, /);
    const joining = start(nodePlace(root, "3"), ["-join", node.clusterAddr, "-auto-restore", "x.json"]);
    assertEquals((await joining.ended()).code, 2);
    assertMatch(joining.log, /fatal: auto-restoring cannot be used when joining a cluster/);
  }));
