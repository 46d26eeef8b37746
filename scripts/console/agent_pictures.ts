/**
 * Pictures of the pages that agents have: three servers with tokens, services of which one is ill, keys, and some load.
 * @module
 */
import { agentPlace, type AgentProcess, withAgents } from "../../tests/harness/agents.ts";
import { type Tab, type TestBrowser } from "../../tests/harness/browser.ts";
import { until } from "../../tests/harness/processes.ts";
import { takePicture } from "./take_picture.ts";

/** How long there is load before the figures are drawn: they have a sample every ten seconds. */
const LOAD_MS = 180_000;
const NAMES = ["lisbon", "oslo", "kyoto"];
const SERVICES = [
  { Name: "web", Port: 8080, Tags: ["blue", "v2"], Status: "passing", Output: "HTTP GET /health: 200 OK" },
  { Name: "payments", Port: 9000, Tags: ["v1"], Status: "passing", Output: "connected" },
  { Name: "search", Port: 9200, Tags: ["v7"], Status: "warning", Output: "cluster health is yellow" },
];
const CONFIG = { listen: "0.0.0.0:8080", log: { level: "info", json: true }, features: ["search", "gifts"] };
const RULES = `key_prefix "app/" { policy = "write" }\nservice "web"      { policy = "write" }\nsql = "read"\n`;

type Send = (agent: AgentProcess, method: string, path: string, body?: unknown) => Promise<string>;

/** Takes them. */
export async function agentPictures(browser: TestBrowser, folder: string): Promise<void> {
  await withAgents(async (root, start) => {
    await Deno.writeTextFile(`${root}/acl.hcl`, `acl { enabled = true  default_policy = "allow" }`);
    const places = NAMES.map((name) => agentPlace(root, name));
    const joins = places.map(({ host, port }) => `-retry-join=${host}:${port}`);
    const flags = [`-config-file=${root}/acl.hcl`, "-server", "-bootstrap-expect=3", ...joins];
    const agents = places.map((place) => start(place, ...flags));
    await Promise.all(agents.map((agent) => agent.up()));
    await until("they know who leads", () => agents[0].leader());
    const made = await fetch(`${agents[0].url}/v1/acl/bootstrap`, { method: "PUT" });
    const { SecretID: secret } = await made.json();
    const send: Send = async ({ url }, method, path, body) => {
      const response = await fetch(`${url}/${path}`, {
        method,
        headers: { "X-Consul-Token": secret, "Content-Type": "application/json" },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      return await response.text();
    };
    await fill(agents, send);
    const tab = await browser.open(`${agents[0].url}/console/`);
    await tab.page.getByRole("button", { name: "Sign in" }).first().click();
    await tab.page.getByRole("dialog").getByLabel("Token").fill(secret);
    await tab.page.getByRole("dialog").getByRole("button", { name: "Sign in" }).click();
    await tab.page.getByRole("button", { name: /sign out/ }).waitFor();
    await pages(tab, { agents, send, folder });
  });
}

/** Gives them something to show. */
async function fill(agents: readonly AgentProcess[], send: Send): Promise<void> {
  for (const [at, agent] of agents.entries()) {
    for (const { Output, Status, ...service } of SERVICES) {
      const isIll = at === 1 && service.Name === "payments";
      const check = {
        CheckID: `${service.Name}-health`,
        Name: `${service.Name} answers`,
        TTL: "1h",
        Status: isIll ? "critical" : Status,
      };
      await send(agent, "PUT", "v1/agent/service/register", { ...service, Meta: { version: "2.4.1" }, Check: check });
      await send(agent, "PUT", `v1/agent/check/update/${check.CheckID}`, {
        Status: check.Status,
        Output: isIll ? "dial tcp 10.0.0.12:9000: connect: connection refused" : Output,
      });
    }
  }
  const [agent] = agents;
  await send(agent, "PUT", "v1/kv/app/config", CONFIG);
  for (const key of ["app/color", "app/web/replicas", "app/web/image", "jobs/nightly", "jobs/hourly", "motd"]) {
    await send(agent, "PUT", `v1/kv/${key}`, "3");
  }
  await send(agent, "PUT", "v1/acl/policy", { Name: "app", Description: "What the shop needs", Rules: RULES });
  await send(agent, "PUT", "v1/acl/token", { Description: "web on lisbon", Policies: [{ Name: "app" }] });
  const mary = { UserName: "mary", Password: "correct horse", Description: "Mary", Policies: [{ Name: "app" }] };
  await send(agent, "PUT", "v1/acl/token", mary);
  await send(agent, "POST", "db/execute", ["CREATE TABLE visits (id INTEGER PRIMARY KEY, at TEXT)"]);
}

async function pages(
  tab: Tab,
  { agents, send, folder }: { readonly agents: readonly AgentProcess[]; readonly send: Send; readonly folder: string },
): Promise<void> {
  const { page } = tab;
  const [agent] = agents;
  const open = (hash: string) => page.goto(`${agent.url}/console/#/${hash}`);
  const load = keepBusy(agent, send);
  await open("services");
  await page.locator("tbody tr").first().getByText("payments").waitFor();
  await takePicture(tab, `${folder}console-services.png`);
  await open("services/service/payments");
  await page.getByText("connection refused").waitFor();
  await takePicture(tab, `${folder}console-service.png`);
  await open("kv/key/app%2Fconfig");
  await page.locator("pre.value").waitFor();
  await page.locator(".key-tree").getByText("color").waitFor();
  await takePicture(tab, `${folder}console-key.png`);
  await open("access");
  await page.getByText("web on lisbon").waitFor();
  await takePicture(tab, `${folder}console-access.png`);
  await open("operations");
  await page.getByRole("button", { name: "Let it lead" }).first().click();
  await page.getByRole("dialog").waitFor();
  await takePicture(tab, `${folder}console-operations.png`);
  await page.keyboard.press("Escape");
  await load;
  await open("figures");
  await page.locator("canvas").nth(10).waitFor();
  await takePicture(tab, `${folder}console-figures.png`);
}

/** Writes and reads for a while, more and less. */
async function keepBusy(agent: AgentProcess, send: Send): Promise<void> {
  const untilMs = Date.now() + LOAD_MS;
  for (let round = 0; Date.now() < untilMs; round++) {
    await send(agent, "POST", "db/execute", [`INSERT INTO visits(at) VALUES ('${new Date().toISOString()}')`]);
    await send(agent, "POST", "db/query?level=none", ["SELECT count(*) FROM visits"]);
    const pauseMs = 30 + 25 * (1 + Math.sin(round / 200));
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
