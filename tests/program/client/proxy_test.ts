/** The proxy of the environment: Go's rules, and that nothing for this machine goes to it (C3.11). */
import { assertEquals, assertRejects } from "@std/assert";
import { AgentApi, API_FLAGS, ApiError } from "../../../src/program/client/agent_api.ts";
import { keepLoopbackDirect, proxyFor } from "../../../src/program/client/proxy.ts";
import { Flags } from "../../../src/program/config/flags.ts";

function ask(url: string, variables: Readonly<Record<string, string>>): string | undefined {
  return proxyFor(new URL(url), (name) => variables[name]);
}

Deno.test("proxyFor() takes the variable of the scheme, upper case first, and no all_proxy", () => {
  assertEquals(ask("http://10.0.0.1:8500", { http_proxy: "p.test:3128" }), "http://p.test:3128");
  assertEquals(ask("http://10.0.0.1:8500", { http_proxy: "http://low", HTTP_PROXY: "socks5://up" }), "socks5://up");
  assertEquals(ask("http://10.0.0.1:8500", { https_proxy: "http://p" }), undefined);
  assertEquals(ask("https://10.0.0.1", { https_proxy: "http://p", http_proxy: "http://q" }), "http://p");
  assertEquals(ask("http://10.0.0.1", { all_proxy: "http://p", ALL_PROXY: "http://p" }), undefined);
});

Deno.test("proxyFor() keeps requests for this machine, and what no_proxy names, away from it", () => {
  for (const host of ["localhost", "LOCALHOST:1", "127.0.0.1:8500", "127.9.9.9", "[::1]:8500", "[::ffff:127.0.0.1]"]) {
    assertEquals(ask(`http://${host}/`, { http_proxy: "http://p" }), undefined, host);
  }
  const cases: [no_proxy: string, host: string, isDirect: boolean][] = [
    ["*", "a.test", true],
    ["example.com", "example.com", true],
    ["example.com", "a.example.com", true],
    ["example.com", "notexample.com", false],
    [".example.com", "example.com", false],
    [" b.test , .example.com", "a.example.com:8500", true],
    ["*.example.com", "a.example.com", true],
    ["10.0.0.0/8", "10.200.0.1", true],
    ["10.0.0.0/9", "10.200.0.1", false],
    ["10.0.0.1", "10.0.0.1:8500", true],
    ["10.0.0.1:80", "10.0.0.1:8500", false],
    ["10.0.0.1:80", "10.0.0.1", true],
    ["2001:db8::/32", "[2001:db8:1::1]", true],
    ["[2001:db8::1]:8500", "[2001:db8::1]:8500", true],
    ["2001:db8::1", "[2001:db8::1]:8500", true],
    ["", "a.test", false],
  ];
  for (const [no_proxy, host, isDirect] of cases) {
    assertEquals(
      ask(`http://${host}/`, { http_proxy: "http://p", no_proxy }) === undefined,
      isDirect,
      `${no_proxy} ${host}`,
    );
  }
});

// A command keeps its client to the end of the process.
Deno.test("AgentApi sends a request for this machine, and its token, to no proxy, and names one that was asked", {
  sanitizeResources: false,
}, async () => {
  const seen: string[] = [];
  const answers = (answer: Response) => (request: Request) => {
    seen.push(`${new URL(request.url).hostname} ${request.headers.get("x-consul-token")}`);
    return answer.clone();
  };
  const options = { hostname: "127.0.0.1", port: 0, onListen() {} };
  await using agent = Deno.serve(options, answers(Response.json(["here"])));
  await using proxy = Deno.serve(options, answers(new Response("denied", { status: 403 })));
  const before = Deno.env.get("http_proxy");
  Deno.env.set("http_proxy", `http://me:hidden@127.0.0.1:${proxy.addr.port}`);
  try {
    const api = (address: string) =>
      new AgentApi(Flags.parse([`-http-addr=${address}`, "-token=very-secret"], API_FLAGS));
    assertEquals(await api(`127.0.0.1:${agent.addr.port}`).get("/v1/status/peers"), ["here"]);
    assertEquals(seen, ["127.0.0.1 very-secret"]);
    const error = await assertRejects(() => api("muster.test:8500").get("/v1/status/leader"), ApiError);
    assertEquals(
      error.message,
      `Unexpected response code: 403 (denied) (asked through the proxy http://127.0.0.1:${proxy.addr.port} of the environment)`,
    );
    assertEquals(Deno.env.get("http_proxy")?.includes("hidden"), true, "the environment stays as it was");
  } finally {
    if (before === undefined) Deno.env.delete("http_proxy");
    else Deno.env.set("http_proxy", before);
  }
});

Deno.test("keepLoopbackDirect() adds this machine to what needs no proxy, if there is one", () => {
  const names = [
    "http_proxy",
    "HTTP_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
  ];
  const before = names.map((name) => [name, Deno.env.get(name)] as const);
  try {
    for (const name of names) Deno.env.delete(name);
    keepLoopbackDirect();
    assertEquals(Deno.env.get("NO_PROXY"), undefined);
    Deno.env.set("https_proxy", "http://p");
    Deno.env.set("no_proxy", "example.com");
    keepLoopbackDirect();
    assertEquals(Deno.env.get("NO_PROXY"), "example.com,localhost,127.0.0.0/8,::1");
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
});
