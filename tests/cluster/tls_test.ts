/** HTTPS, TLS between nodes, and the certificates that `muster tls` makes. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { muster } from "../harness/agents.ts";
import { clusterFlags, leaderOf, type NodePlace, nodePlace, until, withNodes } from "../harness/processes.ts";
import { authority, certificate, httpsFlags, nodeFlags } from "../harness/tls.ts";

/** Serial number of the certificate that a port shows, as openssl prints it. */
async function serialShown({ httpPort }: NodePlace): Promise<string> {
  const shown = await new Deno.Command("openssl", {
    args: ["s_client", "-connect", `127.0.0.1:${httpPort}`, "-showcerts"],
    stdin: "null",
    stderr: "null",
  }).output();
  const reader = new Deno.Command("openssl", { args: ["x509", "-noout", "-serial"], stdin: "piped", stdout: "piped" })
    .spawn();
  const writer = reader.stdin.getWriter();
  await writer.write(shown.stdout);
  await writer.close();
  return new TextDecoder().decode((await reader.output()).stdout).trim();
}

Deno.test("three nodes with certificates of muster tls speak TLS to their clients and to each other", () =>
  withNodes(async (root, start) => {
    const caCert = await authority(root);
    await Promise.all(["1", "2", "3"].map((id) => certificate(root, id)));
    const places = ["1", "2", "3"].map((id) => nodePlace(root, id));
    const nodes = places.map((place) =>
      start(place, [...clusterFlags(places), ...httpsFlags(root, place.id), ...nodeFlags(root, place.id)], { caCert })
    );
    await Promise.all(nodes.map((node) => node.ready()));
    const leader = await leaderOf(nodes);
    const follower = nodes.find((node) => node !== leader) ?? leader;
    await follower.execute("CREATE TABLE t(a)", "INSERT INTO t VALUES(1)");
    assertEquals(await follower.row("SELECT count(*) FROM t"), [1]);
    assertEquals(await leader.status("http.tls"), {
      not_after: await leader.status("http.tls.not_after"),
      enabled: "true",
      cert_file: `${root}/${leader.place.id}.pem`,
      key_file: `${root}/${leader.place.id}-key.pem`,
    });
    const redirect = await fetch(`${follower.url}/db/query?redirect&q=SELECT%201`, {
      redirect: "manual",
      client: Deno.createHttpClient({ caCerts: [caCert] }),
    });
    assertEquals(
      (await redirect.text(), redirect.headers.get("location")),
      `${leader.url}/db/query?redirect&q=SELECT%201`,
    );

    await assertRejects(() => fetch(`${leader.url}/status`), Error, ""); // the system does not know the authority
    await assertRejects(() => fetch(`http://127.0.0.1:${leader.place.httpPort}/status`), Error, "");
    const plain = start(nodePlace(root, "4"), ["-join", leader.clusterAddr, "-join-attempts", "1"]);
    assertEquals((await plain.ended()).code, 1);

    await Deno.mkdir(`${root}/other`);
    await authority(`${root}/other`);
    await certificate(`${root}/other`, "5");
    const place = nodePlace(root, "5");
    const flags = ["-join", leader.clusterAddr, "-join-attempts", "1"];
    const stranger = start(place, [...flags, ...nodeFlags(`${root}/other`, "5")]);
    assertEquals((await stranger.ended()).code, 1);
    assertMatch(stranger.log, /certificate/i);
    const named = ["-node-verify-server-name", "somebody.example.com"];
    const misled = start(nodePlace(root, "6"), [...flags, ...nodeFlags(root, "1"), ...named]);
    assertEquals((await misled.ended()).code, 1);
    assertMatch(misled.log, /somebody\.example\.com/);
  }));

Deno.test("a renewed certificate comes into use without a restart, one that cannot be used does not, and expiry is warned of", () =>
  withNodes(async (root, start) => {
    const caCert = await authority(root);
    await certificate(root, "1", "-days", "10");
    const node = start(nodePlace(root, "1"), [...httpsFlags(root, "1"), ...nodeFlags(root, "1")], { caCert });
    await node.ready();
    await node.says(/WARNING: the certificate in .*1\.pem expires in (9|10) days/);
    const first = await serialShown(node.place);
    await Deno.writeTextFile(`${root}/1.pem`, "not a certificate");
    await node.says(
      /a certificate has changed and cannot be used, the one before stays: .*holds no certificate in PEM/,
    );
    assertEquals(await serialShown(node.place), first);

    await certificate(root, "new");
    await Deno.rename(`${root}/new-key.pem`, `${root}/1-key.pem`);
    await Deno.rename(`${root}/new.pem`, `${root}/1.pem`);
    await node.says(/new connections of HTTPS get the new certificate/);
    await node.says(/new connections between nodes get the new certificate/);
    const { tls } = await (await node.get("/debug/vars")).json();
    const year = 365 * 86_400;
    for (const left of [tls.http_expires_in_s, tls.node_expires_in_s]) {
      assert(left > year - 600 && left <= year, `${left}`);
    }
    assertEquals(await node.status("mux.not_after"), await node.status("http.tls.not_after"));
    const days = (Date.parse(String(await node.status("http.tls.not_after"))) - Date.now()) / 86_400_000;
    assertEquals(Math.round(days), 365);
    await until("the new one", async () => await serialShown(node.place) !== first || undefined);
    await node.execute("CREATE TABLE t(a)");
    assertEquals((await node.stop()).code, 0);
  }));

Deno.test("a port with TLS is not shared with another node", () =>
  withNodes(async (root, start) => {
    const caCert = await authority(root);
    await certificate(root, "1");
    const first = start(nodePlace(root, "1"), [...httpsFlags(root, "1"), ...nodeFlags(root, "1")], { caCert });
    await first.ready();
    const sameHttp = { ...nodePlace(root, "2"), httpPort: first.place.httpPort };
    const second = start(sameHttp, httpsFlags(root, "1"), { caCert });
    assertEquals((await second.ended()).code, 1);
    assertMatch(second.log, /cannot listen on HTTP address/);
    const sameCluster = { ...nodePlace(root, "3"), clusterPort: first.place.clusterPort };
    const third = start(sameCluster, nodeFlags(root, "1"));
    assertEquals((await third.ended()).code, 1);
    assertMatch(third.log, /cannot listen on cluster address/);
  }));

Deno.test("what is missing of a certificate is said at the start", () =>
  withNodes(async (root, start) => {
    const half = start(nodePlace(root, "1"), ["-http-cert", `${root}/none.pem`]);
    assertEquals((await half.ended()).code, 2);
    assertMatch(half.log, /either both -http-cert and -http-key must be set, or neither/);
    const none = start(nodePlace(root, "2"), httpsFlags(root, "none"));
    assertEquals((await none.ended()).code, 1);
    assertMatch(none.log, /fatal: cannot read .*none\.pem/);
    const lonely = start(nodePlace(root, "3"), ["-node-ca-cert", `${root}/none.pem`]);
    assertEquals((await lonely.ended()).code, 2);
    assertMatch(lonely.log, /-node-ca-cert needs -node-cert and -node-key/);
    await authority(root);
    const { code, stderr } = await muster(["tls", "ca", "-out", root]);
    assertEquals(code, 1);
    assertMatch(stderr, /muster-ca-key\.pem exists already: move it away first/);
  }));
