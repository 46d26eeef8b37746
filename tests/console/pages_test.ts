/**
 * The console in a real browser: every page, what hostile content does, who sees what, and that the page keeps to its policy.
 */
import { assert, assertEquals } from "@std/assert";
import { agentPlace, type StartAgent, withAgents } from "../harness/agents.ts";
import { accessibilityFaults, assertClean } from "../harness/browser_checks.ts";
import { lacksBrowser, type Tab, TestBrowser } from "../harness/browser.ts";
import {
  leaderOf,
  nodePlace,
  type NodeProcess,
  startCluster,
  type StartNode,
  until,
  withNodes,
} from "../harness/processes.ts";

const ignore = lacksBrowser();

const placeOf = (node: NodeProcess, hash: string) => `${node.url}/console/#/${hash}`;

async function startOne(root: string, start: StartNode): Promise<NodeProcess> {
  const node = start(nodePlace(root, "one"));
  await node.ready();
  return node;
}

/** Replaces what stands in the editor, and runs it. */
async function runSql({ page }: Tab, sql: string): Promise<void> {
  await page.locator(".cm-content").click();
  await page.keyboard.press("Control+A");
  await page.keyboard.insertText(sql);
  await page.keyboard.press("Control+Enter");
}

const NUMBERS = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n)";
const SHOP = [
  "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT)",
  "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers(id), total REAL, paper BLOB)",
  "CREATE INDEX orders_customer ON orders(customer_id)",
  "CREATE TABLE tags (name TEXT, of INTEGER, PRIMARY KEY (name, of)) WITHOUT ROWID",
  "CREATE TABLE gone (a)",
  "CREATE VIEW broken AS SELECT a FROM gone",
  "DROP TABLE gone",
  "CREATE VIEW large AS SELECT * FROM orders WHERE total > 50",
  "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1000) " +
  "INSERT INTO customers SELECT i, 'Customer ' || i, CASE WHEN i % 3 THEN 'Oslo' END FROM n",
  "INSERT INTO orders SELECT id, id, id % 100 + 0.5, x'0102' FROM customers",
  "INSERT INTO tags SELECT 'tag', id FROM customers LIMIT 5",
];

Deno.test({
  name: "the console in a browser",
  ignore,
  // The browser's driver keeps a process and timers until it is closed.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    await using browser = await TestBrowser.start();
    await withNodes(async (root, start) => {
      const node = await startOne(root, start);
      await node.execute(...SHOP);
      await pages(t, browser, node);
      await hostile(t, browser, node);
    });
    await withNodes(async (root, start) => {
      const openToAll = () => startWithUsers(root, start, ["ui", "status"]);
      await permissions(t, browser, { node: await startWithUsers(root, start), openToAll });
    });
    await withNodes(async (root, start) => {
      await leaderDies(t, browser, await startCluster(root, start));
    });
    await withAgents((root, start) => tokens(t, browser, { root, start }));
  },
});

