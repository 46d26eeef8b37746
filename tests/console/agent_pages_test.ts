/**
 * The pages of the console that agents alone have, and those for whoever runs a cluster, in a real browser: one agent with
 * tokens, on which everything is tried.
 */
import { assert, assertEquals } from "@std/assert";
import { agentPlace, type AgentProcess, withAgents } from "../harness/agents.ts";
import { lacksBrowser, type Tab, TestBrowser } from "../harness/browser.ts";
import { accessibilityFaults, assertClean } from "../harness/browser_checks.ts";
import { until } from "../harness/processes.ts";

/** The agent, somebody who may do everything, and the page. */
interface Place {
  readonly agent: AgentProcess;
  readonly tab: Tab;
  /** Sends a request as the one who may do everything. @returns The answer's text. */
  send(method: string, path: string, body?: unknown): Promise<string>;
  open(hash: string): Promise<unknown>;
}

const SCRIPT = `<script>document.title="owned"</script>`;

Deno.test({
  name: "the console of an agent in a browser",
  ignore: lacksBrowser(),
  // The browser's driver keeps a process and timers until it is closed.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using browser = await TestBrowser.start();
    await withAgents(async (root, start) => {
      await Deno.writeTextFile(`${root}/acl.hcl`, `acl { enabled = true  default_policy = "allow" }`);
      const agent = start(agentPlace(root, "one"), `-config-file=${root}/acl.hcl`, "-server", "-bootstrap-expect=1");
      await agent.up();
      await until("it knows who leads", () => agent.leader());
      const tab = await browser.open(`${agent.url}/console/#/access`);
      const place = { agent, tab, ...await firstToken(t, { agent, tab }) };
      for (const part of [services, keys, sessions, queries, configuration, events, access, operations, figures]) {
        await part(t, place);
      }
    });
  },
});

/** Axe finds nothing, and nothing was reported. */
async function assertGood({ tab, agent }: Pick<Place, "tab" | "agent">): Promise<void> {
  assertEquals(await accessibilityFaults(tab), []);
  assertClean(tab, agent);
}

