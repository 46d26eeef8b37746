/** Keys of Consul and etcd over HTTP, against servers in this process: requests, answers, refusals, endpoints that fail. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { ConsulOptions, EtcdOptions, HttpServer } from "../../../src/drivers/discovery/api.ts";
import { ConsulKey } from "../../../src/drivers/discovery/consul.ts";
import { EtcdKey } from "../../../src/drivers/discovery/etcd.ts";
import { UnreachableError } from "../../../src/drivers/discovery/http_client.ts";
import { StoreError } from "../../../src/drivers/discovery/kv_store.ts";
import { freePort } from "../../harness/processes.ts";

/** A request as the server got it. */
interface Got {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  readonly text: string;
}

type Answering = (request: Got) => { status?: number; text: string };

/** A server that answers as `answer` says. */
async function withServer(
  answer: Answering,
  work: (server: HttpServer, got: Got[]) => Promise<void>,
): Promise<void> {
  const got: Got[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { pathname, search } = new URL(request.url);
    const one = {
      method: request.method,
      path: pathname + search,
      headers: request.headers,
      text: await request.text(),
    };
    got.push(one);
    const { status = 200, text } = answer(one);
    return new Response(text, { status });
  });
  try {
    await work({ hostname: "127.0.0.1", port: server.addr.port, tls: undefined, timeoutMs: 5000 }, got);
  } finally {
    await server.shutdown();
  }
}

function consul(server: HttpServer, more: Partial<ConsulOptions> = {}): ConsulKey {
  const options = { datacenter: "", namespace: "", partition: "", token: "", basicAuth: undefined, ...more };
  return new ConsulKey({ mode: "consul-kv", key: "a/leader of b", deadAfterMs: 0, server, ...options });
}

Deno.test("ConsulKey reads, creates, replaces and writes its key, with what it was told to show", async () => {
  let answer = "true";
  await withServer(() => ({ text: answer }), async (server, got) => {
    const key = consul(server, {
      token: "t",
      datacenter: "dc1",
      namespace: "ns",
      basicAuth: { username: "u", password: "p" },
    });
    assertEquals(await key.create("x"), true);
    assertEquals(await key.replace("y", "7"), true);
    await key.put("z");
    answer = "false";
    assertEquals(await key.create("x"), false);
    await assertRejects(() => key.put("z"), StoreError, "the write was refused");
    answer = JSON.stringify([{ Value: btoa("x"), ModifyIndex: 8 }]);
    assertEquals(await key.get(), { text: "x", revision: "8" });
    answer = JSON.stringify([{ Value: null, ModifyIndex: 9 }]);
    assertEquals(await key.get(), { text: "", revision: "9" });
    const query = (at: number) => Object.fromEntries(new URLSearchParams(got[at].path.split("?")[1]));
    assertEquals(got[0].path.split("?")[0], "/v1/kv/a/leader%20of%20b");
    assertEquals([query(0).cas, query(0).dc, query(0).ns], ["0", "dc1", "ns"]);
    assert(Math.abs(Number(query(0).flags) - Date.now() / 1000) < 60);
    assertEquals([query(1).cas, query(2).cas], ["7", undefined]);
    assertEquals([got[0].method, got[0].text, got.at(-1)?.method], ["PUT", "x", "GET"]);
    assertEquals([got[0].headers.get("x-consul-token"), got[0].headers.get("authorization")], [
      "t",
      `Basic ${btoa("u:p")}`,
    ]);
    assertEquals(key.name, `key a/leader of b of Consul at http://127.0.0.1:${server.port}`);
  });
});

Deno.test("ConsulKey tells a refusal, and what is no answer of Consul", async () => {
  let answer = { status: 200, text: "" };
  await withServer(() => answer, async (server) => {
    const key = consul(server);
    answer = { status: 404, text: "" };
    assertEquals(await key.get(), undefined);
    answer = { status: 403, text: "Permission denied" };
    await assertRejects(() => key.put("x"), StoreError, "403 Permission denied (is the token right");
    for (const text of ["{}", "[]", "no JSON", JSON.stringify([{ Value: 1, ModifyIndex: 1 }])]) {
      answer = { status: 200, text };
      await assertRejects(() => key.get(), StoreError, "expected a list with one entry");
      await assertRejects(() => key.create("x"), StoreError, "expected true or false");
    }
    answer = { status: 200, text: "x".repeat(1024 * 1024 + 1) };
    await assertRejects(() => key.get(), UnreachableError, "an answer longer than");
  });
  const nobody = consul({ hostname: "127.0.0.1", port: freePort(), tls: undefined, timeoutMs: 1000 });
  const error = await assertRejects(() => nobody.get(), UnreachableError, "connection refused");
  assertEquals(error.sent, false);
});