/** Every page on a single node. */
async function pages(t: Deno.TestContext, browser: TestBrowser, node: NodeProcess): Promise<void> {
  await t.step("the root leads to the overview, which says who leads", async () => {
    const tab = await browser.open(`${node.url}/`);
    const { page } = tab;
    await page.locator(".map .leads").waitFor();
    assertEquals(new URL(page.url()).pathname, "/console/");
    assertEquals(await page.locator(".fact .value").first().innerText(), "one");
    const firstPictureMs = await page.evaluate(`performance.getEntriesByName("first-contentful-paint")[0]?.startTime`);
    console.log(`  first picture after ${Math.round(Number(firstPictureMs))} ms`);
    assertEquals(await accessibilityFaults(tab), []);
    assertClean(tab, node);
    await page.context().close();
  });

  await t.step("SQL is completed, run, explained and followed, and may not write unless it is unlocked", async () => {
    const tab = await browser.open(placeOf(node, "sql"));
    const { page } = tab;
    await page.locator(".cm-content").click();
    await page.keyboard.type("SELECT * FROM cust");
    await page.locator(".cm-tooltip-autocomplete").getByText("customers").waitFor();
    await page.keyboard.press("Escape");
    await runSql(
      tab,
      "SELECT id, name, city, NULL, x'00ff' FROM customers ORDER BY id; SELECT 9007199254740993 AS big",
    );
    await page.getByText("1,000 rows").waitFor();
    assertEquals(await page.locator(".grid-row").first().locator("[role=gridcell]").allInnerTexts(), [
      "1",
      "Customer 1",
      "Oslo",
      "NULL",
      "x'00ff' (2 B)",
    ]);
    assert(await page.locator(".grid-row").count() < 100, "only rows that are seen are there");
    await page.getByRole("grid").focus();
    await page.keyboard.press("Control+End");
    await page.locator(".grid-row", { hasText: "Customer 1000" }).waitFor();
    assertEquals(await accessibilityFaults(tab), []);
    await page.getByRole("button", { name: /^2 · / }).click();
    await page.getByRole("gridcell", { name: "9007199254740993" }).waitFor();

    await runSql(tab, `${NUMBERS} SELECT i, i * 2, 'row ' || i FROM n LIMIT 100000`);
    await page.getByText("100,000 rows").waitFor();
    await page.getByRole("grid").focus();
    await page.keyboard.press("Control+End");
    await page.getByRole("gridcell", { name: "row 100000", exact: true }).waitFor();
    assert(await page.locator(".grid-row").count() < 100, "only rows that are seen are there");

    await runSql(tab, "INSERT INTO tags VALUES ('new', 1)");
    await page.getByText("Read-only: unlock to run INSERT").waitFor();
    await page.getByRole("button", { name: "Read-only" }).click();
    await page.getByRole("button", { name: "Run" }).click();
    await page.getByText("Done: 1 row changed").waitFor();
    await page.getByRole("button", { name: "Writes allowed" }).click();

    await runSql(tab, "SELECT * FROM tags WHERE name = ?");
    await page.getByText("wants 1").waitFor();
    await page.getByLabel("Parameters").fill('["new"]');
    await page.getByRole("button", { name: "Run" }).click();
    await page.getByText("1 row ·").waitFor();
    await page.getByRole("button", { name: "Plan" }).click();
    await page.locator(".plan-step.search", { hasText: "SEARCH tags" }).waitFor();
    await page.getByLabel("Parameters").fill("");

    await runSql(tab, "SELECT name FROM tags WHERE of = 77");
    await page.getByText("0 rows").waitFor();
    await page.getByRole("button", { name: "Live" }).click();
    await page.getByText("Live, changed at").waitFor();
    await node.execute("INSERT INTO tags VALUES ('seen at once', 77)");
    await page.getByRole("gridcell", { name: "seen at once" }).waitFor();
    await page.getByRole("button", { name: "Stop" }).click();

    await runSql(tab, `${NUMBERS} SELECT count(*) FROM n`);
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByText("Stopped").waitFor();
    await page.getByRole("button", { name: "History" }).click();
    await page.locator(".kept", { hasText: "seen" }).or(page.locator(".kept", { hasText: "tags" })).first().waitFor();
    assertEquals(await accessibilityFaults(tab), []);
    assertClean(tab, node);
    await page.context().close();
  });

  await t.step("rows are browsed, filtered, and changed with a preview", async () => {
    const tab = await browser.open(placeOf(node, "data"));
    const { page } = tab;
    await page.locator(".diagram .reference").first().waitFor();
    await page.locator(".table-list .count", { hasText: "1,000" }).first().waitFor();
    assertEquals(await accessibilityFaults(tab), []);
    await page.locator(".table-list").getByRole("link", { name: /customers/ }).click();
    await page.locator(".grid-row", { hasText: "Customer 1000" }).waitFor();
    await page.getByLabel("Column").selectOption("name");
    await page.getByLabel("Value").fill("customer 99");
    await page.getByRole("button", { name: "Filter" }).click();
    await page.getByText("11 rows").waitFor(); // 99 and 990 to 999, and the newest of them first
    await page.locator(".grid-row").first().getByText("Customer 999").dblclick();
    await page.getByRole("textbox", { name: "Value" }).last().fill("It's <b>");
    await page.getByRole("button", { name: "Take over" }).click();
    await page.locator(".grid-row").nth(1).getByText("Customer 998").dblclick();
    await page.getByRole("button", { name: "Delete the row" }).click();
    await page.getByRole("button", { name: "New row" }).click();
    await page.locator('[id="field name"]').fill("New one");
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await page.getByRole("button", { name: "Preview SQL" }).click();
    assertEquals((await page.locator("dialog pre").innerText()).split("\n"), [
      `DELETE FROM "customers" WHERE rowid IS 998;`,
      `UPDATE "customers" SET "name" = 'It''s <b>' WHERE rowid IS 999 AND "name" IS 'Customer 999';`,
      `INSERT INTO "customers"("name") VALUES ('New one');`,
    ]);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Apply" }).click();
    await page.getByText("3 changes made").waitFor();
    assertEquals(await node.row("SELECT group_concat(name, ';') FROM customers WHERE id IN (998, 999, 1001)"), [
      "It's <b>;New one",
    ]);
    await page.getByRole("link", { name: "Schema" }).click();
    await page.getByText("CREATE TABLE customers").waitFor();
    assertEquals(await accessibilityFaults(tab), []);
    assertClean(tab, node);
    await page.context().close();
  });

  await t.step("a CSV file becomes a table, and a backup a file", async () => {
    const tab = await browser.open(placeOf(node, "data/transfer"));
    const { page } = tab;
    const csv = 'id,text\r\n1,"a ""quoted"", one"\r\n2,\r\n';
    await page.getByLabel("CSV file").setInputFiles({
      name: "imported.csv",
      mimeType: "text/csv",
      buffer: Buffer.from(csv),
    });
    await page.getByRole("button", { name: "Import 2 rows" }).click();
    await page.locator(".grid-row", { hasText: `a "quoted", one` }).waitFor();
    assertEquals(await node.row("SELECT count(*), count(text) FROM imported"), [2, 1]);
    await page.goBack();
    await page.getByRole("link", { name: "Back up", exact: true }).click();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "SQLite file" }).click(),
    ]);
    const path = await download.path();
    assert(new TextDecoder().decode(await Deno.readFile(path)).startsWith("SQLite format 3"));
    await node.execute("CREATE TABLE later (a)");
    await page.getByLabel("File to restore").setInputFiles(path);
    await page.getByRole("dialog", { name: "Replace the whole database?" }).getByText("muster restore").waitFor();
    await page.getByLabel("Type replace to go on").fill("replace");
    await page.getByRole("button", { name: "Replace the database" }).click();
    await page.getByText("The database is replaced").waitFor();
    assertEquals(await node.row("SELECT count(*) FROM sqlite_schema WHERE name = 'later'"), [0]);
    assertEquals(await accessibilityFaults(tab), []);
    assertClean(tab, node);
    await page.context().close();
  });

  await t.step("the page works below a path, on a narrow screen, in the dark, and by its keys", async () => {
    await using proxy = below(node);
    const tab = await browser.open(`${proxy.url}/deep/down/console/`, {
      viewport: { width: 360, height: 700 },
      colorScheme: "dark",
    });
    const { page } = tab;
    await page.locator(".map .leads").waitFor();
    assertEquals(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), true);
    assertEquals(await accessibilityFaults(tab), []);
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("g");
    await page.keyboard.press("d");
    await page.locator(".diagram").waitFor();
    assertEquals(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), true);
    assertEquals(tab.faults, []);
    assertEquals(tab.asked.filter((url) => !url.startsWith(`${proxy.url}/deep/down/`)), []);
    await page.context().close();
  });
}

