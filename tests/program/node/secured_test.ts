/**
 * Nodes in this process with all that guards them: HTTPS, TLS between nodes, a secret, users; and their automatic backups,
 * restored in another cluster.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { basic } from "../../../src/app/users/credentials.ts";
import { musterHere } from "../../harness/command_line.ts";
import { clusterAddrOf, nodePlace, type NodeProcess, until, withThreads } from "../../harness/processes.ts";
import { httpsFlags, nodeFlags } from "../../harness/tls.ts";

const ROOT = basic("root", "s3cret");
const USERS = [
  { username: "root", password: "s3cret", perms: ["all"] },
  { username: "reader", token: "c0ffee00-1111-2222-3333-444444444444", perms: ["query"] },
  { username: "node", password: "joins", perms: ["join"] },
  { username: "*", perms: ["ready"] },
];

const FAST = ["-raft-heartbeat-timeout=400ms", "-raft-election-timeout=400ms"];

/** Runs `muster tls`; what it says. */
async function tls(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await musterHere(["tls", ...args]);
  return code === 0 ? stdout : `${code}: ${stderr}`;
}

/** An authority and a certificate in `root`. */
async function makeCertificates(root: string): Promise<void> {
  assertEquals(await tls("ca", "-out", root), `wrote ${root}/muster-ca-key.pem\nwrote ${root}/muster-ca.pem\n`);
  const from = ["-ca", `${root}/muster-ca.pem`, "-ca-key", `${root}/muster-ca-key.pem`, "-out", root];
  assertEquals(await tls("cert", ...from, "-name", "n"), `wrote ${root}/n-key.pem\nwrote ${root}/n.pem\n`);
  assertEquals((await Deno.stat(`${root}/n-key.pem`)).mode ?? 0, 0o100600);
  assertEquals(await tls("cert", ...from, "-name", "n"), `1: ${root}/n-key.pem exists already: move it away first.\n`);
  assertEquals(await tls("ca", "-out", root, "-days", "0"), "1: -days must be between 1 and 36500.\n");
  assertMatch(await tls("cert", "-ca", `${root}/none`), /^1: Cannot use the authority in .*; muster tls ca makes them/);
  assertMatch(await tls("ca", "-out", `${root}/none`), /^1: Cannot write .*none\/muster-ca-key\.pem/);
}

Deno.test("a secured cluster lets in who has what it asks for, and its backup begins another cluster", () =>
  withThreads(async (root, start) => {
    await makeCertificates(root);
    const caCert = await Deno.readTextFile(`${root}/muster-ca.pem`);
    await Deno.writeTextFile(`${root}/auth.json`, JSON.stringify(USERS));
    await Deno.writeTextFile(`${root}/secret`, "a secret of this cluster\n");
    await Deno.writeTextFile(`${root}/other`, "a secret of another one\n");
    const stored = { version: 1, type: "file", sub: { dir: `${root}/backups`, name: "db" } };
    await Deno.mkdir(`${root}/backups`);
    await Deno.writeTextFile(`${root}/backup.json`, JSON.stringify({ ...stored, interval: "100ms" }));
    await Deno.writeTextFile(`${root}/restore.json`, JSON.stringify(stored));
    const guards = [...nodeFlags(root, "n"), "-node-verify-client", "-auth", `${root}/auth.json`];
    const secret = ["-cluster-secret-file", `${root}/secret`];
    const https = [...httpsFlags(root, "n"), "-auto-backup", `${root}/backup.json`];
    const first = start(nodePlace(root, "1"), [...guards, ...secret, ...https, ...FAST], { caCert });
    await first.ready();
    await asksForUsers(first, caCert);

    const join = ["-join", clusterAddrOf(first.place), "-join-attempts", "1"];
    const refused = async (id: string, ...flags: string[]) => {
      const node = start(nodePlace(root, id), [...join, ...flags]);
      assertEquals((await node.ended()).code, 1);
      return node.log;
    };
    const second = start(nodePlace(root, "5"), [...join, ...guards, ...secret, ...FAST, "-join-as", "node"]);
    const [stranger, unlike, plain] = await Promise.all([
      refused("2", ...guards, ...secret),
      refused("3", ...guards, "-cluster-secret-file", `${root}/other`),
      refused("4", ...secret),
    ]);
    assertMatch(stranger, /unauthorized to join as a voter \(did you forget to set -join-as\?\)/);
    assertMatch(unlike, /secret/);
    assertMatch(plain, /fatal: clustering failure/);
    await second.ready();
    await until("it has the row", async () => {
      const answer = await ask(second, "/db/query?level=none", ROOT, ["SELECT a FROM t"]);
      return JSON.stringify(answer).includes('"values":[[1]]') || undefined;
    });

    // Users change without a restart.
    const [root_, ...others] = USERS;
    await Deno.writeTextFile(`${root}/auth.json`, JSON.stringify([{ ...root_, password: "another" }, ...others]));
    first.signal("SIGHUP");
    await first.says(/auth\.json again: 4 users/);
    assertEquals(await ask(first, "/db/query?q=SELECT+1", ROOT), 401);

    // Its backup.
    await until("a backup", () => [...Deno.readDirSync(`${root}/backups`)].length > 1 || undefined);
    const restored = start(nodePlace(root, "9"), ["-auto-restore", `${root}/restore.json`, ...FAST]);
    await restored.ready();
    assertEquals(await restored.row("SELECT a FROM t"), [1]);
    await commands(restored, root);
    assertEquals((await restored.stop("SIGTERM")).code, 0);
  }));

