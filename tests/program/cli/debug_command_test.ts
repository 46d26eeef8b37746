/** What the command debug says before it asks anybody. */
import { assertEquals } from "@std/assert";
import { musterHere } from "../../harness/command_line.ts";

Deno.test("debug names both flags, and their values, where they do not go together", async () => {
  const { code, stderr } = await musterHere(["debug", "-duration=5s"]);
  assertEquals([code, stderr.trim()], [1, "-duration 5s must not be shorter than -interval 30s"]);
});