Deno.test("a server that keeps silent, or speaks something else, is told as such", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const server = { hostname: "127.0.0.1", port: listener.addr.port, tls: undefined, timeoutMs: 100 };
  try {
    const silent = assertRejects(() => consul(server).get(), UnreachableError, "no answer within 100 ms");
    const first = await listener.accept();
    assertEquals((await silent).sent, true);
    first.close();
    const strange = assertRejects(() => consul(server).get(), UnreachableError);
    const second = await listener.accept();
    await second.write(new TextEncoder().encode("SSH-2.0-x\r\n"));
    assert((await strange).message.includes(`http://127.0.0.1:${server.port}: `));
    second.close();
  } finally {
    listener.close();
  }
});

const HEADER = { cluster_id: "1" };

function etcd(endpoints: readonly HttpServer[], more: Partial<EtcdOptions> = {}): EtcdKey {
  return new EtcdKey({ mode: "etcd-kv", key: "k", deadAfterMs: 0, endpoints, auth: undefined, token: "", ...more });
}

Deno.test("EtcdKey reads, creates, replaces and writes its key by transactions", async () => {
  let answer: unknown = { header: HEADER, succeeded: true };
  await withServer(() => ({ text: JSON.stringify(answer) }), async (server, got) => {
    const key = etcd([server]);
    assertEquals(await key.create("x"), true);
    assertEquals(await key.replace("y", "7"), true);
    answer = { header: HEADER };
    assertEquals(await key.create("x"), false);
    assertEquals(await key.get(), undefined);
    await key.put("z");
    answer = { header: HEADER, kvs: [{ value: btoa("x"), mod_revision: "8" }] };
    assertEquals(await key.get(), { text: "x", revision: "8" });
    answer = { header: HEADER, kvs: [{ mod_revision: "9" }] };
    assertEquals(await key.get(), { text: "", revision: "9" });
    answer = { header: HEADER, kvs: [{ value: 1 }] };
    await assertRejects(() => key.get(), StoreError, "expected an entry with value and mod_revision");
    answer = [];
    await assertRejects(() => key.get(), StoreError, "expected an answer of etcd");
    const bodies = got.map(({ text }) => JSON.parse(text));
    const put = (text: string) => [{ request_put: { key: btoa("k"), value: btoa(text) } }];
    assertEquals(bodies[0], {
      compare: [{ key: btoa("k"), target: "VERSION", result: "EQUAL", version: "0" }],
      success: put("x"),
    });
    assertEquals(bodies[1].compare[0].mod_revision, "7");
    assertEquals(got.map(({ path }) => path.slice(7)), [
      "txn",
      "txn",
      "txn",
      "range",
      "put",
      ...Array(4).fill("range"),
    ]);
  });
});

Deno.test("EtcdKey shows a token, which it asks for anew when it has run out, and tells a refusal", async () => {
  let tokens = 0;
  const answer: Answering = ({ path, headers }) => {
    if (path === "/v3/auth/authenticate") return { text: JSON.stringify({ header: HEADER, token: `t${++tokens}` }) };
    if (headers.get("authorization") === "t2") return { text: JSON.stringify({ header: HEADER }) };
    return { status: 401, text: JSON.stringify({ error: "invalid auth token", code: 16 }) };
  };
  await withServer(answer, async (server, got) => {
    assertEquals(await etcd([server], { auth: { username: "u", password: "p" } }).get(), undefined);
    assertEquals(JSON.parse(got[0].text), { name: "u", password: "p" });
    assertEquals(got.map(({ headers }) => headers.get("authorization")), [null, "t1", null, "t2"]);
    await assertRejects(() => etcd([server], { token: "wrong" }).get(), StoreError, "401 invalid auth token");
  });
  await withServer(() => ({ text: JSON.stringify({ header: HEADER }) }), async (server) => {
    await assertRejects(() => etcd([server], { auth: { username: "u", password: "p" } }).get(), StoreError, "a token");
  });
});

Deno.test("EtcdKey asks the next endpoint, but sends a write only once", async () => {
  const failing: Answering = () => ({ status: 503, text: '{"error":"no leader"}' });
  await withServer(
    failing,
    (first, firstGot) =>
      withServer(() => ({ text: JSON.stringify({ header: HEADER, succeeded: true }) }), async (second, secondGot) => {
        const key = etcd([first, second]);
        await assertRejects(() => key.create("x"), UnreachableError, "503 no leader");
        assertEquals([firstGot.length, secondGot.length], [1, 0], "it may have been made");
        assertEquals(await key.create("x"), true);
        assertEquals([firstGot.length, secondGot.length], [1, 1]);
        const other = etcd([first, second]);
        assertEquals(await other.get(), undefined);
        assertEquals([firstGot.length, secondGot.length], [2, 2], "a read may be repeated");
        const all = etcd([first]);
        await assertRejects(() => all.get(), UnreachableError, "key k of etcd: ");
      }),
  );
});
