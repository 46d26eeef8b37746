/** Anti-entropy against a catalog that is played: what differs is written, both ways, and again after a failure. */
import { assertEquals } from "@std/assert";
import type { CatalogRow } from "../../../src/app/agent/catalog.ts";
import { checkRow, type Registration, serviceRow } from "../../../src/app/agent/registration.ts";
import { AntiEntropy, type CatalogAccess } from "../../../src/app/services/anti_entropy.ts";
import { LocalState } from "../../../src/app/services/local_state.ts";
import { decodeCheck, decodeService } from "../../../src/core/health/definitions.ts";
import { agentOf } from "../../harness/services.ts";

/** A catalog of one node, in memory. */
class FakeCatalog implements CatalogAccess {
  services: CatalogRow[] = [];
  checks: CatalogRow[] = [];
  registrations: Registration[] = [];
  meta: Record<string, string> = { "consul-version": "1" };
  /** Calls that fail from now on. */
  failures = 0;
  #woken = () => {};

  agent() {
    if (this.failures > 0) {
      this.failures--;
      return Promise.reject(new Error("No cluster leader"));
    }
    queueMicrotask(() => this.#woken());
    return Promise.resolve({
      node: { address: "10.0.0.1", meta: this.meta },
      services: this.services,
      checks: this.checks,
    });
  }

  register = ({ meta }: { meta: Readonly<Record<string, string>> }) => {
    this.meta = { ...meta, "consul-version": "1" };
    return Promise.resolve();
  };

  registerAll(registration: Registration) {
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

  deregister(_: string, what: { readonly service: string } | { readonly check: string }) {
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
  work: (parts: { catalog: FakeCatalog; local: LocalState; entropy: AntiEntropy }) => Promise<void>,
  meta: Record<string, string> = {},
): Promise<void> {
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
  const entropy = new AntiEntropy({ agent, local, access: catalog, log() {} });
  try {
    await work({ catalog, local, entropy });
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
