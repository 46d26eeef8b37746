/**
 * The key of each store against the real service (etcd) or a faithful server of its API (Consul): compare and set, TLS,
 * tokens, users, failover, and what is said when the server refuses, is gone, or talks rubbish.
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { ConsulOptions, EtcdOptions, HttpServer, TlsOptions } from "../../../src/drivers/discovery/api.ts";
import { ConsulKey } from "../../../src/drivers/discovery/consul.ts";
import { EtcdKey } from "../../../src/drivers/discovery/etcd.ts";
import { UnreachableError } from "../../../src/drivers/discovery/http_client.ts";
import { type KvStore, StoreError } from "../../../src/drivers/discovery/kv_store.ts";
import { type Certificates, makeCertificates } from "../../harness/peers/certificates.ts";
import { type ConsulKvOptions, ConsulKvServer } from "../../harness/peers/consul_kv.ts";
import { startEtcdCluster, withEtcd } from "../../harness/peers/etcd.ts";
import { withDirectory } from "../../harness/directory.ts";

function at(address: string, tls?: TlsOptions): HttpServer {
  const [hostname, port] = address.split(":");
  return { hostname, port: Number(port), tls, timeoutMs: 3000 };
}

function consulKey(address: string, more: Partial<ConsulOptions> = {}, tls?: TlsOptions): ConsulKey {
  return new ConsulKey({
    mode: "consul-kv",
    key: "rqlite/leader",
    deadAfterMs: 0,
    server: at(address, tls),
    datacenter: "",
    namespace: "",
    partition: "",
    token: "",
    basicAuth: undefined,
    ...more,
  });
}

function etcdKey(endpoints: readonly HttpServer[], more: Partial<EtcdOptions> = {}): EtcdKey {
  return new EtcdKey({
    mode: "etcd-kv",
    key: "/rqlite/leader",
    deadAfterMs: 0,
    endpoints,
    auth: undefined,
    token: "",
    ...more,
  });
}

async function withConsul(options: ConsulKvOptions, work: (consul: ConsulKvServer) => Promise<void>): Promise<void> {
  const consul = await ConsulKvServer.start(options);
  try {
    await work(consul);
  } finally {
    await consul.stop();
  }
}

async function tlsOf(certificates: Certificates, more: Partial<TlsOptions> = {}): Promise<TlsOptions> {
  return {
    ca: [await Deno.readTextFile(certificates.ca)],
    cert: await Deno.readTextFile(certificates.clientCert),
    key: await Deno.readTextFile(certificates.clientKey),
    serverName: "",
    insecure: false,
    ...more,
  };
}

/** The behaviour that every store must have. */
async function behaves(store: KvStore): Promise<void> {
  assertEquals(await store.get(), undefined);
  assertEquals(await store.create("one ü"), true);
  assertEquals(await store.create("two"), false);
  const first = await store.get();
  if (!first) throw new Error("the value is gone");
  assertEquals(first.text, "one ü");
  assertEquals(await store.replace("three", first.revision), true);
  assertEquals(await store.replace("four", first.revision), false);
  const third = await store.get();
  assertEquals(third?.text, "three");
  await store.put("five");
  const fifth = await store.get();
  assertEquals(fifth?.text, "five");
  assert(new Set([first.revision, third?.revision, fifth?.revision]).size === 3, "each write has its revision");
}

Deno.test("Consul: a key is created once, replaced by revision, written at will", () =>
  withConsul({}, async (consul) => {
    await behaves(consulKey(consul.address));
    assertEquals(consul.requests.map(({ method, target }) => `${method} ${target.replace(/flags=\d+/, "flags=N")}`), [
      "GET /v1/kv/rqlite/leader",
      "PUT /v1/kv/rqlite/leader?cas=0&flags=N",
      "PUT /v1/kv/rqlite/leader?cas=0&flags=N",
      "GET /v1/kv/rqlite/leader",
      "PUT /v1/kv/rqlite/leader?cas=2&flags=N",
      "PUT /v1/kv/rqlite/leader?cas=2&flags=N",
      "GET /v1/kv/rqlite/leader",
      "PUT /v1/kv/rqlite/leader?flags=N",
      "GET /v1/kv/rqlite/leader",
    ]);
  }));

Deno.test("Consul: datacenter, namespace, partition, token and user go where Consul expects them", () =>
  withConsul({ token: "secret", basicAuth: { username: "me", password: "pa:ss" } }, async (consul) => {
    const options = { datacenter: "dc1", namespace: "ns", partition: "part", key: "a b/ü/leader" };
    const basicAuth = { username: "me", password: "pa:ss" };
    await behaves(consulKey(consul.address, { ...options, token: "secret", basicAuth }));
    assertEquals(consul.requests[0].target, "/v1/kv/a%20b/%C3%BC/leader?dc=dc1&ns=ns&partition=part");
    assertEquals(consul.requests[0].headers.get("x-consul-token"), "secret");
    const wrong = consulKey(consul.address, { token: "hunter2", basicAuth });
    const error = await assertRejects(() => wrong.get(), StoreError);
    assertMatch(error.message, /^key rqlite\/leader of Consul at http:\/\/127.0.0.1:\d+: 403 Permission denied/);
    assertMatch(error.message, /is the token right/);
    assert(!error.message.includes("hunter2"));
    await assertRejects(() => consulKey(consul.address, { token: "secret" }).get(), StoreError, "401");
  }));

