/**
 * `deno task console:screenshots`: starts three nodes with some data, then three agents with services, and writes pictures of the
 * console into `docs/images/`, for docs/console.md and for whoever changes how it looks.
 * @module
 */
import { TestBrowser } from "../tests/harness/browser.ts";
import { agentPictures } from "./console/agent_pictures.ts";
import { takePicture } from "./console/take_picture.ts";
import { clusterFlags, leaderOf, nodePlace, withNodes } from "../tests/harness/processes.ts";

const IMAGES = new URL("../docs/images/", import.meta.url).pathname;
const CITIES = ["Lisbon", "Oslo", "Kyoto", "Nairobi", "Quito"];
const DATA: readonly (string | readonly unknown[])[] = [
  "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT UNIQUE, city TEXT, since TEXT)",
  "CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price REAL NOT NULL, picture BLOB)",
  "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers(id), placed TEXT, note TEXT)",
  "CREATE TABLE order_lines (order_id INTEGER REFERENCES orders(id), line INTEGER, " +
  "product_id INTEGER REFERENCES products(id), quantity INTEGER, PRIMARY KEY (order_id, line)) WITHOUT ROWID",
  "CREATE INDEX orders_customer ON orders(customer_id)",
  "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2400) INSERT INTO customers " +
  "SELECT i, 'Customer ' || i, 'customer' || i || '@example.com', " +
  `CASE i % 6 ${
    CITIES.map((city, at) => `WHEN ${at} THEN '${city}'`).join(" ")
  } END, date('2024-01-01', i || ' days') FROM n`,
  "INSERT INTO products SELECT id, 'Product ' || id, id * 3.75, CASE WHEN id % 2 THEN x'89504e470d0a1a0a' END " +
  "FROM customers ORDER BY id LIMIT 60",
  "INSERT INTO orders SELECT id, 1 + id * 7 % 2400, since, CASE WHEN id % 4 = 0 THEN 'a gift' END FROM customers",
  "INSERT INTO order_lines SELECT id, 1, 1 + id % 60, 1 + id % 5 FROM orders",
];
const QUERY = `-- What each city has ordered
SELECT c.city, count(*) AS orders, round(sum(l.quantity * p.price), 2) AS total
FROM customers c
JOIN orders o ON o.customer_id = c.id
JOIN order_lines l ON l.order_id = o.id
JOIN products p ON p.id = l.product_id
GROUP BY c.city ORDER BY total DESC`;

await Deno.mkdir(IMAGES, { recursive: true });
await using browser = await TestBrowser.start();
await withNodes(async (root, start) => {
  const places = ["lisbon", "oslo", "kyoto"].map((name) => nodePlace(root, name));
  const nodes = places.map((place) => start(place, clusterFlags(places)));
  await Promise.all(nodes.map((node) => node.ready()));
  const leader = await leaderOf(nodes);
  const witness = nodes.find((node) => node !== leader) ?? leader;
  await leader.execute(...DATA);
  const tab = await browser.open(`${witness.url}/console/`);
  const { page } = tab;
  const open = (hash: string) => page.goto(`${witness.url}/console/#/${hash}`);
  await page.locator(".map .node.healthy").nth(2).waitFor();
  await page.waitForTimeout(6000); // round trips are the shortest of several
  await takePicture(tab, `${IMAGES}console-overview.png`);

  await open("sql");
  await page.locator(".cm-content").click();
  await page.keyboard.insertText(QUERY);
  await page.keyboard.press("Control+Enter");
  await page.locator(".grid-row").first().waitFor();
  await takePicture(tab, `${IMAGES}console-sql.png`);
  await page.getByRole("button", { name: "Plan" }).click();
  await page.locator(".plan").waitFor();
  await takePicture(tab, `${IMAGES}console-plan.png`);

  await open("data");
  await page.locator(".diagram .reference").first().waitFor();
  await page.locator(".count", { hasText: "2,400" }).first().waitFor();
  await takePicture(tab, `${IMAGES}console-data.png`);
  await open("data/table/customers");
  await page.getByLabel("Column").selectOption("name"); // few rows: a page of them is a large picture
  await page.getByLabel("Value").fill("customer 239");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.getByText("11 rows").waitFor();
  await page.locator(".grid-row").first().getByText("Customer 2399").dblclick();
  await page.getByRole("textbox", { name: "Value" }).last().fill("Ada Lovelace");
  await page.getByRole("button", { name: "Take over" }).click();
  await takePicture(tab, `${IMAGES}console-rows.png`);

  await leader.stop("SIGKILL");
  await page.emulateMedia({ colorScheme: "dark" });
  await open("overview");
  await page.locator(".map .node.unreachable").waitFor();
  await page.locator(".map .node.leads.healthy").waitFor();
  await takePicture(tab, `${IMAGES}console-leader-lost.png`);
  await page.setViewportSize({ width: 390, height: 800 });
  await takePicture(tab, `${IMAGES}console-narrow.png`);
});
await agentPictures(browser, IMAGES);
