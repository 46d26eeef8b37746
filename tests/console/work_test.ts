/** Work on a cluster of three nodes by its console, in a real browser: statements, tables, and places that are not there. */
import { assertEquals } from "@std/assert";
import { accessibilityFaults, assertClean } from "../harness/browser_checks.ts";
import { lacksBrowser, type Tab, TestBrowser } from "../harness/browser.ts";
import { leaderOf, type NodeProcess, startCluster, withNodes } from "../harness/processes.ts";

/** The node whose console is open, another one, and the page. */
interface Place {
  readonly node: NodeProcess;
  readonly other: NodeProcess;
  readonly tab: Tab;
  open(hash: string): Promise<unknown>;
}

Deno.test({
  name: "work on a cluster in a browser",
  ignore: lacksBrowser(),
  // The browser's driver keeps a process and timers until it is closed.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using browser = await TestBrowser.start();
    await withNodes(async (root, start) => {
      const nodes = await startCluster(root, start);
      const other = await leaderOf(nodes);
      const node = nodes.find((one) => one !== other) ?? other;
      await other.execute(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)",
        "INSERT INTO notes(text) VALUES ('one'), ('two')",
      );
      const tab = await browser.open(`${node.url}/console/#/sql`);
      const place = { node, other, tab, open: (hash: string) => tab.page.goto(`${node.url}/console/#/${hash}`) };
      for (const part of [statements, otherNode, noPage, tableChanges]) await part(t, place);
    });
  },
});

async function assertGood({ tab, node }: Place): Promise<void> {
  assertEquals(await accessibilityFaults(tab), []);
  assertClean(tab, node);
}

/** Replaces what stands in the editor. */
async function enter({ tab: { page } }: Place, sql: string): Promise<void> {
  await page.locator(".cm-content").click();
  await page.keyboard.press("Control+A");
  await page.keyboard.insertText(sql);
}

async function statements(t: Deno.TestContext, place: Place): Promise<void> {
  const { tab: { page }, node } = place;
  await t.step("it is said which statement failed, and what is with the others", async () => {
    await page.getByRole("button", { name: "Read-only" }).click();
    await enter(place, "SELECT 1; INSERT INTO missing VALUES (1); INSERT INTO notes(text) VALUES ('three')");
    await page.keyboard.press("Control+Enter");
    const alert = page.getByRole("alert");
    await alert.getByText("Statement 2 of 3 failed: INSERT INTO missing VALUES (1)").waitFor();
    await alert.getByText("no such table: missing").waitFor();
    await alert.getByText("The other statements were run.").waitFor();
    assertEquals(await node.row("SELECT count(*) FROM notes"), [3]);
    await page.getByRole("button", { name: "2 · failed: INSERT INTO missing", pressed: true }).waitFor();
    await assertGood(place);
    await page.getByRole("button", { name: /^3 · INSERT/ }).click();
    await page.getByText("Done: 1 row changed").waitFor();
    await alert.waitFor();
    await page.getByLabel("One transaction").check();
    await page.keyboard.press("Tab"); // the editor is not what has the keyboard
    await page.getByRole("button", { name: "Run" }).click();
    await alert.getByText("Nothing was changed: the statements are one transaction.").waitFor();
    assertEquals(await node.row("SELECT count(*) FROM notes"), [3]);
    await page.getByRole("button", { name: "Writes allowed" }).click();
  });
  await t.step("only words of SQLite are completed", async () => {
    const offered = page.locator(".cm-tooltip-autocomplete li");
    await enter(place, "");
    await page.keyboard.type("SELECT AB");
    await offered.filter({ hasText: /^abs$/ }).waitFor();
    await offered.filter({ hasText: /^ABORT$/ }).waitFor();
    assertEquals(await offered.filter({ hasText: /^ABSOLUTE$/i }).count(), 0);
    await page.keyboard.press("Escape");
    await enter(place, "");
    await page.keyboard.type("SELECT no");
    await offered.filter({ hasText: /^notes$/ }).waitFor();
    await offered.filter({ hasText: /^NOTNULL$/ }).waitFor();
    await page.keyboard.press("Escape");
  });
}