/** A reverse proxy that serves a node below a path. */
function below(node: NodeProcess): AsyncDisposable & { readonly url: string } {
  const ending = new AbortController();
  const { signal } = ending;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, signal, onListen() {} }, async (request) => {
    const { pathname, search } = new URL(request.url);
    const headers = new Headers(request.headers);
    headers.delete("host");
    const { method, body } = request;
    return await fetch(`${node.url}${pathname.replace(/^\/deep\/down/, "")}${search}`, { method, body, headers });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    async [Symbol.asyncDispose]() {
      ending.abort(); // streams would go on
      await server.finished;
    },
  };
}

/** Content that means harm, wherever the database can hold it. */
async function hostile(t: Deno.TestContext, browser: TestBrowser, node: NodeProcess): Promise<void> {
  await t.step("what stands in the database is text, whatever it looks like", async () => {
    const script = `<script>document.title="owned"</script><img src=x onerror="document.title='owned'">`;
    const table = `"><svg onload=alert(1)> ' ; DROP TABLE customers;--`;
    const column = `<b onmouseover="document.title='owned'">ב"`;
    const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;
    await node.execute(
      `CREATE TABLE ${quoted(table)} (id INTEGER PRIMARY KEY, ${quoted(column)} TEXT DEFAULT '<i>x</i>')`,
      [
        `INSERT INTO ${quoted(table)} VALUES (1, ?), (2, ?), (3, ?), (4, ?)`,
        script,
        "\u202eשלום\u202d\u0000 end",
        "x".repeat(2 ** 20),
        "a\nb\tc",
      ],
    );
    const tab = await browser.open(placeOf(node, `data/table/${encodeURIComponent(table)}`));
    const { page } = tab;
    await page.locator(".grid-row").nth(3).waitFor();
    const cells = await page.locator(".grid-row [role=gridcell]").allInnerTexts();
    assert(cells.some((text) => text.startsWith("<script>")), cells.join("\n"));
    assert(cells.every((text) => text.length < 300));
    assertEquals(cells.includes("a⏎b⇥c"), true);
    await page.locator(".grid-row", { hasText: "xxxx" }).locator("[role=gridcell]").nth(1).dblclick();
    await page.getByText("1.0 MiB").waitFor();
    await page.keyboard.press("Escape");
    const [file] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "File", exact: true }).click(),
    ]);
    assert((await Deno.readTextFile(await file.path())).includes("x".repeat(2 ** 20)), "a file has all of it");
    await page.getByRole("link", { name: "Schema" }).click();
    await page.getByText("<i>x</i>").first().waitFor();
    await page.goto(placeOf(node, "sql"));
    await runSql(
      tab,
      `SELECT * FROM ${quoted(table)}; SELECT '${script.replaceAll("'", "''")}' AS ${quoted(column)}; SELECT ${
        quoted(script)
      } FROM customers`,
    );
    await page.locator(".grid-row").first().waitFor();
    await page.getByRole("button", { name: /^2 · / }).click();
    await page.getByRole("columnheader", { name: /onmouseover/ }).waitFor();
    assertEquals(await page.title(), "SQL · muster");
    assertEquals(await page.locator("main script, main img, main b").count(), 0);
    assertClean(tab, node);
    await page.context().close();
  });
}

