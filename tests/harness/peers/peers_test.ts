/**
 * Shows that each of the peers is what it claims to be, so that a test of discovery that fails says something about
 * discovery.
 * @module
 */
import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects } from "@std/assert";
import { until } from "../processes.ts";
import { type Certificates, makeCertificates } from "./certificates.ts";
import { ConsulKvServer } from "./consul_kv.ts";
import { dig, DnsServer } from "./dns.ts";
import { type EtcdServer, startEtcdCluster, withEtcd } from "./etcd.ts";
import { withDirectory } from "../directory.ts";

async function withCertificates(work: (certificates: Certificates) => Promise<void>): Promise<void> {
  await withDirectory(async (directory) => await work(await makeCertificates(directory)));
}

/** Status that a client gets which trusts `ca` and shows its own certificate, if it has one. */
async function fetchStatus(url: string, ca: string, own?: Certificates): Promise<number> {
  const caCerts = [await Deno.readTextFile(ca)];
  using client = own === undefined ? Deno.createHttpClient({ caCerts }) : Deno.createHttpClient({
    caCerts,
    cert: await Deno.readTextFile(own.clientCert),
    key: await Deno.readTextFile(own.clientKey),
  });
  const response = await fetch(url, { client });
  await response.body?.cancel();
  return response.status;
}

Deno.test("etcd keeps keys over a kill and is gone after withEtcd", async () => {
  let seen: EtcdServer | undefined;
  await withEtcd({}, async (etcd) => {
    seen = etcd;
    await etcd.put("muster/a", "1");
    await etcd.put("muster/empty", "");
    await etcd.kill();
    await assertRejects(() => etcd.get("muster/a"));
    await etcd.restart();
    assertEquals(await etcd.get("muster/a"), "1");
    assertEquals(await etcd.get("muster/empty"), "");
    await etcd.delete("muster/a");
    assertEquals(await etcd.get("muster/a"), undefined);
    assertEquals((await (await fetch(`${etcd.url}/health`)).json()).health, "true");
  });
  assertEquals(seen?.isRunning, false);
});

Deno.test("etcd asks for a certificate of its CA", async () => {
  await withCertificates(async (certificates) => {
    await withEtcd({ certificates, clientAuth: true }, async (etcd) => {
      await etcd.put("a", "1");
      assertEquals(await etcd.get("a"), "1");
      assertEquals(await fetchStatus(`${etcd.url}/health`, certificates.ca, certificates), 200);
      await assertRejects(() => fetchStatus(`${etcd.url}/health`, certificates.ca), TypeError);
      await assertRejects(() => fetchStatus(`${etcd.url}/health`, certificates.strangerCa, certificates), TypeError);
    });
  });
});

