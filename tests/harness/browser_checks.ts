/**
 * What every page of the console has to keep to: nothing that shuts people out, no error, nobody but the node asked.
 * @module
 */
import { assertEquals } from "@std/assert";
import axe from "npm:axe-core@4.14.1";
import type { Tab } from "./browser.ts";

/** What axe finds that matters. */
export async function accessibilityFaults({ page }: Tab): Promise<string[]> {
  // By the protocol rather than as an element of the page: its policy lets no other script in.
  const session = await page.context().newCDPSession(page);
  await session.send("Runtime.evaluate", { expression: axe.source });
  const run = `axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => id + ": " + nodes.slice(0, 3).map(({ html }) => html.slice(0, 200)).join(" | ")))`;
  const found: unknown = await page.evaluate(run);
  return Array.isArray(found) ? found.map(String) : ["axe gave no answer"];
}

/** Nothing was reported, and nobody but the node was asked. */
export function assertClean({ faults, asked }: Tab, node: { readonly url: string }): void {
  assertEquals(faults, []);
  assertEquals(asked.filter((url) => !url.startsWith(`${node.url}/`) && !/^(data|blob):/.test(url)), []);
}