async function startWithUsers(
  root: string,
  start: StartNode,
  everybody: readonly string[] = [],
): Promise<NodeProcess> {
  const name = `users${everybody.length}`;
  const file = `${root}/${name}.json`;
  await Deno.writeTextFile(
    file,
    JSON.stringify([
      { username: "root", password: "secret", perms: ["all"] },
      { username: "reader", password: "secret", perms: ["ui", "query", "status"] },
      { username: "blind", password: "secret", perms: ["query"] },
      { username: "*", perms: ["ready", ...everybody] },
    ]),
  );
  const node = start(nodePlace(root, name), ["-auth", file]);
  await node.ready();
  return node;
}

/** Users of the auth file. */
async function permissions(
  t: Deno.TestContext,
  browser: TestBrowser,
  { node, openToAll }: { readonly node: NodeProcess; readonly openToAll: () => Promise<NodeProcess> },
): Promise<void> {
  await t.step("the page needs the permission ui, and shows no more than its user may do", async () => {
    for (const [username, status] of [["", 401], ["blind", 401], ["reader", 200]] as const) {
      const headers: Record<string, string> = username === ""
        ? {}
        : { Authorization: `Basic ${btoa(`${username}:secret`)}` };
      const response = await fetch(`${node.url}/console/`, { headers });
      await response.body?.cancel();
      assertEquals(response.status, status, username);
      if (status === 401) assert(response.headers.get("WWW-Authenticate")?.startsWith("Basic"));
    }
    const password = { httpCredentials: { username: "reader", password: "secret" } };
    const tab = await browser.open(placeOf(node, "sql"), password);
    const { page } = tab;
    await page.locator(".cm-content").waitFor();
    await page.locator(".who", { hasText: "reader" }).waitFor();
    assertEquals(await page.getByRole("button", { name: "Read-only" }).count(), 0);
    await runSql(tab, "SELECT 42");
    await page.getByRole("gridcell", { name: "42" }).waitFor();
    await page.goto(placeOf(node, "data/transfer"));
    await page.getByText("You may not back up").waitFor();
    const made = await fetch(`${node.url}/db/execute`, {
      method: "POST",
      headers: { Authorization: `Basic ${btoa("root:secret")}`, "Content-Type": "application/json" },
      body: JSON.stringify(["CREATE TABLE shown (a)"]),
    });
    assertEquals((await made.json()).results[0].error, undefined);
    await page.getByRole("button", { name: "Read again" }).click();
    await page.getByRole("link", { name: /shown/ }).click();
    await page.getByRole("link", { name: "Schema" }).click();
    await page.getByText("CREATE TABLE shown").waitFor();
    assertEquals(await page.getByRole("button", { name: /Read-only|Drop|Rename/ }).count(), 0);
    assertClean(tab, node);
    await page.context().close();
  });
  await t.step("whoever signs in on the page itself sees what that user may do", async () => {
    // Everybody may see the page and the cluster.
    const open = (await openToAll()).url;
    const tab = await browser.open(`${open}/console/`);
    const { page } = tab;
    await page.locator(".map").waitFor();
    assertEquals(await page.getByRole("link", { name: "SQL" }).count(), 0);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("textbox", { name: "User" }).fill("root");
    await page.getByRole("textbox", { name: "Password" }).fill("wrong");
    await page.getByRole("dialog").getByRole("button", { name: "Sign in" }).click();
    await page.getByText("There is no such user").waitFor();
    await page.getByRole("textbox", { name: "Password" }).fill("secret");
    await page.getByRole("dialog").getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("button", { name: /root · sign out/ }).waitFor();
    await page.goto(`${open}/console/#/operations`);
    await page.getByRole("button", { name: "SQLite file" }).waitFor();
    assertEquals(await accessibilityFaults(tab), []);
    assertClean(tab, { url: open });
    await page.getByRole("button", { name: /sign out/ }).click();
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    await page.context().close();
  });
}

