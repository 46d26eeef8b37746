/**
 * Client libraries of Consul work with muster as their documentation shows them, through a client agent and a server: Go's
 * `api`, npm's `consul`, and `py-consul` for Python.
 */
import { withAgentPair } from "./agent_pair.ts";
import { hasGo, install, nodeFolder, pathOf, pythonWith } from "./clients.ts";

/** The module names the version of Go that it needs: an older one fetches it like a module. */
const TOOLCHAIN = { GOTOOLCHAIN: "auto" };

Deno.test({
  name: "Go's api: keys, locks, semaphores, sessions, services, watches, events, queries, the cluster, snapshots",
  ignore: !hasGo("Go's library of Consul"),
  fn: () =>
    withAgentPair(async (root, runClient) => {
      const client = `${root}/consul-client`;
      await install("go", ["build", "-o", client, "."], { cwd: pathOf("consul-go"), env: TOOLCHAIN });
      await runClient(client, []);
    }),
});

/** What shows no token may do everything: the program makes tokens that may not. */
const ACL = `acl {
  enabled = true
  default_policy = "deny"
  tokens {
    initial_management = "aaaaaaaa-1111-2222-3333-444444444444"
    default = "aaaaaaaa-1111-2222-3333-444444444444"
  }
}`;

Deno.test({
  name: "Go's api: tokens, policies, roles, and what they allow",
  ignore: !hasGo("Go's library of Consul"),
  fn: () =>
    withAgentPair(async (root, runClient) => {
      const client = `${root}/consul-client`;
      await install("go", ["build", "-o", client, "."], { cwd: pathOf("consul-go"), env: TOOLCHAIN });
      await runClient(client, ["acl"]);
    }, ACL),
});

Deno.test("npm's consul: keys, sessions, services, the catalog, watches, agents, queries", () =>
  withAgentPair(async (root, runClient) => {
    await runClient("node", ["client.js"], { cwd: await nodeFolder(root, "consul-js") });
  }));

Deno.test("py-consul: keys, sessions, services, the catalog, the cluster, queries, snapshots, coroutines", () =>
  withAgentPair(async (root, runClient) => {
    const python = await pythonWith(root, "python/consul-requirements.txt");
    await runClient(python, [pathOf("python/consul_client.py")]);
  }));
