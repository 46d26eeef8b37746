/** Where the log of a node goes, and where that of an agent (C3.1). */
import { assertEquals, assertMatch } from "@std/assert";
import { logAsAgent, logger, setLogLevel } from "../../../src/base/worker/log.ts";

/** Lines on standard output and standard error. */
function said(work: () => void): { out: string[]; err: string[] } {
  const { log, error } = console;
  const lines = { out: new Array<string>(), err: new Array<string>() };
  console.log = (line: string) => lines.out.push(line);
  console.error = (line: string) => lines.err.push(line);
  try {
    work();
  } finally {
    Object.assign(console, { log, error });
  }
  return lines;
}

// The channel that tells Workers of the level is never closed.
Deno.test("a node logs to standard error as rqlite does, an agent to standard output with levels as Consul does", {
  sanitizeResources: false,
  sanitizeOps: false,
}, () => {
  const log = logger("store");
  const node = said(() => log("ready", "warn"));
  assertEquals(node.out, []);
  assertMatch(node.err.join(), /^\[store\] \d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d ready$/);
  logAsAgent();
  setLogLevel("info");
  const agent = said(() => {
    log("one");
    log("two", "error");
    log("three", "debug");
  });
  assertEquals(agent.err, []);
  assertEquals(agent.out.length, 2);
  assertMatch(agent.out[0], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \[INFO\] {2}store: one$/);
  assertMatch(agent.out[1], / \[ERROR\] store: two$/);
});