/** The picture follows the cluster. */
async function leaderDies(t: Deno.TestContext, browser: TestBrowser, nodes: readonly NodeProcess[]): Promise<void> {
  await t.step("the picture changes when the leader is killed, and when it comes back", async () => {
    const leader = await leaderOf(nodes);
    const witness = nodes.find((node) => node !== leader) ?? leader;
    const tab = await browser.open(`${witness.url}/console/`);
    const { page } = tab;
    await page.locator(".map .node.healthy").nth(2).waitFor();
    await page.locator(".fact .value", { hasText: new RegExp(`^${leader.place.id}$`) }).first().waitFor();
    await page.getByText("Nothing needs attention").waitFor();
    await leader.stop("SIGKILL");
    await page.locator(".map .node.unreachable").waitFor();
    await page.locator(".warnings", { hasText: `${leader.place.id} does not answer` }).waitFor();
    const after = await until("another leader", async () => {
      const name = await page.locator(".fact .value").first().innerText();
      return name !== leader.place.id && name !== "none" ? name : undefined;
    });
    assert(nodes.some((node) => node !== leader && node.place.id === after));
    await page.getByText("No further voter may fail").waitFor();
    assertEquals(await accessibilityFaults(tab), []);
    assertClean(tab, witness);
    await page.context().close();
  });
}

