/** The lease of a service, with an agent in this process that forgets, refuses and does not answer. */
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { decodeService } from "../../../src/core/health/definitions.ts";
import { AgentApi, API_FLAGS, ApiError } from "../../../src/program/client/agent_api.ts";
import { leaseId, ServiceLease } from "../../../src/program/client/service_lease.ts";
import { Flags } from "../../../src/program/config/flags.ts";
import { until } from "../../harness/processes.ts";

/** An agent as far as a lease asks it. */
class FakeAgent {
  /** Statuses of checks by their ids; undefined: the service is not there. */
  checks: Map<string, string> | undefined;
  /** What it answers instead. */
  refusal: number | undefined;
  /** What was asked of it: `register` with the number of checks, `pass`, `fail` with the note, `deregister`. */
  readonly asked: string[] = [];
  readonly #server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => this.#answer(request));

  get api(): AgentApi {
    return new AgentApi(Flags.parse([`-http-addr=127.0.0.1:${this.#server.addr.port}`], API_FLAGS));
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const [, what, id] = /\/(register|deregister|pass|fail)(?:\/(.*))?$/.exec(decodeURIComponent(pathname)) ?? [];
    const body = what === "register" ? decodeService(await request.json()) : undefined;
    if (this.refusal !== undefined) return new Response("no", { status: this.refusal });
    this.asked.push([what, body?.checks.length, searchParams.get("note")].filter((part) => part).join(" "));
    if (body) {
      // As an agent, which keeps the statuses of checks that are registered again.
      this.checks = new Map(body.checks.map(({ id }) => [id, this.checks?.get(id) ?? "critical"]));
      return new Response();
    }
    const isKnown = what === "deregister" ? this.checks !== undefined : this.checks?.has(id);
    if (what === "deregister") this.checks = undefined;
    else if (isKnown) this.checks?.set(id, what === "pass" ? "passing" : "critical");
    return new Response("", { status: isKnown ? 200 : 404 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

/** A lease of "web", which has a check besides; renewed every 20 ms. */
function settings(agent: FakeAgent, said: string[] = []) {
  const checks = [{ id: leaseId("web"), ttl: "1m" }, { id: "tcp", tcp: "a:1", interval: "10s" }];
  const service = decodeService({ name: "web", checks });
  const [lease, ...others] = service.checks;
  const say = (words: string) => void said.push(words);
  return { api: agent.api, service: { ...service, checks: others }, lease, ttlMs: 60, say };
}

// A command keeps its client to the end of the process.
const COMMAND = { sanitizeResources: false };

Deno.test("a lease passes while the service is up, and its end deregisters the service", COMMAND, async () => {
  await using agent = new FakeAgent();
  const lease = await ServiceLease.open(settings(agent));
  assertEquals([agent.asked[0], agent.asked[1]], ["register 1", "register 2"]);
  assertEquals(agent.checks?.get(leaseId("web")), "critical", "nobody finds it before it is up");
  lease.up("runs");
  await until("it is renewed", () => agent.asked.filter((one) => one === "pass runs").length > 3 || undefined);
  assertEquals([await lease.end(), await lease.end()], [undefined, undefined]);
  assertEquals([agent.checks, agent.asked.filter((one) => one === "deregister").length], [undefined, 1]);
});

Deno.test("checks are registered anew for each process of a service", COMMAND, async () => {
  await using agent = new FakeAgent();
  const lease = await ServiceLease.open(settings(agent));
  lease.up("the first");
  await until("it passes", () => agent.asked.includes("pass the first") || undefined);
  agent.checks?.set("tcp", "passing"); // as the agent saw the first one
  lease.down("restart");
  await until("it is down", () => agent.asked.includes("fail restart") || undefined);
  assertEquals([...agent.checks ?? []], [[leaseId("web"), "critical"], ["tcp", "critical"]]);
  lease.up("the second");
  await until("it passes", () => agent.asked.includes("pass the second") || undefined);
  assertEquals(agent.checks?.get("tcp"), "critical", "until the agent has seen the second one");
  await lease.end();
});

Deno.test(
  "an agent that has forgotten the service is given it again, and one that does not answer is asked again",
  COMMAND,
  async () => {
    await using agent = new FakeAgent();
    const said: string[] = [];
    const passes = () => agent.checks?.get(leaseId("web")) === "passing" || undefined;
    agent.refusal = 503;
    const lease = await ServiceLease.open(settings(agent, said));
    lease.up("runs");
    agent.refusal = undefined;
    await until("it is registered", passes);
    agent.checks = undefined;
    await until("it is registered again", passes);
    agent.refusal = 503;
    await until("the failure is told", () => said.length === 3 || undefined);
    assertEquals((await lease.end())?.status, 503);
    assertEquals(said.map((words) => words.replace(/: Unexpected .*$/, "")), [
      'Cannot register service "web", trying again',
      'The agent answers again: service "web" is registered',
      'Cannot register service "web", trying again',
    ]);
    agent.refusal = undefined;
    assertEquals([await lease.end(), agent.checks], [undefined, undefined], "tried again");
  },
);

Deno.test("a lease that the agent refuses is none", COMMAND, async () => {
  await using agent = new FakeAgent();
  agent.refusal = 403;
  const error = await assertRejects(() => ServiceLease.open(settings(agent)), ApiError);
  assertMatch(error.message, /^Unexpected response code: 403 \(no\)/);
});
