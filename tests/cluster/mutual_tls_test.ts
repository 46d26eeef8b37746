/** Ports that ask for certificates: who is let in, who is not, and what the log says of it. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { muster } from "../harness/agents.ts";
import { clusterFlags, leaderOf, nodePlace, type NodeProcess, withNodes } from "../harness/processes.ts";
import { authority, certificate, httpsFlags, identity, nodeFlags } from "../harness/tls.ts";

type Identity = Awaited<ReturnType<typeof identity>>;

/** A certificate of the authority in `root` that expired yesterday. */
async function expired(root: string, name: string): Promise<Identity> {
  const made = await new Deno.Command("sh", {
    cwd: root,
    args: [
      "-c",
      `echo "subjectAltName=DNS:${name}" > old.ext &&
       openssl req -new -key ${name}-key.pem -subj "/CN=${name}" -out old.csr &&
       openssl x509 -req -in old.csr -CA muster-ca.pem -CAkey muster-ca-key.pem -CAcreateserial -days -1 -extfile old.ext -out old.pem &&
       cp ${name}-key.pem old-key.pem`,
    ],
  }).output();
  assertEquals(made.code, 0, new TextDecoder().decode(made.stderr));
  return await identity(root, "old");
}

interface Asking {
  readonly shown?: Identity;
  readonly authorization?: string;
  readonly write?: readonly string[];
}

/** Answer to a client that trusts `caCert` and shows a certificate, or none. */
async function ask(node: NodeProcess, caCert: string, { shown, authorization, write }: Asking): Promise<Response> {
  using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0, caCerts: [caCert], ...shown });
  const response = await fetch(`${node.url}${write ? "/db/execute" : "/status?key=store.leader.node_id"}`, {
    client,
    headers: { "Content-Type": "application/json", ...(authorization && { Authorization: authorization }) },
    ...(write && { method: "POST", body: JSON.stringify(write) }),
    signal: AbortSignal.timeout(20_000),
  });
  return new Response(await response.text(), { status: response.status });
}

async function isRefused(node: NodeProcess, caCert: string, shown: Identity | undefined, why: RegExp): Promise<void> {
  await assertRejects(() => ask(node, caCert, shown ? { shown } : {}), Error, "", String(why));
  await node.says(new RegExp(`refused a TLS connection from [^\\n]*${why.source}`));
}

function mutualHttp(root: string, name: string): string[] {
  return [...httpsFlags(root, name), "-http-ca-cert", `${root}/muster-ca.pem`, "-http-verify-client"];
}

function mutualNodes(root: string, name: string): string[] {
  return [...nodeFlags(root, name), "-node-verify-client"];
}

const BOB = `Basic ${btoa("bob:secret")}`;

Deno.test("three nodes that ask for certificates and passwords let in whoever has both", () =>
  withNodes(async (root, start) => {
    const caCert = await authority(root);
    for (const name of ["1", "2", "3", "node", "client", "other"]) await certificate(root, name);
    const shown = await identity(root, "client");
    const users = [{ username: "bob", password: "secret", perms: ["all"] }, { username: "*", perms: ["ready"] }];
    await Deno.writeTextFile(`${root}/users.json`, JSON.stringify(users));
    const places = ["1", "2", "3"].map((id) => nodePlace(root, id));
    const common = [
      ...clusterFlags(places),
      ...mutualNodes(root, "node"),
      "-node-verify-common-name",
      "node",
      "-http-verify-common-name",
      "client",
      "-auth",
      `${root}/users.json`,
      "-join-as",
      "bob",
    ];
    const nodes = places.map((place) =>
      start(place, [...common, ...mutualHttp(root, place.id)], { caCert, identity: shown })
    );
    await Promise.all(nodes.map((node) => node.ready()));
    const id: unknown = await (await ask(nodes[0], caCert, { shown, authorization: BOB })).json();
    const leader = nodes.find((node) => node.place.id === id) ?? nodes[0];
    const follower = nodes.find((node) => node !== leader) ?? leader;
    const write = ["CREATE TABLE t(a)", "INSERT INTO t VALUES(1)"];
    const written = await ask(follower, caCert, { shown, authorization: BOB, write });
    assertEquals(await written.json(), { results: [{}, { last_insert_id: 1, rows_affected: 1 }] });
    assertEquals((await ask(follower, caCert, { shown, write })).status, 401, "a certificate and no password");

    await isRefused(leader, caCert, undefined, /it has shown no certificate/);
    await isRefused(leader, caCert, await identity(root, "other"), /its certificate is for "other", expected "client"/);
    await isRefused(leader, caCert, await expired(root, "client"), /its certificate has expired/);
    const foreign = `${root}/foreign`;
    await Deno.mkdir(foreign);
    await authority(foreign);
    await certificate(foreign, "client");
    const unknown = /no accepted authority has signed its certificate/;
    await isRefused(leader, caCert, await identity(foreign, "client"), unknown);
    await assertRejects(() => fetch(`http://127.0.0.1:${leader.place.httpPort}/readyz`), Error);
    assertEquals(await handshake(leader.place.httpPort, "-tls1_1"), false, "TLS 1.1");

    // The cluster port: nobody joins with the certificate of a client, of another authority, or with none.
    const join = ["-join", leader.clusterAddr, "-join-attempts", "1"];
    const strangers: [string, readonly string[], RegExp][] = [
      ["4", nodeFlags(root, "client"), /its certificate is for "client", expected "node"/],
      ["5", [...nodeFlags(foreign, "client"), "-node-no-verify"], unknown],
      ["6", [], /TLS|record|handshake/i],
    ];
    for (const [name, flags, why] of strangers) {
      const stranger = start(nodePlace(root, name), [...join, ...flags]);
      assertEquals((await stranger.ended()).code, 1, stranger.log);
      await leader.says(new RegExp(`refused a TLS connection from [^\\n]*(${why.source})`));
    }
    assertEquals(
      await ask(follower, caCert, { shown, authorization: BOB, write: ["INSERT INTO t VALUES(2)"] })
        .then((answer) => answer.status),
      200,
    );
  }));

