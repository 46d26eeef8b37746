/** The requests of a rendezvous, over a registry in memory. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Registry, RendezvousHandler } from "../../../src/api/rendezvous/handler.ts";
import type { Announcement, Member } from "../../../src/core/rendezvous/announcement.ts";

class MemoryRegistry implements Registry {
  readonly tokens = new Set(["acme/prod right", "acme/test other"]);
  readonly members = new Map<string, Map<string, Member>>();
  isDown = false;

  isToken(infrastructure: string, token: string): Promise<boolean> {
    return Promise.resolve(this.tokens.has(`${infrastructure} ${token}`));
  }

  announce(infrastructure: string, { node, address }: Announcement): Promise<readonly Member[]> {
    const of = this.members.get(infrastructure) ?? new Map<string, Member>();
    this.members.set(infrastructure, of.set(node, { node, address }));
    return Promise.resolve([...of.values()]);
  }

  forget(infrastructure: string, node: string): Promise<void> {
    this.members.get(infrastructure)?.delete(node);
    return Promise.resolve();
  }

  check(): Promise<void> {
    return this.isDown ? Promise.reject(new Error("no leader")) : Promise.resolve();
  }
}

interface Asked {
  readonly method?: string;
  readonly token?: string;
  readonly body?: BodyInit;
  readonly remote?: string;
  readonly nowMs?: number;
}

function rendezvous() {
  const registry = new MemoryRegistry();
  const lines: string[] = [];
  const handler = new RendezvousHandler(registry, (line) => lines.push(line));
  const ask = async (path: string, { method = "POST", token, body, remote = "10.0.0.9", nowMs = 0 }: Asked = {}) => {
    const headers: HeadersInit = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    const request = new Request(`http://x${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
    const response = await handler.handle(request, remote, nowMs);
    return { status: response.status, text: (await response.text()).trim(), headers: response.headers };
  };
  return { registry, lines, ask };
}

const PLACE = "/v1/rendezvous/acme/prod";
const BODY = '{"Node":"a","Address":"10.0.0.1:8301"}';

Deno.test("a rendezvous tells the agents of one infrastructure of each other, and nobody of another one", async () => {
  const { ask } = rendezvous();
  await ask(PLACE, { token: "right", body: BODY });
  const { status, text } = await ask(PLACE, { token: "right", body: BODY.replace('"a"', '"b"') });
  assertEquals([status, JSON.parse(text).Members.map(({ Node }: { Node: string }) => Node)], [200, ["a", "b"]]);
  const other = await ask("/v1/rendezvous/acme/test", { token: "other", body: BODY });
  assertEquals(JSON.parse(other.text).Members.length, 1);
  assertEquals((await ask("/v1/rendezvous/acme/test", { token: "right", body: BODY })).status, 403);
  assertEquals((await ask(`${PLACE}/a`, { method: "DELETE", token: "other" })).status, 403);
  assertEquals((await ask(`${PLACE}/a`, { method: "DELETE", token: "right" })).text, "true");
  assertEquals(
    JSON.parse((await ask(PLACE, { token: "right", body: BODY.replace('"a"', '"b"') })).text).Members.length,
    1,
  );
});

Deno.test("a rendezvous says what it expected", async () => {
  const { ask, lines, registry } = rendezvous();
  const refused: [string, Asked, number, RegExp][] = [
    [PLACE, {}, 401, /Authorization: Bearer TOKEN/],
    [PLACE, { token: "wrong" }, 403, /not a token of acme\/prod: make one with/],
    ["/v1/rendezvous/acme", { token: "right" }, 404, /expected \/v1\/rendezvous\/USER\/NAME/],
    ["/v1/rendezvous/%/x", { token: "right" }, 404, /expected/],
    ["/", {}, 404, /expected/],
    [PLACE, { method: "GET", token: "right" }, 405, /expected POST/],
    [PLACE, { token: "right", body: "{" }, 400, /JSON/],
    [PLACE, { token: "right", body: "x".repeat(5000) }, 400, /at most 4096 bytes/],
    [`${PLACE}/a/b`, { method: "POST", token: "right" }, 405, /expected/],
  ];
  for (const [path, asked, status, words] of refused) {
    const answer = await ask(path, asked);
    assertEquals(answer.status, status, path);
    assertMatch(answer.text, words);
  }
  assertEquals(lines, ["rendezvous: refused 10.0.0.9: not a token of acme/prod"]);
  assertEquals((await ask("/healthz", { method: "GET" })).status, 200);
  registry.isDown = true;
  assertEquals((await ask("/healthz", { method: "GET" })).status, 503);
});

Deno.test("wrong tokens, and requests at all, are limited per address", async () => {
  const { ask, lines } = rendezvous();
  const statuses: number[] = [];
  for (let count = 0; count < 30; count++) statuses.push((await ask(PLACE, { token: "wrong", body: BODY })).status);
  assertEquals([statuses[0], statuses[29]], [403, 429]);
  assert(lines.length < 30);
  assertEquals((await ask(PLACE, { token: "wrong", body: BODY, remote: "10.0.0.8" })).status, 403, "another address");
  assertEquals((await ask(PLACE, { token: "right", body: BODY })).status, 200, "a right token is no guess");
  let last = 0;
  for (let count = 0; count < 500; count++) last = (await ask(PLACE, { token: "right", body: BODY })).status;
  assertEquals(last, 429);
  const { status, headers } = await ask("/healthz", { method: "GET" });
  assertEquals([status, headers.get("Retry-After")], [429, "1"]);
  assertEquals((await ask(PLACE, { token: "right", body: BODY, nowMs: 60_000 })).status, 200);
});
