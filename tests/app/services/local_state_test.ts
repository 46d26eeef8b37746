/** The services and checks of one agent: what is kept, what comes back, and how statuses follow from each other. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type DefinitionStore,
  type LocalOptions,
  LocalRefusal,
  LocalState,
  UnknownIdError,
} from "../../../src/app/services/local_state.ts";
import { decodeCheck, decodeService } from "../../../src/core/health/definitions.ts";

const OPTIONS: LocalOptions = { scripts: "none", outputBytesMax: 100, discardsOutput: false, updateIntervalMs: 60_000 };

/** A state, what it keeps, and what it has run; it is closed at the end. */
async function withState(
  work: (
    parts: { state: LocalState; kept: Map<string, string>; running: Set<string>; changes: number[] },
  ) => Promise<void>,
  { options = {}, store, scanMs }: {
    options?: Partial<LocalOptions>;
    store?: Partial<DefinitionStore>;
    scanMs?: number;
  } = {},
): Promise<void> {
  const kept = new Map<string, string>();
  const running = new Set<string>();
  const state = new LocalState({
    options: { ...OPTIONS, ...options },
    nodeName: "here",
    store: {
      keep: (kind, id, text) => (kept.set(`${kind}/${id}`, text), Promise.resolve()),
      forget: (kind, id) => (kept.delete(`${kind}/${id}`), Promise.resolve()),
      ...store,
    },
    runner: { start: ({ id }) => running.add(id), stop: (id) => running.delete(id) },
    remoteStatus: (node) => Promise.resolve(node === "there" ? "warning" : undefined),
    log() {},
    scanMs,
  });
  const changes: number[] = [];
  state.onChange = (ms) => changes.push(ms);
  try {
    await work({ state, kept, running, changes });
  } finally {
    state.close();
  }
}

const service = (name: string, more: Record<string, unknown> = {}) => decodeService({ Name: name, ...more });
const statuses = (state: LocalState) => Object.fromEntries([...state.checks].map(([id, { status }]) => [id, status]));

Deno.test("what came by request is on disk before it is answered, and off it before its end is", () =>
  withState(async ({ state, kept, running }) => {
    await state.addService(service("web", { Checks: [{ TTL: "1m" }, { TCP: "a:1", Interval: "1s" }] }), "request");
    assertEquals([...kept.keys()].sort(), ["checks/service:web:1", "checks/service:web:2", "services/web"]);
    assertEquals([...running], ["service:web:2"]);
    await state.addCheck(decodeCheck({ Name: "mem", TTL: "1m" }, { outputBytesMax: 100 }), "request");
    state.update("mem", "passing", "x".repeat(200));
    assertEquals(state.checks.get("mem")?.output.slice(0, 16), "Captured 100 of ");
    await state.removeService("web");
    await state.removeCheck("mem");
    assertEquals([kept.size, running.size, state.checks.size], [0, 0, 0]);
    await assertRejects(() => state.removeService("web"), UnknownIdError, `Unknown service ID "web"`);
    await assertRejects(() => state.removeCheck("mem"), UnknownIdError, `Unknown check ID "mem"`);
    const orphan = decodeCheck({ Name: "c", TTL: "1m", ServiceID: "none" });
    await assertRejects(() => state.addCheck(orphan, "request"), UnknownIdError, `ServiceID "none" does not exist`);
    const health = decodeCheck({ CheckID: "serfHealth", Name: "x", TTL: "1m" });
    await assertRejects(() => state.addCheck(health, "request"), LocalRefusal, "the cluster's own");
    await assertRejects(() => state.addService(service("consul"), "request"), LocalRefusal, "the cluster's own");
  }));

Deno.test("what cannot be kept is not there", () =>
  withState(async ({ state }) => {
    await assertRejects(() => state.addService(service("web"), "request"), Error, "disk full");
    assertEquals(state.services.size, 0);
    await state.addService(service("web"), "file");
    assertEquals(state.services.size, 1);
  }, { store: { keep: () => Promise.reject(new Error("disk full")) } }));

Deno.test("what was kept comes back with its statuses, those of TTL checks as long as they hold; files win", async () => {
  const texts = { services: [] as string[], checks: [] as string[], states: [] as string[] };
  await withState(async ({ state, kept }) => {
    await state.addService(service("web", { Checks: [{ TTL: "1m" }], Tags: ["old"] }), "request");
    await state.addService(service("api"), "request");
    await state.setMaintenance("api", { isOn: true, reason: "why" });
    state.update("service:web", "warning", "so");
    await state.setMaintenance("", { isOn: true, reason: "" });
    await new Promise((resolve) => setTimeout(resolve)); // a state is kept behind the answer
    for (const [key, text] of kept) texts[key.slice(0, key.indexOf("/")) as keyof typeof texts].push(text);
  });
  texts.services.push("{", `{"Name":1}`);
  await withState(async ({ state }) => {
    await state.replaceFromFiles([service("api", { Tags: ["file"] })], []);
    state.restore(texts);
    assertEquals([...state.services.keys()].sort(), ["api", "web"]);
    assertEquals(state.services.get("api")?.definition.tags, ["file"]);
    assertEquals(statuses(state), {
      "service:web": "warning",
      "_service_maintenance:api": "critical",
      "_node_maintenance": "critical",
    });
    assertEquals(state.checks.get("_service_maintenance:api")?.definition.notes, "why");
    await state.setMaintenance("", { isOn: false, reason: "" });
    assertEquals(statuses(state)["_node_maintenance"], undefined);
    await assertRejects(() => state.setMaintenance("none", { isOn: true, reason: "" }), UnknownIdError);
  });
});