Deno.test("etcd lets a user touch the keys of its prefix alone", async () => {
  await withEtcd({}, async (etcd) => {
    await etcd.enableAuth({ rootPassword: "secret", user: "muster", password: "word", prefix: "muster/" });
    await etcd.put("other", "1"); // as root
    const post = async (path: string, body: unknown, token?: string) => {
      const headers: HeadersInit = token === undefined ? {} : { Authorization: token };
      const response = await fetch(`${etcd.url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
      return { status: response.status, body: await response.json() };
    };
    assertEquals((await post("/v3/kv/range", { key: btoa("muster/a") })).status, 400);
    assertEquals((await post("/v3/auth/authenticate", { name: "muster", password: "wrong" })).status, 400);
    const { body: { token } } = await post("/v3/auth/authenticate", { name: "muster", password: "word" });
    assertEquals((await post("/v3/kv/put", { key: btoa("muster/a"), value: btoa("2") }, token)).status, 200);
    assertEquals((await post("/v3/kv/range", { key: btoa("other") }, token)).status, 403);
    assertEquals((await post("/v3/kv/range", { key: btoa("muster0") }, token)).status, 403);
    assertEquals(await etcd.get("muster/a"), "2");
  });
});

Deno.test("three etcd members go on when their leader is killed", async () => {
  await withDirectory(async (directory) => {
    const members = await startEtcdCluster(directory, 3);
    try {
      await members[0].put("a", "1");
      const views = await Promise.all(members.map(viewOf));
      assertEquals(new Set(views.map(({ leader }) => leader)).size, 1);
      const leader = members[views.findIndex(({ member, leader }) => member === leader)];
      const others = members.filter((member) => member !== leader);
      await leader.kill();
      await until("another leader", async () => { // a write before that would hang until it times out
        const { leader } = await viewOf(others[0]);
        return typeof leader === "string" && leader !== views[0].leader ? true : undefined;
      });
      await others[0].put("a", "2");
      assertEquals(await others[1].get("a"), "2");
      await leader.restart();
      assertEquals(await leader.get("a"), "2");
    } finally {
      await Promise.all(members.map((member) => member.stop()));
    }
  });
});

/** Ids of a member and of the leader that it knows; none is left out by etcd. */
async function viewOf(etcd: EtcdServer): Promise<{ member: unknown; leader: unknown }> {
  const { leader, header } = await etcd.call("/v3/maintenance/status", {});
  return { member: Object(header).member_id, leader };
}

Deno.test("dnsmasq tells just the records it was given, changed while it runs", async () => {
  await withDirectory(async (directory) => {
    const dns = await DnsServer.start(directory);
    try {
      assertEquals(await dig(dns.address, "node.peer.test", "A"), []);
      await dns.setAddresses("node.peer.test", ["127.0.0.2", "127.0.0.3", "::1"]);
      assertEquals(await dig(dns.address, "node.peer.test", "A"), ["127.0.0.2", "127.0.0.3"]);
      assertEquals(await dig(dns.address, "node.peer.test", "A", "+tcp"), ["127.0.0.2", "127.0.0.3"]);
      assertEquals(await dig(dns.address, "node.peer.test", "AAAA"), ["::1"]);
      const [answer] = await dig(dns.address, "node.peer.test", "AAAA", "+noshort", "+noall", "+answer");
      assertMatch(answer, /^node\.peer\.test\.\s+0\s+IN\s+AAAA\s+::1$/); // a TTL of 0
      await dns.setAddresses("node.peer.test", ["127.0.0.4"]);
      assertEquals(await dig(dns.address, "node.peer.test", "A"), ["127.0.0.4"]);
      assertEquals(await dig(dns.address, "node.peer.test", "AAAA"), []);
      await dns.setAddresses("node.peer.test", []);
      assertEquals(await dig(dns.address, "node.peer.test", "A"), []);
      assertEquals(await dig(dns.address, "localhost", "A"), []);
    } finally {
      await dns.stop();
    }
  });
});

Deno.test("dnsmasq tells services and keeps its records over an outage", async () => {
  await withDirectory(async (directory) => {
    const dns = await DnsServer.start(directory);
    try {
      await dns.setAddresses("one.peer.test", ["127.0.0.2"]);
      await dns.setServices("_muster._tcp.peer.test", [
        { target: "one.peer.test", port: 4002, priority: 1, weight: 5 },
        { target: "two.peer.test", port: 4003 },
      ]);
      const services = ["0 0 4003 two.peer.test.", "1 5 4002 one.peer.test."];
      assertEquals(await dig(dns.address, "_muster._tcp.peer.test", "SRV"), services);
      await dns.stop();
      await assertRejects(() => dig(dns.address, "one.peer.test", "A"), Error, "ended with 9");
      await dns.setAddresses("two.peer.test", ["127.0.0.3"]);
      await dns.restart();
      assertEquals(await dig(dns.address, "_muster._tcp.peer.test", "SRV"), services);
      assertEquals(await dig(dns.address, "one.peer.test", "A"), ["127.0.0.2"]);
      assertEquals(await dig(dns.address, "two.peer.test", "A"), ["127.0.0.3"]);
      await dns.setServices("_muster._tcp.peer.test", []);
      assertEquals(await dig(dns.address, "_muster._tcp.peer.test", "SRV"), []);
    } finally {
      await dns.stop();
    }
  });
});

type Ask = (method: string, path: string, init?: RequestInit) => Promise<{
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}>;

async function withKv(
  options: Parameters<typeof ConsulKvServer.start>[0],
  work: (ask: Ask, kv: ConsulKvServer) => Promise<void>,
): Promise<void> {
  const kv = await ConsulKvServer.start(options);
  try {
    await work(async (method, path, init) => {
      const response = await fetch(`${kv.url}/v1/kv/${path}`, { method, redirect: "manual", ...init });
      return { status: response.status, text: await response.text(), headers: response.headers };
    }, kv);
  } finally {
    await kv.stop();
  }
}

Deno.test("the KV server reads and writes as Consul does", async () => {
  await withKv({}, async (ask, kv) => {
    const missing = await ask("GET", "a");
    assertEquals([missing.status, missing.text], [404, ""]);
    assertEquals(missing.headers.get("X-Consul-Index"), "1");
    assertEquals((await ask("PUT", "a?flags=18446744073709551615", { body: "bar" })).text, "true");
    const found = await ask("GET", "a");
    const fields = '"Flags":18446744073709551615,"Value":"YmFy","CreateIndex":2,"ModifyIndex":2';
    assertEquals(found.text, `[{"LockIndex":0,"Key":"a",${fields}}]`);
    assertEquals(found.headers.get("Content-Type"), "application/json");
    assertEquals(found.headers.get("X-Consul-Index"), "2");
    assertEquals(found.headers.get("X-Consul-KnownLeader"), "true");
    assertEquals(found.headers.get("X-Consul-LastContact"), "0");
    const raw = await ask("GET", "a?raw");
    assertEquals([raw.text, raw.headers.get("Content-Type")], ["bar", "text/plain"]);
    await ask("PUT", "a?flags=18446744073709551615", { body: "bar" }); // changes nothing
    assertEquals((await ask("GET", "a")).headers.get("X-Consul-Index"), "2");
    await ask("PUT", "d%2Fe%20f");
    assertEquals(kv.get("d/e f"), "");
    assertEquals(JSON.parse((await ask("GET", "d/e%20f?pretty")).text)[0].Value, null);
    assertEquals((await ask("DELETE", "a")).text, "true");
    assertEquals((await ask("DELETE", "a")).text, "true");
    assertEquals(kv.get("a"), undefined);
    assertEquals((await ask("GET", "x//y")).headers.get("Location"), "/v1/kv/x/y");
    assertEquals(kv.requests.at(-1)?.target, "/v1/kv/x//y");
  });
});

Deno.test("the KV server writes under conditions", async () => {
  await withKv({}, async (ask, kv) => {
    assertEquals((await ask("PUT", "a?cas=5", { body: "1" })).text, "false");
    assertEquals((await ask("PUT", "a?cas=0", { body: "1" })).text, "true");
    assertEquals((await ask("PUT", "a?cas=0", { body: "2" })).text, "false");
    const { ModifyIndex } = JSON.parse((await ask("GET", "a")).text)[0];
    assertEquals((await ask("PUT", `a?cas=${ModifyIndex}`, { body: "3" })).text, "true");
    assertEquals((await ask("PUT", `a?cas=${ModifyIndex}`, { body: "4" })).text, "false");
    assertEquals(kv.get("a"), "3");
    assertEquals((await ask("DELETE", "a?cas=0")).text, "false");
    assertEquals((await ask("DELETE", `a?cas=${ModifyIndex + 1}`)).text, "true");
    assertEquals((await ask("DELETE", "a?cas=7")).text, "true"); // it is gone
    assertEquals((await ask("PUT", "a?acquire=x")).text, 'invalid session "x"');
    const refused = await Promise.all([
      ask("PUT", "a?cas=0&acquire=x"),
      ask("DELETE", "a?cas=0&recurse"),
      ask("GET", ""),
      ask("GET", "a?index=x"),
      ask("GET", "a?index=1&wait=soon"),
      ask("GET", "a?stale&consistent"),
      ask("POST", "a"),
      ask("GET", "a?dc=elsewhere"),
    ]);
    assertEquals(refused.map(({ status, text }) => [status, text]), [
      [400, "Conflicting flags: acquire=x&cas=0"],
      [400, "Conflicting flags: cas=0&recurse="],
      [400, "Missing key name"],
      [400, "Invalid index"],
      [400, "Invalid wait time"],
      [400, "Cannot specify ?stale with ?consistent, conflicting semantics."],
      [405, "method POST not allowed"],
      [500, "No path to datacenter"],
    ]);
    assertEquals((await ask("PUT", "a", { body: new Uint8Array(512 * 1024) })).status, 200);
    assertEquals((await ask("GET", "a?raw")).text.length, 512 * 1024); // comes compressed
    const large = await ask("PUT", "a", { body: new Uint8Array(512 * 1024 + 1) });
    assertEquals(large.status, 413);
    assertMatch(large.text, /^Request body\(524289 bytes\) too large, max size: 524288 bytes\. See /);
  });
});

Deno.test("the KV server lists and deletes by prefix, each namespace for itself", async () => {
  await withKv({}, async (ask, kv) => {
    for (const key of ["p/b", "p/a/1", "p/a/2", "q"]) kv.put(key, key);
    const keysOf = (text: string) => JSON.parse(text).map(({ Key }: { Key: string }) => Key);
    assertEquals(keysOf((await ask("GET", "p/?recurse")).text), ["p/a/1", "p/a/2", "p/b"]);
    assertEquals(JSON.parse((await ask("GET", "p/?keys&separator=/")).text), ["p/a/", "p/b"]);
    assertEquals(JSON.parse((await ask("GET", "?keys")).text).length, 4);
    assertEquals((await ask("GET", "none?recurse")).status, 404);
    assertEquals((await ask("GET", "none?keys")).status, 404);
    assertEquals((await ask("GET", "?keys&ns=team")).text, "[]");
    await ask("PUT", "q?ns=team&dc=dc1", { body: "team's" });
    await ask("PUT", "q?partition=part", { body: "part's" });
    assertEquals((await ask("GET", "q?raw&ns=team")).text, "team's");
    assertEquals((await ask("GET", "q?raw", { headers: { "X-Consul-Partition": "part" } })).text, "part's");
    assertEquals(kv.get("q"), "q");
    const before = Number((await ask("GET", "p/?recurse")).headers.get("X-Consul-Index"));
    await ask("DELETE", "p/a/?recurse");
    const after = await ask("GET", "p/?recurse");
    assertEquals(keysOf(after.text), ["p/b"]);
    assert(Number(after.headers.get("X-Consul-Index")) > before);
  });
});

Deno.test("the KV server holds a read until its key changes", async () => {
  await withKv({}, async (ask, kv) => {
    /** Makes a change once a read has come to wait, and gives what that read is answered. */
    const held = async (path: string, change: () => unknown) => {
      const seen = kv.requests.length;
      let isAnswered = false;
      const answer = ask("GET", path).finally(() => isAnswered = true);
      await until("the read arriving", () => kv.requests.length > seen || undefined);
      assertEquals(isAnswered, false);
      change();
      return await answer;
    };
    const created = await held("a?index=1&raw", () => kv.put("a", "new")); // a key that is not there yet
    assertEquals([created.status, created.text], [200, "new"]);
    const index = created.headers.get("X-Consul-Index");
    const changed = await held(`a?index=${index}&wait=1m&raw`, () => {
      kv.put("b", "does not wake it");
      kv.put("a", "newer");
    });
    assertEquals(changed.text, "newer");
    const prefix = await ask("GET", "a?recurse");
    const deleted = await held(`a?recurse&index=${prefix.headers.get("X-Consul-Index")}`, () => kv.delete("a"));
    assertEquals(deleted.status, 404);
    assert(Number(deleted.headers.get("X-Consul-Index")) > Number(prefix.headers.get("X-Consul-Index")));
    const unchanged = await ask("GET", "b?index=1000&wait=20ms&raw");
    assertEquals([unchanged.status, unchanged.text], [200, "does not wake it"]);
    let stopped: Promise<void> | undefined;
    await assertRejects(() => held("b?index=1000", () => stopped = kv.stop()), TypeError);
    await stopped;
    await assertRejects(() => ask("GET", "b"), TypeError);
    await kv.restart();
    assertEquals((await ask("GET", "b?raw")).text, "does not wake it");
  });
});

Deno.test("the KV server lets in who it should, and fails on demand", async () => {
  await withKv({ token: "t-1" }, async (ask, kv) => {
    const denied = await ask("PUT", "a", { body: "1" });
    assertEquals(denied.status, 403);
    const anonymous = "00000000-0000-0000-0000-000000000002";
    const text = `Permission denied: token with AccessorID '${anonymous}' lacks permission 'key:write' on "a"`;
    assertEquals(denied.text, text);
    assertEquals((await ask("GET", "a", { headers: { "X-Consul-Token": "t-2" } })).status, 403);
    assertEquals((await ask("GET", "a", { headers: { "X-Consul-Token": "t-1" } })).status, 404);
    assertEquals((await ask("GET", "a", { headers: { Authorization: "Bearer t-1" } })).status, 404);
    assertEquals((await ask("GET", "a?token=t-1")).status, 404);
    assertEquals(kv.requests.at(-2)?.headers.get("authorization"), "Bearer t-1");
    kv.failNext(2, 500, "No cluster leader");
    assertEquals((await ask("GET", "a?token=t-1")).text, "No cluster leader");
    assertEquals((await ask("GET", "a?token=t-1")).status, 500);
    assertEquals((await ask("GET", "a?token=t-1")).status, 404);
  });
  await withKv({ basicAuth: { username: "u", password: "p" } }, async (ask) => {
    const refused = await ask("GET", "a");
    assertEquals(refused.status, 401);
    assertNotEquals(refused.headers.get("WWW-Authenticate"), null);
    assertEquals((await ask("GET", "a", { headers: { Authorization: `Basic ${btoa("u:q")}` } })).status, 401);
    assertEquals((await ask("GET", "a", { headers: { Authorization: `Basic ${btoa("u:p")}` } })).status, 404);
  });
});

Deno.test("the KV server serves https and asks for a certificate of its CA", async () => {
  await withCertificates(async (certificates) => {
    const { ca, strangerCa } = certificates;
    await withKv({ certificates }, async (_ask, kv) => {
      assertEquals(await fetchStatus(`${kv.url}/v1/kv/a`, ca), 404);
      await assertRejects(() => fetchStatus(`${kv.url}/v1/kv/a`, strangerCa), TypeError);
    });
    await withKv({ certificates, clientAuth: true }, async (_ask, kv) => {
      assertEquals(await fetchStatus(`${kv.url}/v1/kv/a`, ca, certificates), 404);
      await assertRejects(() => fetchStatus(`${kv.url}/v1/kv/a`, ca), TypeError);
    });
  });
});
