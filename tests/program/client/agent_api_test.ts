/** Whom the commands ask, as whom, and what they say when nobody answers. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { AgentApi, API_FLAGS, ApiError } from "../../../src/program/client/agent_api.ts";
import { readEntries } from "../../../src/program/client/kv_entries.ts";
import { Flags } from "../../../src/program/config/flags.ts";
import { describeCluster } from "../../../src/program/shell/cluster_screen.ts";
import { Session } from "../../../src/program/shell/session.ts";

/** Variables that would have their say. */
const VARIABLES = ["MUSTER_HTTP_ADDR", "CONSUL_HTTP_ADDR", "CONSUL_HTTP_AUTH", "CONSUL_HTTP_SSL"];

function api(...args: string[]): AgentApi {
  for (const name of VARIABLES) Deno.env.delete(name);
  return new AgentApi(Flags.parse(args, API_FLAGS));
}

Deno.test("the user in an address is who asks, also at other nodes, and before the one of the environment", async () => {
  const heard: (string | null)[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, ({ headers }) => {
    heard.push(headers.get("authorization"));
    return new Response("{}");
  });
  try {
    const { port } = server.addr;
    const asked = api(`-http-addr=http://bob:p%40w:x@127.0.0.1:${port}`);
    await asked.get("/status");
    await asked.at(`http://127.0.0.1:${port}`).get("/status");
    await asked.at(`http://ann:pw@127.0.0.1:${port}`).get("/status");
    const plain = api(`-http-addr=127.0.0.1:${port}`);
    await plain.get("/status");
    Deno.env.set("CONSUL_HTTP_AUTH", "eve:pw");
    await new AgentApi(Flags.parse([`-http-addr=bob:pw@127.0.0.1:${port}`], API_FLAGS)).get("/status");
    const basic = (user: string) => `Basic ${btoa(user)}`;
    assertEquals(heard, [basic("bob:p@w:x"), basic("bob:p@w:x"), basic("ann:pw"), null, basic("bob:pw")]);
  } finally {
    Deno.env.delete("CONSUL_HTTP_AUTH");
    await server.shutdown();
  }
});

Deno.test("an answer that is none of an agent is an error, and no empty state", async () => {
  let answer = "";
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => new Response(answer));
  try {
    const asked = api(`-http-addr=127.0.0.1:${server.addr.port}`);
    const session = new Session({ api: asked, write: () => {}, writeError: () => {} });
    const words = "the answer is not that of an agent (";
    for (answer of ["null", "1", '"a"', "", "<html>"]) {
      if (answer === "" || answer === "<html>") {
        await assertRejects(() => asked.get("/v1/agent/members"), ApiError, words);
      }
      await assertRejects(() => describeCluster(asked), ApiError, words);
      await assertRejects(() => readEntries(asked, "/v1/kv/?recurse"), ApiError, words);
      await assertRejects(() => session.run("SELECT 1"), ApiError, words);
    }
    answer = "{}";
    await assertRejects(() => describeCluster(asked), ApiError, words);
    await assertRejects(() => readEntries(asked, "/v1/kv/?recurse"), ApiError, words);
    await assertRejects(() => session.run("SELECT 1"), ApiError, words);
  } finally {
    await server.shutdown();
  }
});

Deno.test("an address that cannot be used is refused without its password", () => {
  assertThrows(
    () => api("-http-addr=https://bob:100%@host:4001"),
    ApiError,
    "Cannot read the user in the address of host:4001: write a % in it as %25, or use CONSUL_HTTP_AUTH=NAME:PASSWORD",
  );
  const wrong = assertThrows(() => api("-http-addr=https://bob:se@cret@ho st:4001"), ApiError);
  assertEquals(wrong.message, 'Cannot use "https://ho st:4001" as the address of an agent: expected host:port');
});

Deno.test("when nobody answers, every address that was tried is named, and what is there by default", async () => {
  const { fetch } = globalThis;
  globalThis.fetch = (url) => Promise.reject(new TypeError(`no way to ${url}: client error (Connect): refused`));
  const advice = "-http-addr or MUSTER_HTTP_ADDR says where it is";
  try {
    const said = async (asking: () => Promise<unknown>) => (await assertRejects(asking, ApiError)).message;
    assertEquals(
      await said(() => api().get("/x")),
      "no way to http://localhost:4001/x: client error (Connect): refused, nor does anybody answer at 127.0.0.1:8500, " +
        `where an agent is by default; is an agent running there? ${advice}`,
    );
    assertEquals(
      await said(() => api().stream("GET", "/x")),
      "no way to http://127.0.0.1:8500/x: client error (Connect): refused, nor does anybody answer at localhost:4001, " +
        `where a node of muster serve is by default; is a node running there? ${advice}`,
    );
    assertEquals(
      await said(() => api("-http-addr=a:1,b:2,c:3").get("/x")),
      "no way to http://c:3/x: client error (Connect): refused, nor does anybody answer at a:1, b:2; " +
        `is an agent running there? ${advice}`,
    );
    assertEquals(
      await said(() => api("-http-addr=a:1").get("/x")),
      `no way to http://a:1/x: client error (Connect): refused; is an agent running there? ${advice}`,
    );
  } finally {
    globalThis.fetch = fetch;
  }
});