Deno.test("clients of an authority that is no longer accepted are turned away, also on connections that are open", () =>
  withNodes(async (root, start) => {
    const caCert = await authority(root);
    await certificate(root, "1");
    const next = `${root}/next`;
    await Deno.mkdir(next);
    await authority(next);
    await certificate(next, "client");
    const place = nodePlace(root, "1");
    const before = await identity(root, "1");
    const node = start(place, mutualHttp(root, "1"), { caCert, identity: before });
    await node.ready();
    using open = await Deno.connectTls({ hostname: "127.0.0.1", port: place.httpPort, caCerts: [caCert], ...before });
    await open.write(new TextEncoder().encode("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert(await open.read(new Uint8Array(4096)));
    await Deno.copyFile(`${next}/muster-ca.pem`, `${root}/muster-ca.pem`);
    await node.says(/new connections of HTTPS get the new certificate/);
    assertEquals(await open.read(new Uint8Array(4096)), null, "it has ended");
    await isRefused(node, caCert, before, /no accepted authority has signed its certificate/);
    assertEquals((await ask(node, caCert, { shown: await identity(next, "client") })).status, 200);
  }));

Deno.test("nodes ask each other for certificates one after the other, without an interruption", () =>
  withNodes(async (root, start) => {
    await authority(root);
    await certificate(root, "node", "-host", "node");
    const places = ["1", "2", "3"].map((id) => nodePlace(root, id));
    const flags = [...clusterFlags(places), ...nodeFlags(root, "node")];
    const nodes = places.map((place) => start(place, flags));
    await Promise.all(nodes.map((node) => node.ready()));
    await nodes[0].execute("CREATE TABLE t(a)");
    for (const [at, place] of places.entries()) {
      await nodes[at].stop();
      nodes[at] = start(place, [...flags, "-node-verify-client", "-node-verify-server-name", "node"]);
      await nodes[at].ready();
      await nodes[at].execute("INSERT INTO t VALUES(1)");
    }
    await leaderOf(nodes);
    assertEquals(await nodes[0].row("SELECT count(*) FROM t", "strong"), [3]);
  }));

Deno.test("-node-no-verify takes any certificate of another node", () =>
  withNodes(async (root, start) => {
    const places = ["1", "2"].map((id) => nodePlace(root, id));
    const nodes: NodeProcess[] = [];
    for (const place of places) {
      const own = `${root}/own-${place.id}`;
      await Deno.mkdir(own);
      await authority(own);
      await certificate(own, "node");
      nodes.push(start(place, [...clusterFlags(places), ...nodeFlags(own, "node"), "-node-no-verify"]));
    }
    await Promise.all(nodes.map((node) => node.ready()));
    await nodes[0].execute("CREATE TABLE t(a)");
  }));

/** Whether a handshake of openssl's, with these options, comes to an end that both accept. */
async function handshake(port: number, ...options: string[]): Promise<boolean> {
  const args = ["s_client", "-connect", `127.0.0.1:${port}`, "-cipher", "ALL:@SECLEVEL=0", ...options];
  const { stdout } = await new Deno.Command("openssl", { args, stdin: "null", stderr: "null" }).output();
  return /Cipher is [A-Z0-9]/.test(new TextDecoder().decode(stdout)) &&
    !/Cipher is \(NONE\)/.test(new TextDecoder().decode(stdout));
}

Deno.test("commands without a certificate, or with one of another authority, are told which flags show one", () =>
  withNodes(async (root, start) => {
    const caCert = await authority(root);
    for (const name of ["1", "client"]) await certificate(root, name);
    await Deno.mkdir(`${root}/other`);
    await authority(`${root}/other`);
    await certificate(`${root}/other`, "client");
    const node = start(nodePlace(root, "1"), mutualHttp(root, "1"), {
      caCert,
      identity: await identity(root, "client"),
    });
    await node.ready();
    await node.says(
      new RegExp(`for example: rqlite -s https -H 127\\.0\\.0\\.1 -p ${node.place.httpPort}, or curl https:`),
    );
    const api = ["-http-addr", `https://127.0.0.1:${node.place.httpPort}`, "-ca-file", `${root}/muster-ca.pem`];
    const shown = (path: string) => ["-client-cert", `${path}/client.pem`, "-client-key", `${path}/client-key.pem`];
    const none = /; the node may ask for a certificate: show one with -client-cert and -client-key$/m;
    for (const args of [["status"], ["members"], ["sql", "SELECT 1"], ["backup", `${root}/copy`]]) {
      assertMatch((await muster([args[0], ...api, ...args.slice(1)])).stderr, none);
    }
    assertMatch(
      (await muster(["status", ...api, ...shown(`${root}/other`)])).stderr,
      /; the node may not take the certificate of -client-cert: it needs one of an authority in its -http-ca-cert$/m,
    );
    assertMatch((await muster(["status", ...api, ...shown(root)])).stdout, /^Node +1, ready$/m);
  }));