async function firstToken(
  t: Deno.TestContext,
  { agent, tab }: Pick<Place, "agent" | "tab">,
): Promise<Pick<Place, "send" | "open">> {
  const { page } = tab;
  let secret = "";
  await t.step("whoever comes first makes the first token, and signs in with it", async () => {
    await page.getByRole("button", { name: "Make the first token" }).click();
    await page.getByRole("dialog").getByText("muster acl bootstrap").waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Make the first token" }).click();
    secret = await page.locator(".secret").innerText();
    await assertGood({ tab, agent });
    await page.getByRole("button", { name: "Sign in with it" }).click();
    await page.getByText("Bootstrap Token").waitFor();
  });
  return {
    async send(method, path, body) {
      const response = await fetch(`${agent.url}/${path}`, {
        method,
        headers: { "X-Consul-Token": secret },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      assert(response.ok, `${method} ${path}: ${response.status} ${text}`);
      return text;
    },
    open: (hash) => page.goto(`${agent.url}/console/#/${hash}`),
  };
}

async function services(t: Deno.TestContext, { tab, agent, send, open }: Place): Promise<void> {
  const { page } = tab;
  const register = (Name: string, Status: string) =>
    send("PUT", "v1/agent/service/register", {
      Name,
      Port: 8080,
      Tags: ["blue", SCRIPT],
      Meta: { owner: SCRIPT },
      Check: { CheckID: `${Name}-ttl`, Name: `${Name} answers`, TTL: "1h", Status },
    });
  await t.step("what is not healthy comes first, and changes as it does", async () => {
    await register("api", "passing");
    await register("web", "critical");
    await open("services");
    const first = page.locator("tbody tr").first();
    await first.getByText("web").waitFor();
    await page.locator("tbody tr", { hasText: "api" }).getByText("passing").waitFor();
    await page.getByLabel("Find a service or a tag").fill("api");
    await page.locator("tbody tr", { hasText: "web" }).waitFor({ state: "detached" });
    await page.getByLabel("Find a service or a tag").fill("");
    await send("PUT", "v1/agent/check/update/web-ttl", { Status: "warning", Output: `late ${SCRIPT}` });
    await first.getByText("warning").waitFor();
    await send("PUT", "v1/agent/check/fail/api-ttl");
    await first.getByText("api").waitFor();
    await first.getByText("critical").waitFor();
    await assertGood({ tab, agent });
    await page.locator(".tab-links").getByRole("link", { name: /Checks/ }).click();
    const changed = page.locator(".check").first();
    await changed.getByText("api answers").waitFor();
    await changed.getByText("1 change since").click();
    assertEquals(await changed.locator(".changes .health").allInnerTexts(), ["critical", "passing"]);
    await page.locator(".check-output", { hasText: `late ${SCRIPT}` }).waitFor();
    await assertGood({ tab, agent });
    await open("services/nodes");
    await page.getByRole("link", { name: "one", exact: true }).click();
    await page.locator(".instance", { hasText: "web" }).first().waitFor();
    await assertGood({ tab, agent });
  });
  await t.step("a service is taken out of use, and deregistered", async () => {
    await open("services/service/web");
    await page.getByRole("button", { name: "Maintenance", exact: true }).click();
    await page.getByRole("dialog").getByText("muster maint -enable -service=web").waitFor();
    await page.getByRole("button", { name: "Begin maintenance" }).click();
    await page.getByRole("button", { name: "End maintenance" }).waitFor();
    await page.getByRole("button", { name: "Deregister", exact: true }).click();
    await page.getByRole("button", { name: "Deregister the service" }).click();
    await page.getByText("No instance of web is registered").waitFor();
    await assertGood({ tab, agent });
  });
}

async function keys(t: Deno.TestContext, { tab, agent, send, open }: Place): Promise<void> {
  const { page } = tab;
  await t.step("a key is made, changed, and not overwritten unseen", async () => {
    await open("kv");
    await page.getByText("No keys yet").waitFor();
    await assertGood({ tab, agent });
    await page.getByRole("button", { name: "New key" }).click();
    await page.getByLabel("Key", { exact: true }).fill("app/config");
    await page.getByRole("textbox", { name: "Value" }).fill(`{"a":"${SCRIPT.replaceAll('"', "'")}"}`);
    await page.getByRole("button", { name: "Create" }).click();
    await page.locator("pre.value", { hasText: "<script>" }).waitFor();
    assertEquals((await page.locator("pre.value").innerText()).split("\n").length, 3);
    await assertGood({ tab, agent });
    await page.getByRole("button", { name: "Edit" }).click();
    await page.getByRole("textbox", { name: "Value" }).fill("mine");
    await send("PUT", "v1/kv/app/config", "theirs");
    await page.getByText("Somebody has changed this key since you began").waitFor();
    await page.getByRole("button", { name: "Save" }).click();
    const conflict = page.getByRole("alert", { name: "Conflict" });
    await conflict.waitFor();
    assertEquals(await conflict.locator("pre").allInnerTexts(), ["mine", "theirs"]);
    await assertGood({ tab, agent });
    await page.getByRole("button", { name: "Overwrite theirs with yours" }).click();
    await page.locator("pre.value", { hasText: "mine" }).waitFor();
    assertEquals(await send("GET", "v1/kv/app/config?raw"), "mine");
    await send("PUT", "v1/kv/app/config", "newer");
    await page.locator("pre.value", { hasText: "newer" }).waitFor();
    await page.getByRole("button", { name: "History" }).click();
    await page.locator(".key-history li").nth(3).click();
    await page.locator("pre.value", { hasText: "<script>" }).waitFor();
    await assertGood({ tab, agent });
  });
  await t.step("a folder is shown with all below it, and deleted", async () => {
    await open("kv/folder/app%2F");
    await page.locator(".live-sign", { hasText: "live" }).waitFor();
    await page.locator(".key-tree").getByRole("link", { name: "config" }).waitFor();
    await send("PUT", "v1/kv/app/deep/bytes", "\u0000\u0001");
    await page.locator(".key-tree").getByRole("link", { name: "deep/" }).waitFor();
    await page.locator("tbody tr", { hasText: "deep/" }).waitFor();
    await page.getByRole("button", { name: "New key" }).click();
    await page.locator(".live-sign", { hasText: "held" }).waitFor();
    await page.getByLabel("Key", { exact: true }).fill("half");
    const told = page.waitForResponse((response) => response.url().includes("keys&separator=/&index="));
    await send("PUT", "v1/kv/app/elsewhere", "1");
    await told;
    assertEquals(await page.locator(".key-tree").getByRole("link", { name: "elsewhere" }).count(), 0);
    assertEquals(await page.getByLabel("Key", { exact: true }).inputValue(), "half");
    await page.keyboard.press("Escape");
    await page.locator(".key-tree").getByRole("link", { name: "elsewhere" }).waitFor();
    await send("DELETE", "v1/kv/app/elsewhere");
    await page.locator(".key-tree").getByRole("link", { name: "elsewhere" }).waitFor({ state: "detached" });
    await page.getByLabel("All below, with values").check();
    await page.locator("tbody tr", { hasText: "deep/bytes" }).getByText("00 01").waitFor();
    await assertGood({ tab, agent });
    await page.getByRole("button", { name: "Delete the folder" }).click();
    await page.getByRole("button", { name: "Delete 2 keys" }).click();
    await page.getByText("No keys yet").waitFor();
  });
}

async function sessions(t: Deno.TestContext, { tab, agent, send, open }: Place): Promise<void> {
  const { page } = tab;
  await t.step("a session is shown with its locks, and ended", async () => {
    await open("sessions");
    await page.getByText("No sessions").waitFor();
    const { ID } = JSON.parse(await send("PUT", "v1/session/create", { Name: "worker", TTL: "1h" }));
    await send("PUT", `v1/kv/locks/job?acquire=${ID}`, "me");
    await page.locator("tbody tr", { hasText: "worker" }).getByText("locks/job").waitFor();
    await send("PUT", `v1/kv/locks/job?release=${ID}`, "me");
    await page.locator("tbody tr", { hasText: "worker" }).getByText("nothing").waitFor();
    await send("PUT", `v1/kv/locks/job?acquire=${ID}`, "me");
    await page.locator("tbody tr", { hasText: "worker" }).getByText("locks/job").waitFor();
    await assertGood({ tab, agent });
    await page.getByRole("button", { name: "End worker" }).click();
    await page.getByRole("dialog").getByText("1 lock is freed: locks/job").waitFor();
    await page.getByRole("button", { name: "End the session" }).click();
    await page.getByText("No sessions").waitFor();
    await assertGood({ tab, agent });
  });
}

async function queries(t: Deno.TestContext, { tab, agent, open }: Place): Promise<void> {
  const { page } = tab;
  await t.step("a prepared query is made, refused where it is wrong, and executed", async () => {
    await open("queries");
    await page.getByText("No prepared queries").waitFor();
    await page.getByRole("button", { name: "New query" }).click();
    await page.getByLabel("Definition").fill(`{"Name": "find", "Service": {}}`);
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("alert").waitFor();
    await page.getByLabel("Definition").fill(`{"Name": "find", "Service": {"Service": "consul"}}`);
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("button", { name: "Execute" }).click();
    await page.getByRole("dialog").getByText("consul on one").waitFor();
    await assertGood({ tab, agent });
    await page.keyboard.press("Escape");
  });
}

async function configuration(t: Deno.TestContext, { tab, agent, send, open }: Place): Promise<void> {
  const { page } = tab;
  await t.step("an entry of configuration is made, changed unless somebody else has, and deleted", async () => {
    await open("config");
    await page.getByText("There is none.").nth(2).waitFor();
    await assertGood({ tab, agent });
    await page.getByRole("button", { name: "New entry: Defaults of services" }).click();
    await page.getByLabel("Definition").fill(`{"Kind": "service-defaults", "Name": ""}`);
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("alert").getByText("Name is required").waitFor();
    const entry = (protocol: string) => JSON.stringify({ Kind: "service-defaults", Name: "web", Protocol: protocol });
    await page.getByLabel("Definition").fill(entry(SCRIPT));
    await page.getByRole("button", { name: "Save" }).click();
    const row = page.locator("tbody tr", { hasText: "web" });
    await row.getByText("<script>").waitFor();
    await assertGood({ tab, agent });
    await row.getByRole("button", { name: "Change" }).click();
    await send("PUT", "v1/config", entry("grpc"));
    await row.getByText("grpc").waitFor();
    await page.getByLabel("Definition").fill(entry("tcp"));
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("alert").getByText("somebody has changed the entry").waitFor();
    await page.keyboard.press("Escape");
    await row.getByRole("button", { name: "Delete" }).click();
    await page.getByRole("dialog").getByText("v1/config/service-defaults/web").waitFor();
    await page.getByRole("button", { name: "Delete the entry" }).click();
    await row.waitFor({ state: "detached" });
  });
}

async function events(t: Deno.TestContext, { tab, agent, send, open }: Place): Promise<void> {
  const { page } = tab;
  await t.step("an event is fired, and those of others are seen as they come", async () => {
    await open("events");
    await page.getByText("No events").waitFor();
    await assertGood({ tab, agent });
    await page.getByRole("button", { name: "Fire an event" }).click();
    await page.getByRole("textbox", { name: "Name", exact: true }).fill("deploy");
    await page.getByRole("textbox", { name: "Payload" }).fill(SCRIPT);
    await page.getByLabel("Services like").fill("(");
    await page.getByRole("button", { name: "Fire", exact: true }).click();
    await page.getByRole("alert").getByText("Invalid filter").waitFor();
    await page.getByLabel("Services like").fill("api");
    await page.getByRole("dialog").getByText("muster event -name=deploy -service=api").waitFor();
    await assertGood({ tab, agent });
    await page.getByRole("button", { name: "Fire", exact: true }).click();
    const row = page.locator("tbody tr", { hasText: "deploy" });
    await row.getByText("<script>").waitFor();
    await row.getByText("service api").waitFor();
    await send("PUT", "v1/event/fire/theirs", "\u0000\u0001");
    await page.locator("tbody tr").first().getByText("00 01").waitFor();
    const asked = tab.asked.length;
    await send("PUT", "v1/event/fire/last", "1");
    await page.locator("tbody tr").first().getByText("last").waitFor();
    assert(tab.asked.length - asked < 5, "what has not changed is waited for");
    await assertGood({ tab, agent });
  });
}

async function access(t: Deno.TestContext, { tab, agent, open }: Place): Promise<void> {
  const { page } = tab;
  await t.step("policies, tokens and users are made", async () => {
    await open("access/policies");
    await page.getByRole("button", { name: "New policy" }).click();
    await page.getByLabel("Name").fill("app");
    await page.getByLabel("Rules").fill(`key_prefix "app/" { policy = "wrong" }`);
    await page.getByRole("button", { name: "Create" }).click();
    await page.getByRole("alert").getByText("expected policy to be one of").waitFor();
    await page.getByLabel("Rules").fill(`key_prefix "app/" { policy = "write" }  operator = "read"`);
    await page.getByRole("button", { name: "Create" }).click();
    await page.getByRole("rowheader", { name: "app" }).waitFor();
    await assertGood({ tab, agent });
    await open("access");
    await page.getByRole("button", { name: "New token" }).click();
    await page.getByLabel("Description").fill(SCRIPT);
    await page.getByRole("checkbox", { name: "app" }).check();
    await assertGood({ tab, agent });
    await page.getByRole("button", { name: "Create" }).click();
    const secret = await page.locator(".secret").innerText();
    await page.keyboard.press("Escape");
    await page.locator("tbody tr", { hasText: SCRIPT }).waitFor();
    const self = await fetch(`${agent.url}/v1/acl/token/self`, { headers: { "X-Consul-Token": secret } });
    assertEquals((await self.json()).Policies[0].Name, "app");
    await open("access/roles");
    await page.getByRole("button", { name: "New role" }).click();
    await page.getByLabel("Name").fill("team");
    await page.getByRole("checkbox", { name: "app" }).check();
    await page.getByRole("button", { name: "Create" }).click();
    await page.getByRole("rowheader", { name: "team" }).waitFor();
    await open("access/users");
    await page.getByText("No users yet").waitFor();
    await page.getByRole("button", { name: "New user" }).click();
    await page.getByRole("textbox", { name: "User" }).fill("mary");
    await page.getByRole("textbox", { name: "Password" }).fill("correct horse");
    await page.getByRole("checkbox", { name: "app" }).check();
    await page.getByRole("button", { name: "Create" }).click();
    await page.locator("tbody tr", { hasText: "mary" }).waitFor();
    await assertGood({ tab, agent });
    const seen = await fetch(`${agent.url}/nodes`, {
      headers: { Authorization: `Basic ${btoa("mary:correct horse")}` },
    });
    await seen.body?.cancel();
    assertEquals(seen.status, 200);
  });
}

async function operations(t: Deno.TestContext, { tab, agent, send, open }: Place): Promise<void> {
  const { page } = tab;
  await t.step("operations say what they do, and do it", async () => {
    await open("operations");
    await page.getByText("There is no other voter that could lead").waitFor();
    await page.getByText("The gossip of this pool is not encrypted").waitFor();
    await assertGood({ tab, agent });
    await page.getByRole("button", { name: "Verify" }).click();
    await page.getByRole("dialog").getByText(`curl -X POST -H "X-Consul-Token: $CONSUL_HTTP_TOKEN"`).waitFor();
    await page.getByRole("button", { name: "Compare", exact: true }).click();
    await page.getByText("All nodes hold the same").waitFor();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "SQLite file" }).click(),
    ]);
    const path = await download.path();
    assert(new TextDecoder().decode(await Deno.readFile(path)).startsWith("SQLite format 3"));
    await page.getByText(/Backed up: muster-.*\.sqlite/).waitFor();
    await page.getByLabel("File to restore").setInputFiles(path);
    const replace = page.getByRole("button", { name: "Replace the database" });
    assertEquals(await replace.isDisabled(), true);
    await page.getByLabel("Type replace to go on").fill("replace");
    await assertGood({ tab, agent });
    await replace.click();
    await page.getByText("The database is replaced").waitFor();
    await snapshot({ tab, send });
    await page.getByText("Add a node").click();
    await page.getByText(`-retry-join=${agent.addr}`).waitFor();
    await page.getByLabel("Agent to join").fill("127.0.0.1:1");
    await page.getByRole("button", { name: "Join" }).click();
    await page.getByRole("dialog").getByText("muster join 127.0.0.1:1").waitFor();
    await assertGood({ tab, agent });
    await page.getByRole("dialog").getByRole("button", { name: "Join" }).click();
    await page.locator(".message.error").waitFor();
    await page.getByLabel("Agent to join").fill(agent.addr);
    await page.getByRole("button", { name: "Join" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Join" }).click();
    await page.getByText(`one has joined ${agent.addr}`).waitFor();
    await page.getByRole("button", { name: "Leave" }).click();
    await page.getByRole("dialog").getByText("muster leave").waitFor();
    await page.keyboard.press("Escape");
    await assertGood({ tab, agent });
  });
}