Deno.test("Consul: TLS with a client certificate, another name, an unknown authority, none at all", () =>
  withDirectory(async (directory) => {
    const certificates = await makeCertificates(directory);
    await withConsul({ certificates, clientAuth: true }, async (consul) => {
      await behaves(consulKey(consul.address, {}, await tlsOf(certificates)));
      assert(await consulKey(consul.address, {}, await tlsOf(certificates, { serverName: "peer.test" })).get());
      assert(await consulKey(consul.address, {}, await tlsOf(certificates, { ca: [], insecure: true })).get());
      const stranger = await Deno.readTextFile(certificates.strangerCa);
      const refused = async (tls: TlsOptions | undefined) =>
        (await assertRejects(() => consulKey(consul.address, {}, tls).get(), UnreachableError)).message;
      assertMatch(await refused(await tlsOf(certificates, { ca: [stranger] })), /certificate/);
      assertMatch(await refused(await tlsOf(certificates, { serverName: "other.test" })), /other\.test/);
      await refused(await tlsOf(certificates, { cert: "", key: "" }));
      assertMatch(await refused(undefined), /does it speak TLS/);
    });
  }));

Deno.test("a server that is gone, fails, talks rubbish, too much or nothing is told apart and named", () =>
  withConsul({}, async (consul) => {
    const store = consulKey(consul.address);
    consul.failNext(1, 500, "No cluster leader");
    await assertRejects(() => store.get(), StoreError, "500 No cluster leader");
    for (const text of ["", "[]", "{}", "[{}]", '[{"Value":"%%%","ModifyIndex":1}]', '[{"Value":1,"ModifyIndex":1}]']) {
      consul.failNext(1, 200, text);
      await assertRejects(() => store.get(), StoreError, "expected a list with one entry");
    }
    consul.failNext(1, 200, "maybe");
    await assertRejects(() => store.create("x"), StoreError, 'expected true or false, got "maybe"');
    consul.failNext(1, 200, "x".repeat(2 * 1024 * 1024));
    await assertRejects(() => store.get(), UnreachableError, "longer than");
    await consul.stop();
    const refused = await assertRejects(() => store.get(), UnreachableError, "connection refused");
    assertEquals(refused.sent, false);

    const silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    try {
      const server = { ...at(`127.0.0.1:${silent.addr.port}`), timeoutMs: 200 };
      const unanswered = await assertRejects(() => consulKey("", { server }).get(), UnreachableError, "within 200 ms");
      assertEquals(unanswered.sent, true);
    } finally {
      silent.close();
    }
  }));

Deno.test("etcd: a key is created once, replaced by revision, written at will", () =>
  withEtcd({}, async (etcd) => {
    await behaves(etcdKey([at(etcd.endpoint)]));
    assertEquals(await etcd.get("/rqlite/leader"), "five");
  }));

Deno.test("etcd: TLS with a client certificate", () =>
  withDirectory(async (directory) => {
    const certificates = await makeCertificates(directory);
    await withEtcd({ certificates, clientAuth: true }, async (etcd) => {
      await behaves(etcdKey([at(etcd.endpoint, await tlsOf(certificates))]));
      const without = etcdKey([at(etcd.endpoint, await tlsOf(certificates, { cert: "", key: "" }))]);
      await assertRejects(() => without.get(), UnreachableError);
    });
  }));

Deno.test("etcd: users are authenticated, again when the token has run out, and wrong ones refused", () =>
  withEtcd({}, async (etcd) => {
    await etcd.enableAuth({ rootPassword: "r", user: "muster", password: "hunter2", prefix: "/rqlite/" });
    const auth = { username: "muster", password: "hunter2" };
    const store = etcdKey([at(etcd.endpoint)], { auth });
    await behaves(store);
    await etcd.restart(); // simple tokens live in memory: the one in use is not known any more
    assertEquals((await store.get())?.text, "five");
    const wrong = etcdKey([at(etcd.endpoint)], { auth: { ...auth, password: "secret1" } });
    const error = await assertRejects(() => wrong.get(), StoreError, "invalid user ID or password");
    assert(!error.message.includes("secret1"));
    await assertRejects(() => etcdKey([at(etcd.endpoint)]).get(), StoreError, "user name is empty");
    const elsewhere = etcdKey([at(etcd.endpoint)], { auth, key: "/other/leader" });
    await assertRejects(() => elsewhere.get(), StoreError, "permission denied");
  }));

Deno.test("etcd: endpoints that are gone are left for the next, down to one of three and back", () =>
  withDirectory(async (directory) => {
    const members = await startEtcdCluster(directory, 3);
    try {
      const store = etcdKey(members.map(({ endpoint }) => at(endpoint)));
      await behaves(store);
      await members[0].kill();
      assertEquals((await store.get())?.text, "five");
      await store.put("six");
      await members[1].kill(); // no quorum: nothing can be written, nor read
      await assertRejects(() => store.put("seven"), UnreachableError);
      await members[0].restart();
      await until(() => store.put("eight"));
      assertEquals((await store.get())?.text, "eight");
    } finally {
      await Promise.all(members.map((member) => member.stop()));
    }
  }));

/** Tries until it works; the caller's test ends by its own limit otherwise. */
async function until(work: () => Promise<void>): Promise<void> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
}

Deno.test("etcd: an answer that is none of etcd's is refused", async () => {
  const answers = ["", "null", "[]", '{"kvs":[]}', '{"kvs":[{"value":"%%%","mod_revision":"1"}]}', '{"kvs":7}'];
  let answer = "";
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => new Response(answer));
  try {
    const store = etcdKey([at(`127.0.0.1:${server.addr.port}`)]);
    for (answer of answers) await assertRejects(() => store.get(), StoreError);
  } finally {
    await server.shutdown();
  }
});
