/** Anti-entropy against a catalog that is played: what differs is written, both ways, and again after a failure. */
import { assertEquals, assertMatch } from "@std/assert";
import type { CatalogRow } from "../../../src/app/agent/catalog.ts";
import { checkRow, type Registration, serviceRow } from "../../../src/app/agent/registration.ts";
import { AntiEntropy, type CatalogAccess } from "../../../src/app/services/anti_entropy.ts";
import { AgentTokens } from "../../../src/app/acl/settings.ts";
import { RefusedError, RemoteFailure } from "../../../src/app/database/errors.ts";
import { LocalState } from "../../../src/app/services/local_state.ts";
import { decodeCheck, decodeService } from "../../../src/core/health/definitions.ts";
import { agentOf } from "../../harness/services.ts";

/** A catalog of one node, in memory. */
class FakeCatalog implements CatalogAccess {
  services: CatalogRow[] = [];
  checks: CatalogRow[] = [];
  registrations: Registration[] = [];
  meta: Record<string, string> = { "consul-version": "1" };
  /** Whose node it is. */
  id = "1";
  reads = 0;
  /** Tokens of registrations, by the service or the check; where access control is on. */
  readonly tokens = new Map<string, string>();
  /** A token that may nothing. */
  readonly weak = "weak";
  /** Calls that fail from now on. */
  failures = 0;
  #woken = () => {};

  agent() {
    this.reads++;
    if (this.failures > 0) {
      this.failures--;
      return Promise.reject(new Error("No cluster leader"));
    }
    queueMicrotask(() => this.#woken());
    return Promise.resolve({
      node: { id: this.id, address: "10.0.0.1", meta: this.meta },
      services: this.services,
      checks: this.checks,
    });
  }

  register = ({ meta }: { meta: Readonly<Record<string, string>> }) => {
    this.meta = { ...meta, "consul-version": "1" };
    return Promise.resolve();
  };

  registerAll(registration: Registration, token: string) {
    const what = registration.services.at(0)?.id ?? registration.checks.at(0)?.id ?? "";
    this.tokens.set(what, token);
    this.#woken();
    if (token === this.weak) {
      return Promise.reject(new RemoteFailure(new RefusedError({ k: "denied", text: `no ${what}` }), "s:1"));
    }
    this.registrations.push(registration);
    const put = (rows: CatalogRow[], row: CatalogRow) => [...rows.filter(({ id }) => id !== row.id), row];
    for (const service of registration.services) this.services = put(this.services, serviceRow("own", service));
    for (const check of registration.checks) {
      const name = this.services.find(({ id }) => id === check.serviceId)?.name ?? "";
      this.checks = put(this.checks, checkRow("own", check, String(name)));
    }
    this.#woken();
    return Promise.resolve();
  }

  deregister(_: string, what: { readonly service: string } | { readonly check: string }, token: string) {
    this.tokens.set("service" in what ? `-${what.service}` : `-${what.check}`, token);
    if ("service" in what) this.services = this.services.filter(({ id }) => id !== what.service);
    else this.checks = this.checks.filter(({ id }) => id !== what.check);
    this.#woken();
    return Promise.resolve();
  }

  /** Resolves when the catalog is as it is to be, looked at after each call. */
  async until(isSo: () => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#woken = () => isSo() && resolve();
      this.#woken();
    });
    this.#woken = () => {};
  }
}

async function withAgent(
  work: (parts: { catalog: FakeCatalog; local: LocalState; entropy: AntiEntropy; logged: string[] }) => Promise<void>,
  meta: Record<string, string> = {},
  tokens?: AgentTokens,
): Promise<void> {
  const logged: string[] = [];
  const catalog = new FakeCatalog();
  const pool = new MessageChannel(); // which nobody answers
  const agent = agentOf(pool.port1, { nodeName: "own", meta });
  const local = new LocalState({
    options: { scripts: "none", outputBytesMax: 100, discardsOutput: false, updateIntervalMs: 60_000 },
    nodeName: "own",
    store: { keep: () => Promise.resolve(), forget: () => Promise.resolve() },
    runner: { start() {}, stop() {} },
    remoteStatus: () => Promise.resolve(undefined),
    log() {},
  });
  const entropy = new AntiEntropy({ agent, local, access: catalog, tokens, log: (line) => void logged.push(line) });
  try {
    await work({ catalog, local, entropy, logged });
  } finally {
    entropy.close();
    local.close();
    pool.port1.close();
    pool.port2.close();
  }
}

const ids = (rows: readonly CatalogRow[]) => rows.map(({ id }) => id).sort();