/** The status or the answer of a request. */
async function ask(node: NodeProcess, path: string, authorization: string, body?: unknown): Promise<unknown> {
  const caCerts = [await Deno.readTextFile(`${node.place.directory}/../muster-ca.pem`)];
  using client = Deno.createHttpClient({ caCerts, poolMaxIdlePerHost: 0 });
  const response = await fetch(node.url + path, {
    client,
    method: body === undefined ? "GET" : "POST",
    headers: { "Content-Type": "application/json", ...(authorization === "" ? {} : { Authorization: authorization }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return response.status === 200 ? JSON.parse(text) : response.status;
}

async function asksForUsers(node: NodeProcess, caCert: string): Promise<void> {
  const write = ["CREATE TABLE t(a)", "INSERT INTO t VALUES(1)"];
  assertEquals(await ask(node, "/db/execute", "", write), 401);
  assertEquals(await ask(node, "/db/execute", basic("root", "wrong"), write), 401);
  assertEquals(await ask(node, "/db/execute", `Bearer ${USERS[1].token}`, write), 401);
  assertEquals(await ask(node, "/db/execute", ROOT, write), {
    results: [{}, { last_insert_id: 1, rows_affected: 1 }],
  });
  assert(caCert.startsWith("-----BEGIN CERTIFICATE-----"));
  const certificate = await ask(node, "/status?key=http.tls", ROOT) as Record<string, string>;
  assertEquals([certificate.enabled, certificate.cert_file.endsWith("/n.pem")], ["true", true]);
}

/** `muster backup` and `muster restore`. */
async function commands(node: NodeProcess, root: string): Promise<void> {
  const run = (...args: string[]) => musterHere([...args], { MUSTER_HTTP_ADDR: `127.0.0.1:${node.place.httpPort}` });
  const file = `${root}/today.sqlite`;
  const made = await run("backup", file);
  assertEquals([made.code, made.stderr], [0, ""]);
  assertMatch(made.stdout, /today\.sqlite: [\d ,]+ bytes, checked: /);
  assertMatch((await run("backup", file)).stderr, /today\.sqlite exists: -force replaces it/);
  assertEquals((await run("backup", "-format", "x", `${root}/x`)).code, 2);
  assertEquals((await run("backup")).code, 2);
  assertEquals((await run("backup", "-format", "sql", "-compress", `${root}/today.sql.gz`)).code, 0);
  await node.execute("DELETE FROM t");
  const back = await run("restore", file);
  assertEquals([back.code, back.stderr], [0, ""]);
  assertEquals(await node.row("SELECT count(*) FROM t"), [1]);
  await node.execute("DROP TABLE t");
  assertEquals((await run("restore", `${root}/today.sql.gz`)).code, 0);
  assertEquals(await node.row("SELECT count(*) FROM t"), [1]);
  await Deno.writeTextFile(`${root}/wrong.sql`, "nonsense");
  assertMatch((await run("restore", `${root}/wrong.sql`)).stderr, /^restore failed: near "nonsense": syntax error/);
  const damaged = await Deno.readFile(file);
  damaged.fill(7, 100, 4000);
  await Deno.writeFile(`${root}/damaged`, damaged);
  assertEquals((await run("restore", `${root}/damaged`)).code, 1);
  assertMatch((await run("restore", `${root}/none`)).stderr, /^restore failed: /);
}
