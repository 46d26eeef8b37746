import { assertEquals } from "@std/assert";
import { FLAGS_PAGE, flagsPage } from "../../scripts/flags_page.ts";

/** Without the width of columns, which `deno fmt` decides. */
function lines(page: string): string[] {
  return page.split("\n").map((line) => line.replace(/ +/g, " ").replace(/-{3,}/g, "---").trimEnd());
}

Deno.test("the page about flags has what the program declares: else run deno task flags-page and deno fmt", () => {
  assertEquals(lines(Deno.readTextFileSync(FLAGS_PAGE)), lines(flagsPage()));
});