async function otherNode(t: Deno.TestContext, place: Place): Promise<void> {
  const { tab: { page }, other } = place;
  await t.step("a statement is handed over to the console of another node, and not run there", async () => {
    await enter(place, "SELECT 'a & b #?', count(*) FROM notes");
    await page.getByLabel("Level").selectOption("auto");
    await page.getByRole("button", { name: "Run" }).click();
    await page.getByRole("gridcell", { name: "a & b #?" }).waitFor();
    await page.getByText("Another node").click();
    await assertGood(place);
    const opened = page.context().waitForEvent("page");
    await page.getByRole("link", { name: `Ask ${other.place.id}` }).click();
    const there = await opened;
    await there.locator(".cm-content", { hasText: "SELECT 'a & b #?', count(*) FROM notes" }).waitFor();
    assertEquals(await there.getByLabel("Level").inputValue(), "none");
    assertEquals(there.url(), `${other.url}/console/#/sql`);
    await there.getByText("Ctrl+Enter runs what is selected").waitFor();
    await there.getByRole("button", { name: "Run" }).click();
    await there.getByRole("gridcell", { name: "3" }).waitFor();
    await there.close();
  });
}

async function noPage(t: Deno.TestContext, place: Place): Promise<void> {
  const { tab: { page }, open } = place;
  await t.step("a place that leads nowhere says so, and leads on", async () => {
    await open("nosuch<b>");
    await page.getByRole("heading", { name: "No such page" }).waitFor();
    await page.getByText("The console has no page nosuch<b>.").waitFor();
    assertEquals(await page.locator(".menu [aria-current]").count(), 0);
    await assertGood(place);
    await open("services"); // of agents
    await page.getByRole("heading", { name: "Services is not available" }).waitFor();
    await page.locator("main").getByRole("link", { name: "Data" }).click();
    await page.locator(".table-list").getByRole("link", { name: /notes/ }).waitFor();
  });
}

async function tableChanges(t: Deno.TestContext, place: Place): Promise<void> {
  const { tab: { page }, node, open } = place;
  const dialog = page.getByRole("dialog");
  await t.step("a table is renamed and dropped, once writes are allowed and what happens is said", async () => {
    await node.execute(
      `CREATE TABLE "odd ""one" (id INTEGER PRIMARY KEY, note INTEGER REFERENCES notes(id))`,
      `CREATE INDEX by_note ON "odd ""one"(note)`,
      `INSERT INTO "odd ""one" VALUES (1, 1)`,
    );
    await open("data");
    await page.getByRole("button", { name: "Read again" }).click();
    await open(`data/table/${encodeURIComponent('odd "one')}/schema`);
    await page.getByText("by_note", { exact: true }).waitFor();
    assertEquals(await page.getByRole("button", { name: "Drop" }).count(), 0);
    await page.getByRole("button", { name: "Read-only" }).click();
    await page.getByRole("button", { name: "Rename" }).click();
    await dialog.getByLabel("New name").fill("notes");
    await dialog.getByText(`ALTER TABLE "odd ""one" RENAME TO "notes";`).waitFor();
    await assertGood(place);
    await dialog.getByRole("button", { name: "Rename the table" }).click();
    await dialog.getByRole("alert").getByText("already another table").waitFor();
    await dialog.getByLabel("New name").fill("even");
    await dialog.getByRole("button", { name: "Rename the table" }).click();
    await page.getByRole("heading", { name: "even" }).waitFor();
    assertEquals(await node.row("SELECT count(*) FROM even"), [1]);

    await page.getByRole("button", { name: "Drop" }).click();
    await dialog.getByText("The table goes with its 1 row and with the index by_note").waitFor();
    await dialog.getByText("/db/execute").waitFor();
    assertEquals(await dialog.getByRole("button", { name: "Drop the table" }).isDisabled(), true);
    await dialog.getByLabel("Type drop to go on").fill("drop");
    await assertGood(place);
    await dialog.getByRole("button", { name: "Drop the table" }).click();
    await page.locator(".table-list").getByRole("link", { name: /even/ }).waitFor({ state: "detached" });
    assertEquals(await node.row("SELECT count(*) FROM sqlite_schema WHERE name = 'even'"), [0]);
    await page.locator(".table-list").getByRole("link", { name: /notes/ }).click();
    await page.getByRole("link", { name: "Schema" }).click();
    await page.getByRole("button", { name: "Writes allowed" }).click();
    await page.getByRole("button", { name: "Drop" }).waitFor({ state: "detached" });
  });
}
