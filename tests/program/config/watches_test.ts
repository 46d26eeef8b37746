/** Watches in files of configuration: what is taken, and what is refused with a reason. */
import { assertEquals, assertThrows } from "@std/assert";
import { AGENT_FLAGS } from "../../../src/program/config/agent_flags.ts";
import { Flags } from "../../../src/program/config/flags.ts";
import { Settings, SettingsError } from "../../../src/program/config/settings.ts";
import { type WatchDefinition, watchDefinitions } from "../../../src/program/config/watches.ts";

/** The watches in a file of this name with this text. */
function read(text: string, name = "watches.json"): WatchDefinition[] {
  const directory = Deno.makeTempDirSync({ prefix: "muster-watches-" });
  try {
    Deno.writeTextFileSync(`${directory}/${name}`, text);
    return watchDefinitions(Settings.load(Flags.parse([`-config-file=${directory}/${name}`], AGENT_FLAGS)));
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("programs, lines for the shell and requests handle the states of a watch", () => {
  const watches = [
    { type: "key", key: "a/b", args: ["/bin/handle", "x"], token: "secret" },
    { type: "service", service: "web", tag: ["a", "b"], passingonly: true, handler: "echo $CONSUL_INDEX" },
    {
      type: "checks",
      state: "critical",
      handler_type: "http",
      http_handler_config: { path: "https://hooks.example.com/", header: { "X-A": ["1", "2"] }, timeout: "3s" },
    },
  ];
  assertEquals(read(JSON.stringify({ watches })), [
    {
      keys: { type: "key", key: "a/b" },
      token: "secret",
      handler: { k: "script", args: ["/bin/handle", "x"], isShell: false },
    },
    {
      keys: { type: "service", service: "web", tag: ["a", "b"], passingonly: true },
      token: "",
      handler: { k: "script", args: ["echo $CONSUL_INDEX"], isShell: true },
    },
    {
      keys: { type: "checks", state: "critical" },
      token: "",
      handler: {
        k: "http",
        url: "https://hooks.example.com/",
        method: "POST",
        headers: { "X-A": ["1", "2"] },
        timeoutMs: 3000,
      },
    },
  ]);
  const [block] = read(
    `watches { type = "nodes" handler_type = "http" http_handler_config { path = "http://x/" } }`,
    "w.hcl",
  );
  assertEquals([block.keys, block.handler.k], [{ type: "nodes" }, "http"]);
});

Deno.test("a watch that makes no sense is refused with a reason", () => {
  const cases: [Record<string, unknown>, string][] = [
    [{ args: ["x"] }, "Watch type must be specified"],
    [{ type: "what", args: ["x"] }, "Unsupported watch type: what"],
    [{ type: "key", args: ["x"] }, "Must specify a single key to watch"],
    [{ type: "nodes", key: "a", args: ["x"] }, "Invalid parameters: [key]"],
    [{ type: "nodes" }, "Must define a watch handler"],
    [{ type: "nodes", handler: "x", args: ["y"] }, "Only one watch handler allowed"],
    [{ type: "nodes", handler_type: "mail", args: ["x"] }, "Handler type 'mail' not recognized"],
    [{ type: "nodes", handler_type: "http" }, "Requires 'path' to be set"],
    [{ type: "nodes", args: [1] }, `expected "args" to be a text or a list of texts`],
    [
      { type: "nodes", handler_type: "http", http_handler_config: { path: "http://x/", timeout: "soon" } },
      `Failed to parse timeout "soon"`,
    ],
  ];
  for (const [watch, reason] of cases) {
    assertThrows(() => read(JSON.stringify({ watches: [watch] })), SettingsError, reason);
  }
});