/** Tokens, on a server and on a client agent, which has no data of its own. */
async function tokens(
  t: Deno.TestContext,
  browser: TestBrowser,
  { root, start }: { readonly root: string; readonly start: StartAgent },
): Promise<void> {
  const config = `${root}/acl.hcl`;
  await Deno.writeTextFile(config, `acl { enabled = true  default_policy = "deny" }`);
  const server = start(agentPlace(root, "server"), `-config-file=${config}`, "-server", "-bootstrap-expect=1");
  const client = start(agentPlace(root, "client"), `-config-file=${config}`, `-retry-join=${server.addr}`);
  const off = start(agentPlace(root, "off"), `-config-file=${config}`, `-retry-join=${server.addr}`, "-ui=false");
  for (const agent of [server, client, off]) await agent.up();
  await until("it knows who leads", () => server.leader());
  const made = await fetch(`${server.url}/v1/acl/bootstrap`, { method: "PUT" });
  const { SecretID: secret } = await made.json();

  await t.step("an agent greets health checks, and leads a browser from Consul's path to the console", async () => {
    const greeted = await fetch(`${server.url}/`);
    assertEquals([greeted.status, await greeted.text()], [200, "Consul Agent\n"]);
    const away = await fetch(`${off.url}/console/`);
    await away.body?.cancel();
    assertEquals(away.status, 404);
    const tab = await browser.open(`${server.url}/ui/dc1/services`);
    assertEquals(new URL(tab.page.url()).pathname, "/console/");
    await tab.page.goto(server.url);
    assertEquals(new URL(tab.page.url()).pathname, "/console/");
    await tab.page.context().close();
  });
  for (const agent of [server, client]) {
    await t.step(`a token decides what is shown, at ${agent.place.name}`, async () => {
      const tab = await browser.open(`${agent.url}/console/`);
      const { page } = tab;
      await page.getByLabel("Token").fill("11111111-2222-3333-4444-555555555555");
      await page.getByRole("button", { name: "Sign in" }).last().click();
      await page.getByText("ACL not found").waitFor();
      await page.getByLabel("Token").fill(secret);
      await page.getByRole("button", { name: "Sign in" }).last().click();
      await page.locator(".map .leads", { hasText: "server" }).waitFor();
      await page.goto(`${agent.url}/console/#/sql`);
      await runSql(tab, "SELECT 6 * 7");
      await page.getByRole("gridcell", { name: "42" }).waitFor();
      assertEquals(await accessibilityFaults(tab), []);
      assertClean(tab, agent);
      await page.context().close();
    });
  }
  await revocation(t, browser, { url: server.url, secret });
}

/** What becomes of the page when the token that it was signed in with changes, or goes. */
async function revocation(
  t: Deno.TestContext,
  browser: TestBrowser,
  { url, secret }: { readonly url: string; readonly secret: string },
): Promise<void> {
  const send = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(`${url}/v1/${path}`, {
      method,
      headers: { "X-Consul-Token": secret },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    assert(response.ok, `${path}: ${response.status}`);
    return await response.json();
  };
  await t.step(
    "a page notices when its policy changes and when its token is gone, and shows nothing more",
    async () => {
      const Rules = `sql = "read"  operator = "read"  key_prefix "" { policy = "read" }`;
      const policy = await send("PUT", "acl/policy", { Name: "look", Rules });
      const token = await send("PUT", "acl/token", { Policies: [{ ID: policy.ID }] });
      const tab = await browser.open(`${url}/console/#/sql`);
      const { page } = tab;
      const signIn = async () => {
        await page.getByLabel("Token").fill(token.SecretID);
        await page.getByRole("button", { name: "Sign in" }).last().click();
      };
      await signIn();
      await page.locator(".cm-content").waitFor();
      await runSql(tab, "SELECT 'for your eyes'");
      await page.getByRole("gridcell", { name: "for your eyes" }).waitFor();
      await send("PUT", `acl/policy/${policy.ID}`, { Name: "look", Rules: `key_prefix "" { policy = "read" }` });
      await page.getByRole("heading", { name: "SQL is not available" }).waitFor();
      await page.locator(".menu").getByRole("link", { name: "Key/value" }).waitFor();
      assertEquals(await page.locator(".menu").getByRole("link", { name: /SQL|Overview|Data/ }).count(), 0);
      assertEquals(await page.locator(".chip").count(), 0, "the state of the cluster is not shown any more");
      await page.goto(`${url}/console/#/kv`);
      await page.getByText("No keys yet").waitFor();
      await page.getByRole("button", { name: /sign out/ }).waitFor();
      await send("DELETE", `acl/token/${token.AccessorID}`);
      await page.getByText("You are not signed in any more").waitFor();
      await page.getByRole("heading", { name: "Sign in" }).waitFor();
      assertEquals(await page.locator(".menu a, .key-tree, .node-name").count(), 0);
      assertEquals(await accessibilityFaults(tab), []);
      assertClean(tab, { url });
      await page.context().close();
    },
  );
}
