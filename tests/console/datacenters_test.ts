/** The console of an agent with another datacenter, in a real browser. */
import { assertEquals } from "@std/assert";
import { type AgentPlace, agentPlace, type AgentProcess, withAgents } from "../harness/agents.ts";
import { accessibilityFaults, assertClean } from "../harness/browser_checks.ts";
import { lacksBrowser, TestBrowser } from "../harness/browser.ts";
import { freePort, until } from "../harness/processes.ts";

/** A server of a datacenter of its own, at an address of this process alone. */
function placeOf(root: string, name: string, at: number): AgentPlace {
  return { ...agentPlace(root, name, `127.${16 + Deno.pid % 200}.${at}.7`), wanPort: freePort() };
}

async function put(agent: AgentProcess, path: string, body: string): Promise<void> {
  assertEquals((await agent.http("PUT", path, body)).status, 200, path);
}

Deno.test({
  name: "the console shows another datacenter in a browser",
  ignore: lacksBrowser(),
  // The browser's driver keeps a process and timers until it is closed.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using browser = await TestBrowser.start();
    await withAgents(async (root, start) => {
      const [placeA, placeB] = [placeOf(root, "a", 1), placeOf(root, "b", 2)];
      const a = start(placeA, "-server", "-bootstrap-expect=1", "-datacenter=here");
      await a.up();
      const tab = await browser.open(`${a.url}/console/#/kv`);
      const { page } = tab;
      await page.getByText("No keys yet").waitFor();
      assertEquals(await page.getByLabel("Datacenter").count(), 0, "there is one datacenter");

      const join = `-retry-join-wan=${placeA.host}:${placeA.wanPort}`;
      const b = start(placeB, "-server", "-bootstrap-expect=1", "-datacenter=there", join);
      await b.up();
      for (const agent of [a, b]) {
        await until("both are known, and lead", async () => {
          const found: string[] = await agent.get("/v1/catalog/datacenters");
          return found.length === 2 && await agent.leader() || undefined;
        });
      }
      await put(a, "/v1/kv/only/here", "1");
      await put(b, "/v1/kv/only/there", "2");
      await put(b, "/v1/agent/service/register", JSON.stringify({ Name: "far", Port: 1 }));

      await page.reload();
      const chooser = page.getByLabel("Datacenter");
      await chooser.waitFor();
      assertEquals(await chooser.locator("option").allInnerTexts(), ["here (here)", "there"]);
      await page.goto(`${a.url}/console/#/kv/folder/only%2F`);
      await page.locator(".key-tree").getByRole("link", { name: "here", exact: true }).waitFor();
      await chooser.selectOption("there");
      await page.locator(".key-tree").getByRole("link", { name: "there", exact: true }).click();
      await page.locator("pre.value", { hasText: "2" }).waitFor();
      assertEquals(await page.locator(".key-tree").getByRole("link", { name: "here", exact: true }).count(), 0);
      assertEquals(await accessibilityFaults(tab), []);
      await put(b, "/v1/kv/only/there", "3"); // blocking queries go there as well
      await page.locator("pre.value", { hasText: "3" }).waitFor();
      await page.getByRole("button", { name: "Delete" }).click();
      await page.getByRole("dialog").getByText(/&dc=there.*\n.*-datacenter=there/).waitFor();
      await page.keyboard.press("Escape");

      await page.setViewportSize({ width: 360, height: 700 });
      assertEquals(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), true);
      assertEquals(await accessibilityFaults(tab), []);
      await page.setViewportSize({ width: 1280, height: 800 });
      await page.goto(`${a.url}/console/#/services`);
      await page.getByRole("link", { name: "far", exact: true }).click();
      await page.locator(".instance", { hasText: "far" }).waitFor();
      assertEquals(await page.getByRole("button", { name: "Maintenance", exact: true }).count(), 0, "it is no own one");
      await page.getByRole("button", { name: "Deregister", exact: true }).click();
      await page.getByRole("dialog").getByText("v1/catalog/deregister?dc=there").waitFor();
      await page.keyboard.press("Escape");
      await chooser.selectOption("here");
      await page.getByText("No instance of far is registered").waitFor();
      await page.goto(`${a.url}/console/#/sql`);
      await chooser.waitFor({ state: "detached" });
      assertClean(tab, a);
    });
  },
});