/** What agents keep goes out as a file, and comes back. */
async function snapshot({ tab: { page }, send }: Pick<Place, "tab" | "send">): Promise<void> {
  await send("PUT", "v1/kv/before", "kept");
  const [file] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Save a snapshot" }).click(),
  ]);
  await send("PUT", "v1/kv/after", "not kept");
  await page.getByLabel("Snapshot to restore").setInputFiles({
    name: "bad.snap",
    mimeType: "",
    buffer: Buffer.from("x"),
  });
  await page.getByLabel("Type replace to go on").fill("replace");
  await page.getByRole("button", { name: "Replace them" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Snapshot to restore").setInputFiles(await file.path());
  await page.getByRole("dialog").getByText("muster snapshot restore").waitFor();
  await page.getByLabel("Type replace to go on").fill("replace");
  await page.getByRole("button", { name: "Replace them" }).click();
  await page.getByText("Catalog and keys are restored").waitFor();
  const keys: string[] = JSON.parse(await send("GET", "v1/kv/?keys"));
  assertEquals([keys.includes("before"), keys.includes("after")], [true, false]);
}

async function figures(t: Deno.TestContext, { tab, agent, open }: Place): Promise<void> {
  const { page } = tab;
  await t.step("figures are drawn, in the dark and on a narrow screen as well", async () => {
    await open("figures");
    const memory = page.locator("figure", { hasText: "Memory" });
    await memory.locator("canvas").waitFor();
    await memory.locator(".u-legend", { hasText: /\d MiB/ }).waitFor();
    const drawn = `[...document.querySelectorAll("figure canvas")].filter((canvas) =>
      canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((one) => one !== 0)).length`;
    // Rates need a second sample, which comes ten seconds after the first: gauges are there at once.
    assert(Number(await page.evaluate(drawn)) >= 5);
    await assertGood({ tab, agent });
    await page.emulateMedia({ colorScheme: "dark" });
    await page.setViewportSize({ width: 380, height: 700 });
    for (const hash of ["figures", "operations", "services", "services/checks", "kv", "config", "events", "access"]) {
      await open(hash);
      await page.locator(hash === "figures" ? "canvas" : "main h1, main .empty").first().waitFor();
      await assertGood({ tab, agent });
      assertEquals(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), true, hash);
    }
    assertEquals(await page.title(), "Access · muster");
  });
}
