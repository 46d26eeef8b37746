/**
 * Services with TTL checks on the clients of a pool, and the question whether the catalog is right: whether a server
 * lists each check with the status that its own agent reports, no check besides, and each stopped agent as failed.
 * @module
 */
import type { AgentProcess } from "../../tests/harness/agents.ts";
import { until } from "../../tests/harness/processes.ts";

/** Different names; a service of one name has instances on several clients. */
const NAMES = 10;
const LOOK_MS = 200;
const RIGHT_MS_MAX = 180_000;
/** Check that the servers make for each member. */
const MEMBER_CHECK = "serfHealth";

/** One check in an answer of the catalog or of an agent. */
interface Check {
  readonly Node: string;
  readonly CheckID: string;
  readonly Status: string;
}

/** Registers `count` services, one after the other at each client, all clients at once. */
export async function registerServices(clients: readonly AgentProcess[], count: number): Promise<void> {
  await Promise.all(clients.map(async (client, first) => {
    for (let at = first; at < count; at += clients.length) {
      const service = {
        ID: `service-${at}`,
        Name: `service-${at % NAMES}`,
        Port: 1000 + at,
        Check: { TTL: "1h", Status: "passing" },
      };
      await put(client, "/v1/agent/service/register", service);
    }
  }));
}

/** Sets the TTL check of a service of {@linkcode registerServices}. */
export async function reportCritical(client: AgentProcess, service: number): Promise<void> {
  await put(client, `/v1/agent/check/fail/service:service-${service}`);
}

async function put(agent: AgentProcess, path: string, body?: unknown): Promise<void> {
  const { status, text } = await agent.http("PUT", path, body === undefined ? undefined : JSON.stringify(body));
  if (status !== 200) throw new Error(`${agent.place.name}: PUT ${path}: ${status} ${text}`);
}

/**
 * Waits until the catalog is right.
 * @param server The server to ask for its copy of the catalog.
 * @param agents All agents, running and stopped.
 * @returns Seconds that it took.
 * @throws {Error} When the catalog is still wrong after three minutes, naming a difference.
 */
export async function catalogIsRight(server: AgentProcess, agents: readonly AgentProcess[]): Promise<number> {
  const startedMs = performance.now();
  await until("a catalog that is right", async () => {
    const difference = await differenceOf(server, agents);
    if (difference === undefined) return true;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    throw new Error(difference);
  }, RIGHT_MS_MAX);
  return (performance.now() - startedMs) / 1000;
}

async function differenceOf(server: AgentProcess, agents: readonly AgentProcess[]): Promise<string | undefined> {
  const listed: Check[] = await server.get("/v1/health/state/any?stale");
  const byNode = Map.groupBy(listed, ({ Node }) => Node);
  for (const { place: { name }, running } of agents) {
    const health = byNode.get(name)?.find(({ CheckID }) => CheckID === MEMBER_CHECK)?.Status;
    if ((health === "passing") !== running) return `${name} is ${health ?? "not listed"} in the catalog`;
  }
  const differences = agents.filter(({ running }) => running).map(async (agent) => {
    const { name } = agent.place;
    const own: Record<string, Check> = await agent.get("/v1/agent/checks");
    const catalog = (byNode.get(name) ?? []).filter(({ CheckID }) => CheckID !== MEMBER_CHECK);
    const wrong = catalog.find(({ CheckID, Status }) => own[CheckID]?.Status !== Status);
    if (wrong) return `${name}/${wrong.CheckID} is ${wrong.Status} in the catalog alone`;
    const missing = Object.keys(own).length - catalog.length;
    return missing === 0 ? undefined : `${missing} checks of ${name} are missing in the catalog`;
  });
  return (await Promise.all(differences)).find((difference) => difference !== undefined);
}
