/** What the documentation does with tokens, users, certificates and the rendezvous. */
import { assertMatch, assertStringIncludes } from "@std/assert";
import { scenario } from "../harness/documentation/scenario.ts";

/** The secret that the last command has printed. */
const SECRET = `$(sed -n "s/^SecretID: *//p" "$SAID")`;

Deno.test("docs/acl.md", () =>
  scenario("docs/acl.md", {}, async (page) => {
    await page.write("acl.hcl", page.shown("acl {"));
    await page.shell("muster agent -server -bootstrap-expect=1 -data-dir=agent -node=node-a -config-file=acl.hcl");
    await page.run("muster acl bootstrap", { replace: [["SECRETID", SECRET]] });
    await page.run("muster acl policy create -name=app");
    await page.shell("muster kv put app/x 1");
    await page.shell("TOKEN=$CONSUL_HTTP_TOKEN");
    await page.run("muster user create", {
      replace: [
        [/muster user (create .*|password.*)$/g, "$& <<< 'wonderful words'"],
        ["-u mary", "-u 'mary:wonderful words'"],
        ["mary:PASSWORD", "'mary:wonderful words'"],
        ["SECRETID", "$TOKEN"],
      ],
    });
    await page.shell("export CONSUL_HTTP_TOKEN=$TOKEN; unset CONSUL_HTTP_AUTH");
    await page.run("muster acl policy create -name=names");
    const refusal = await page.shell("muster acl bootstrap 2>&1 || true");
    const index = /reset index: (\d+)/.exec(refusal)?.[1];
    await page.run("echo N", { replace: [["echo N", `echo ${index}`], ["DATA_DIR", "agent"]] });
  }));

Deno.test("docs/tls.md", () =>
  scenario("docs/tls.md", {
    api: 4001,
    places: [["node1.example.com", "localhost"], ["10.0.0.1", "127.0.0.1"]],
  }, async (page) => {
    await page.run("deno task muster tls ca");
    await page.stopAll();
    await page.run("deno task muster tls cert -name alice", {
      replace: [
        ["serve …", "serve -http-cert node1.pem -http-key node1-key.pem -node-cert node1.pem -node-key node1-key.pem"],
        ["-node-verify-client …", "-node-ca-cert muster-ca.pem -node-verify-client data"],
      ],
    });
    await page.shell("! command curl --cacert muster-ca.pem https://node1.example.com:4001/readyz");
    await page.stopAll();
    await page.shell("rm -r ./*.pem data");
    await page.write("tls.hcl", page.shown("tls {"));
    await page.run("deno task muster tls ca");
  }));

Deno.test("docs/users.md", () =>
  scenario("docs/users.md", { api: 4001 }, async (page) => {
    const users = JSON.parse(page.shown("["));
    await page.write("users.json", JSON.stringify(users));
    await page.run("muster serve -auth", { replace: [["…", "-server -bootstrap-expect=1 -data-dir=agent"]] });
    for (const port of [4001, 8500]) {
      assertStringIncludes(
        await page.shell(`curl -u 'mary:in plain text' 'localhost:${port}/db/query?q=SELECT+1'`),
        '"values":[[1]]',
      );
      await page.shell(`! curl -u 'mary:another' 'localhost:${port}/db/query?q=SELECT+1'`);
    }
    await page.stopAll();
    await page.write("password.txt", "secret\n");
    await page.run("muster user hash", { replace: [[/hash$/g, "hash <<< secret"]] });

    const node = { username: "node", token: "0f0c7a52-3d0e-4f6b-9a55-1f2f6f0c9e12", perms: ["join"] };
    await page.write("users.json", JSON.stringify([...users, node]));
    await page.shell("rm -r data");
    await page.shell(
      "muster serve -auth users.json -node-id a -raft-addr 127.20.0.1:4002 -http-addr 127.20.0.1:4001 a",
    );
    await page.ready();
    await page.run("muster serve -auth users.json -join-as", { replace: [["-join a:", "-join 127.20.0.1:"]] });
    await page.ready();
    assertMatch(await page.shell("curl localhost:4001/nodes"), /"a":\{/);
  }));

Deno.test("docs/rendezvous.md", () =>
  scenario("docs/rendezvous.md", {
    places: [["meet.example.com", "localhost"], ["10.0.0.", "127.10.0."]],
    flags: { "-atlas-join": "-bind=127.20.0.1 -client=127.20.0.1 -node=two -atlas-ca-file=muster-ca.pem" },
  }, async (page) => {
    await page.shell("muster tls ca && muster tls cert -name meet -host localhost");
    await page.shell("mv meet.pem cert.pem && mv meet-key.pem key.pem");
    await page.run("muster rendezvous", { replace: [["0.0.0.0", "127.0.0.1"]] });
    await page.run("export ATLAS_TOKEN", {
      replace: [["ATLAS_TOKEN=...", 'ATLAS_TOKEN=$(grep -Eo "[^ ]{20,}" "$SAID" | tail -1)'], [
        "/var/lib/muster",
        "two",
      ]],
    });
    const third = "-bind=127.20.0.2 -client=127.20.0.2 -node=three";
    await page.shell(`muster agent -data-dir=three ${third} -atlas=acme/production -atlas-join \\
      -atlas-endpoint=https://meet.example.com:8504`);
    await page.shell("muster members -http-addr=127.20.0.1:8500", { until: { members: /^three .* alive/m } });
    await page.stopAll();

    for (const number of [1, 2]) {
      const address = `10.0.0.${number}`;
      await page.shell(`muster agent -server -bootstrap-expect=3 -retry-join=10.0.0.1 -rendezvous -bind=${address} \\
        -client=${address} -rendezvous-addr=${address}:8504 -data-dir=server${number} -node=server${number}`);
    }
    await page.run("muster agent -server");
    await page.shell("muster status", { until: { status: /^Voters +3 of 3/m } });
  }));