Deno.test("a service is written with its checks in one piece; what the agent does not know is taken out", () =>
  withAgent(async ({ catalog, local, entropy }) => {
    catalog.services = [{ id: "ghost", name: "ghost" }, { id: "consul", name: "consul" }];
    catalog.checks = [{ id: "serfHealth", service_id: "" }, { id: "old", service_id: "" }, {
      id: "of-ghost",
      service_id: "ghost",
    }];
    await local.addService(decodeService({ Name: "web", Checks: [{ TTL: "1m" }, { TTL: "1m" }] }), "request");
    await local.addCheck(decodeCheck({ Name: "mem", TTL: "1m" }), "request");
    await catalog.until(() => catalog.checks.some(({ id }) => id === "mem"));
    const [{ services, checks, skipsNode }] = catalog.registrations;
    assertEquals([services.length, checks.length, skipsNode, catalog.registrations.length], [1, 3, true, 1]);
    assertEquals(ids(catalog.services), ["consul", "web"]);
    assertEquals(ids(catalog.checks), ["mem", "of-ghost", "serfHealth", "service:web:1", "service:web:2"]);
    await local.removeService("web");
    await catalog.until(() => !catalog.services.some(({ id }) => id === "web"));
    assertEquals(catalog.meta, { "consul-version": "1" });
    entropy.soon();
  }));

Deno.test("a status goes at once, an output alone waits, and nothing is written when nothing differs", () =>
  withAgent(async ({ catalog, local, entropy }) => {
    await local.addCheck(decodeCheck({ Name: "mem", TTL: "1m" }), "request");
    await catalog.until(() => catalog.checks.length === 1);
    local.update("mem", "passing", "one");
    await catalog.until(() => catalog.checks[0].status === "passing");
    const { length } = catalog.registrations;
    local.update("mem", "passing", "two");
    let looked = 0;
    const { agent } = catalog;
    catalog.agent = () => (looked++, agent.call(catalog));
    entropy.soon();
    await catalog.until(() => looked > 0);
    assertEquals([catalog.registrations.length, catalog.checks[0].output], [length, "one"]);
    local.update("mem", "warning", "three");
    await catalog.until(() => catalog.checks[0].status === "warning");
    assertEquals(catalog.checks[0].output, "three");
  }));

Deno.test("tags of others stay where a service lets them; metadata are the agent's own; a failure is tried again", () =>
  withAgent(async ({ catalog, local, entropy }) => {
    catalog.failures = 2;
    await local.addService(decodeService({ Name: "open", Tags: ["a"], EnableTagOverride: true }), "request");
    await local.addService(decodeService({ Name: "closed", Tags: ["a"] }), "request");
    await catalog.until(() => catalog.services.length === 2);
    assertEquals(catalog.meta, { rack: "r1", "consul-version": "1" });
    catalog.services = catalog.services.map((row) => ({ ...row, tags: `["b"]` }));
    entropy.soon();
    await catalog.until(() => catalog.services.find(({ id }) => id === "closed")?.tags === `["a"]`);
    assertEquals(local.services.get("open")?.definition.tags, ["b"]);
  }, { rack: "r1" }));

Deno.test("each service is registered with its token; one that is denied is told once, and stops no other", () =>
  withAgent(
    async ({ catalog, local, entropy, logged }) => {
      const service = (name: string, token?: string) => decodeService({ name, ...(token ? { token } : {}) });
      await local.replaceFromFiles([service("of-file"), service("own", "o")], []);
      await local.addService(service("a-denied", catalog.weak), "request");
      await local.addService(service("plain"), "request");
      await local.addCheck(decodeCheck({ Name: "mem", TTL: "1m" }), "request");
      await local.addCheck(decodeCheck({ Name: "of-own", TTL: "1m", ServiceID: "own" }), "request");
      await catalog.until(() => catalog.services.length === 3 && catalog.checks.length === 2);
      let tried = 0;
      const { agent } = catalog;
      catalog.agent = () => (tried++, agent.call(catalog));
      await catalog.until(() => tried >= 2);
      const wanted = { "of-file": "file", own: "o", "a-denied": "weak", plain: "default", mem: "agent" };
      for (const [what, token] of Object.entries(wanted)) assertEquals(catalog.tokens.get(what), token, what);
      assertEquals(logged.filter((line) => line.includes("a-denied")), [
        "update blocked by ACLs: service=a-denied: no a-denied",
      ]);
      await local.removeService("own");
      await catalog.until(() => catalog.services.length === 2);
      assertEquals(catalog.tokens.get("-own"), "o", "with the token that it had");
      entropy.soon();
    },
    {},
    new AgentTokens({ default: "default", agent: "agent", config_file_service_registration: "file" }),
  ));

Deno.test("what is registered by the agent's name for another id stays as it is, until the leader gives this one the place", () =>
  withAgent(async ({ catalog, local, entropy, logged }) => {
    catalog.id = "2";
    catalog.services = [{ id: "others", name: "others" }];
    catalog.checks = [{ id: "serfHealth", service_id: "", status: "passing" }];
    await local.addService(decodeService({ Name: "web" }), "request");
    await catalog.until(() => logged.length > 1);
    assertEquals(new Set(logged).size, 1);
    assertMatch(
      logged[0],
      /Node name own is reserved by node 2 \(10\.0\.0\.1\), which is alive: .* start it with another -node/,
    );
    assertEquals([ids(catalog.services), catalog.registrations], [["others"], []]);

    catalog.checks = [{ id: "serfHealth", service_id: "", status: "critical" }];
    const { reads } = catalog;
    await catalog.until(() => catalog.reads > reads + 1); // the first is done with when the second begins
    assertEquals([ids(catalog.services), catalog.registrations], [["others"], []]);
    catalog.id = "1";
    entropy.soon();
    await catalog.until(() => ids(catalog.services).join() === "web");
  }));