Deno.test("a reload takes what is in files in the place of what was; statuses stay, requests are not touched", () =>
  withState(async ({ state, changes }) => {
    await state.addService(service("asked", { Check: { TTL: "1m" } }), "request");
    const web = service("web", { Checks: [{ TTL: "1m" }, { CheckID: "two", TTL: "1m" }] });
    await state.replaceFromFiles([web], [decodeCheck({ Name: "mem", TTL: "1m" })]);
    state.update("service:web:1", "passing", "fine");
    changes.length = 0;
    await state.replaceFromFiles([service("web", { Checks: [{ CheckID: "service:web:1", TTL: "1m" }] })], []);
    assertEquals(statuses(state), { "service:asked": "critical", "service:web:1": "passing" });
    await state.replaceFromFiles([], []);
    assertEquals([...state.services.keys()], ["asked"]);
    assertEquals(changes.every((ms) => ms === 0) && changes.length > 0, true);
  }));

Deno.test("scripts need leave, those of requests more of it", async () => {
  const script = service("web", { Check: { Args: ["true"], Interval: "1s" } });
  await withState(async ({ state }) => {
    for (const source of ["file", "request"] as const) {
      await assertRejects(() => state.addService(script, source), LocalRefusal, "Scripts are disabled");
    }
    assertEquals(state.services.size, 0);
  });
  await withState(async ({ state }) => {
    await assertRejects(() => state.addService(script, "request"), LocalRefusal, "from remote calls");
    await state.addService(script, "file");
  }, { options: { scripts: "local" } });
  await withState(({ state }) => state.addService(script, "request"), { options: { scripts: "all" } });
});

Deno.test("a TTL check that nobody updates is critical; only such a check is updated", () =>
  withState(async ({ state }) => {
    const expired = Promise.withResolvers<void>();
    await state.addCheck(decodeCheck({ Name: "soon", TTL: "30ms" }), "request");
    await state.addCheck(decodeCheck({ Name: "tcp", TCP: "a:1", Interval: "1s" }), "request");
    state.onChange = () => state.checks.get("soon")?.status === "critical" && expired.resolve();
    state.update("soon", "passing", "fine");
    await expired.promise;
    assertEquals(state.checks.get("soon")?.output, "TTL expired (last output before timeout follows): fine");
    assertThrows(() => state.update("tcp", "passing", ""), LocalRefusal, "does not have associated TTL");
    assertThrows(() => state.update("none", "passing", ""), UnknownIdError);
  }));

Deno.test("a service whose check was critical for too long is deregistered, here and on disk; others stay", () =>
  withState(async ({ state, kept }) => {
    const soon = (name: string, ttl: string) => {
      const one = service(name, { Check: { TTL: ttl, DeregisterCriticalServiceAfter: "1m" } });
      return { ...one, checks: one.checks.map((check) => ({ ...check, deregisterAfterMs: 20 })) };
    };
    await state.addService(soon("renewed", "1m"), "request");
    state.update("service:renewed", "passing", "");
    await state.addService(service("patient", { Check: { TTL: "1ms" } }), "request");
    const isGone = Promise.withResolvers<void>();
    state.onChange = () => !state.services.has("lost") && isGone.resolve();
    await state.addService(soon("lost", "10ms"), "request");
    state.update("service:lost", "passing", "");
    await isGone.promise;
    assertEquals([...state.services.keys()], ["renewed", "patient"]);
    await state.removeService("patient"); // which is forgotten after the others
    assertEquals([...kept.keys()].sort(), ["checks/service:renewed", "services/renewed", "states/service:renewed"]);
  }, { scanMs: 5 }));

Deno.test("an alias has the worst status of what it stands for, here or on another node", () =>
  withState(async ({ state }) => {
    const told = (id: string, status: string) =>
      new Promise<void>((resolve) => {
        const look = () => state.checks.get(id)?.status === status && resolve();
        state.onChange = look;
        look();
      });
    await state.addService(service("web", { Check: { TTL: "1m" } }), "request");
    await state.addService(service("side"), "request");
    const alias = (name: string, more: object) => decodeCheck({ Name: name, ServiceID: "side", ...more });
    await state.addCheck(alias("local", { AliasService: "web" }), "request");
    await state.addCheck(alias("remote", { AliasNode: "there", AliasService: "db" }), "request");
    await state.addCheck(alias("lost", { AliasNode: "nowhere" }), "request");
    await told("remote", "warning");
    await told("local", "critical");
    state.update("service:web", "passing", "");
    await told("local", "passing");
    state.update("service:web", "warning", "");
    await told("local", "warning");
    assertEquals(state.checks.get("lost")?.status, "critical");
  }));

Deno.test("an output alone may wait, a status goes at once; outputs can be thrown away", async () => {
  await withState(async ({ state, changes }) => {
    await state.addCheck(decodeCheck({ Name: "c", TCP: "a:1", Interval: "1s" }), "request");
    changes.length = 0;
    const isDue = () => {
      const check = state.checks.get("c");
      return check !== undefined && state.isOutputDue(check);
    };
    state.setStatus("c", "critical", "the first");
    assertEquals([changes, isDue()], [[0], true]);
    state.noteSynced("c", "the first");
    state.setStatus("c", "critical", "one");
    assertEquals([changes, isDue()], [[0, 60_000], false]);
    state.noteSynced("c", "another");
    state.setStatus("c", "passing", "two");
    assertEquals(changes, [0, 60_000, 0]);
    state.setStatus("gone", "passing", "late"); // its result was under way
    assertEquals(state.checks.size, 1);
  });
  await withState(async ({ state }) => {
    await state.addCheck(decodeCheck({ Name: "c", TCP: "a:1", Interval: "1s" }), "request");
    state.setStatus("c", "passing", "two");
    assertEquals(state.checks.get("c")?.output, "");
  }, { options: { discardsOutput: true } });
});
