/** Definitions of services and checks, as files and requests spell them. */
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DefinitionError } from "../../../src/core/health/definition_fields.ts";
import {
  type CheckDefinition,
  checkIds,
  decodeCheck,
  decodeService,
  definitionText,
  isScript,
} from "../../../src/core/health/definitions.ts";

const INTERVAL = "Invalid check: Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks";
const TLS = { tlsServerName: "", tlsSkipVerify: false };

/** The message of the refusal. */
function refusal(decode: () => unknown): string {
  return assertThrows(decode, DefinitionError).message;
}

Deno.test("decodeService() fills in what is not said", () => {
  assertEquals(decodeService({ Name: "web" }), {
    id: "web",
    name: "web",
    tags: [],
    address: "",
    port: 0,
    meta: {},
    weights: { passing: 1, warning: 1 },
    taggedAddresses: {},
    enableTagOverride: false,
    kind: "",
    socketPath: "",
    checks: [],
  });
});

Deno.test("decodeService() takes field names in any case, with underscores or without", () => {
  const camel = {
    ID: "web1",
    Name: "web",
    Tags: ["v1"],
    Address: "10.0.0.5",
    Port: 80,
    Meta: { Team: "a" },
    EnableTagOverride: true,
    Weights: { Passing: 10 },
    TaggedAddresses: { lan_ipv4: { Address: "10.0.0.5", Port: 81 } },
    Check: {
      HTTP: "http://localhost/",
      Interval: "10s",
      Timeout: 1_000_000_000,
      DeregisterCriticalServiceAfter: "90m",
      TLSSkipVerify: true,
      Header: { "X-A": ["b"] },
    },
  };
  const snake = {
    id: "web1",
    name: "web",
    tags: ["v1"],
    address: "10.0.0.5",
    port: 80,
    meta: [{ Team: "a" }], // a block of HCL
    enable_tag_override: true,
    weights: { passing: 10 },
    tagged_addresses: { lan_ipv4: [{ address: "10.0.0.5", port: 81 }] },
    checks: [{
      http: "http://localhost/",
      interval: 10_000_000_000,
      timeout: "1s",
      deregister_critical_service_after: "90m",
      tls_skip_verify: true,
      header: { "X-A": "b" },
    }],
  };
  const service = decodeService(camel, { strict: true });
  assertEquals(decodeService(snake, { strict: true }), service);
  assertEquals(service.checks, [{
    id: "service:web1",
    name: "Service 'web' check",
    notes: "",
    serviceId: "web1",
    status: undefined,
    kind: {
      k: "http",
      url: "http://localhost/",
      method: "GET",
      headers: { "X-A": ["b"] },
      body: "",
      disableRedirects: false,
      tlsServerName: "",
      tlsSkipVerify: true,
    },
    intervalMs: 10_000,
    timeoutMs: 1000,
    successBeforePassing: 0,
    failuresBeforeWarning: 0,
    failuresBeforeCritical: 0,
    deregisterAfterMs: 5_400_000,
    outputBytesMax: 4096,
  }]);
});

Deno.test("decodeService() numbers the checks of a service where there are several, and keeps the IDs that are given", () => {
  const ids = (checks: unknown, check?: unknown) =>
    decodeService({ name: "web", id: "w", check, checks }).checks.map(({ id }) => id);
  assertEquals(ids([{ ttl: "1s" }]), ["service:w"]);
  assertEquals(ids([{ ttl: "1s", CheckID: "mine" }, { ttl: "1s" }], { ttl: "1s" }), [
    "service:w:1",
    "mine",
    "service:w:3",
  ]);
  assertEquals(ids([null, {}], { ttl: "1s" }), ["service:w"]);
  assertEquals(checkIds({ id: "w", checks: [{ id: "" }, { id: "b" }] }), ["service:w:1", "b"]);
  assertEquals(
    refusal(() => ids([{ ttl: "1s", id: "a" }, { ttl: "1s", id: "a" }])),
    "Invalid check: two checks of the service have one ID",
  );
});

Deno.test("decodeService() refuses in Consul's words", () => {
  assertEquals(refusal(() => decodeService({ Port: 1 })), "Missing service name");
  for (const Address of ["0.0.0.0", "::", "[::]"]) {
    assertEquals(refusal(() => decodeService({ Name: "a", Address })), "Invalid service address");
  }
  assertEquals(
    refusal(() => decodeService({ Name: "a", Check: { TTL: "1s", Status: "fine" } })),
    "Status for checks must 'passing', 'warning', 'critical'",
  );
  assertEquals(
    refusal(() => decodeService({ Name: "a", Check: { Name: "b" } })),
    "Invalid check: TTL must be > 0 for TTL checks",
  );
  const meta = (Meta: unknown) => refusal(() => decodeService({ Name: "a", Meta }));
  const pair = (fault: string) => `Invalid Service Meta: Couldn't load metadata pair ${fault}`;
  assertEquals(meta({ "a b": "c" }), pair("('a b', 'c'): Key contains invalid characters"));
  assertEquals(meta({ "": "c" }), pair("('', 'c'): Key cannot be blank"));
  assertEquals(
    meta({ ["k".repeat(129)]: "c" }),
    pair(`('${"k".repeat(64)}', 'c'): Key is too long (limit: 128 characters)`),
  );
  assertEquals(
    meta({ a: "v".repeat(513) }),
    pair(`('a', '${"v".repeat(64)}'): Value is too long (limit: 512 characters)`),
  );
  assertEquals(
    meta(Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`k${at}`, ""]))),
    "Invalid Service Meta: Node metadata cannot contain more than 64 key/value pairs",
  );
});

Deno.test("decodeService() says of a malformed field what was expected", () => {
  const cases: [unknown, string][] = [
    ["web", "Expected the service to be an object"],
    [{ name: 1 }, 'Expected "name" of the service to be a string of at most 255 characters'],
    [{ name: "a\n" }, 'Expected "name" of the service to be a string without control characters'],
    [{ name: "a".repeat(256) }, 'Expected "name" of the service to be a string of at most 255 characters'],
    [{ name: "a", port: 65_536 }, 'Expected "port" of the service to be a whole number from 0 to 65535'],
    [{ name: "a", port: "80" }, 'Expected "port" of the service to be a whole number from 0 to 65535'],
    [
      { name: "a", tags: Array(257).fill("t") },
      'Expected "tags" of the service to be a list of at most 256 strings of at most 4096 characters',
    ],
    [{ name: "a", meta: { b: 1 } }, 'Expected "meta" of the service to hold strings by name'],
    [
      { name: "a", weights: { passing: 0 } },
      'Expected "passing" of the weights of the service to be a whole number from 1 to 65535',
    ],
    [{ name: "a", enable_tag_override: "yes" }, 'Expected "enable_tag_override" of the service to be true or false'],
    [{ name: "a", checks: Array(65).fill({ ttl: "1s" }) }, "Expected the service to have at most 64 checks"],
    [{ name: "a", checks: ["b"] }, "Expected the check to be an object"],
    [
      { name: "a", check: { ttl: "soon" } },
      'Expected "ttl" of the check to be a duration such as "30s", or a number of nanoseconds',
    ],
  ];
  for (const [value, message] of cases) {
    const error = assertThrows(() => decodeService(value), DefinitionError);
    assertEquals([error.message, error.isMalformed], [message, true]);
  }
});

Deno.test("decodeService() refuses unknown fields of files and ignores them in requests; those of the mesh have no effect", () => {
  const plain = decodeService({ name: "a" });
  const mesh = { connect: { native: true }, proxy: {}, locality: {}, ports: [], Namespace: "default" };
  assertEquals(decodeService({ name: "a", ...mesh }, { strict: true }), plain);
  assertEquals(decodeService({ name: "a", token: "secret" }, { strict: true }), { ...plain, token: "secret" });
  assertEquals(decodeService({ name: "a", prot: 1 }), plain);
  assertEquals(
    refusal(() => decodeService({ name: "a", prot: 1 }, { strict: true })),
    'Unknown field "prot" in the service',
  );
  assertEquals(
    refusal(() => decodeService({ name: "a", check: { ttl: "1s", htpp: "x" } }, { strict: true })),
    'Unknown field "htpp" in the check',
  );
});

Deno.test("decodeCheck() knows each kind", () => {
  const kind = (fields: object) => decodeCheck({ name: "c", interval: "5s", ...fields }).kind;
  const http = { k: "http" as const, method: "GET", headers: {}, body: "", disableRedirects: false, ...TLS };
  assertEquals(decodeCheck({ name: "c", ttl: "15s" }).kind, { k: "ttl", ttlMs: 15_000 });
  assertEquals(kind({ ScriptArgs: ["a", "b"] }), { k: "script", args: ["a", "b"] });
  assertEquals(kind({ args: ["a"], script: "" }), { k: "script", args: ["a"] });
  assertEquals(kind({ script: "a | b" }), { k: "script", args: ["a | b"], shell: "/bin/sh" });
  assertEquals(kind({ script: "a", shell: "/bin/bash" }), { k: "script", args: ["a"], shell: "/bin/bash" });
  assertEquals(kind({ http: "u", method: "PUT", body: "b", disable_redirects: true }), {
    ...http,
    url: "u",
    method: "PUT",
    body: "b",
    disableRedirects: true,
  });
  assertEquals(kind({ tcp: "h:1", TCPUseTLS: true, TLSServerName: "n" }), {
    k: "tcp",
    address: "h:1",
    useTls: true,
    tlsServerName: "n",
    tlsSkipVerify: false,
  });
  assertEquals(kind({ UDP: "h:1" }), { k: "udp", address: "h:1" });
  assertEquals(kind({ GRPC: "h:1/a.b/c" }), { k: "grpc", address: "h:1", service: "a.b/c", useTls: false, ...TLS });
  assertEquals(kind({ grpc: "h:1", grpc_use_tls: true }), {
    k: "grpc",
    address: "h:1",
    service: "",
    useTls: true,
    ...TLS,
  });
  assertEquals(kind({ h2ping: "h:1" }), { k: "h2ping", address: "h:1", useTls: true, ...TLS });
  assertEquals(kind({ H2PING: "h:1", H2PingUseTLS: false }), { k: "h2ping", address: "h:1", useTls: false, ...TLS });
  assertEquals(decodeCheck({ name: "c", alias_service: "s", alias_node: "n" }).kind, {
    k: "alias",
    node: "n",
    service: "s",
  });
});

Deno.test("decodeCheck() has Consul's times by default, and raises those that are too short", () => {
  const times = (fields: object) => {
    const { intervalMs, timeoutMs, deregisterAfterMs } = decodeCheck({ name: "c", ...fields });
    return [intervalMs, timeoutMs, deregisterAfterMs];
  };
  assertEquals(times({ args: ["a"], interval: "1m" }), [60_000, 30_000, 0]);
  assertEquals(times({ tcp: "a:1", interval: "10ms", timeout: "2s" }), [1000, 2000, 0]);
  assertEquals(times({ tcp: "a:1", interval: 1, deregister_critical_service_after: "1s" }), [1000, 10_000, 60_000]);
  assertEquals(times({ ttl: "1s", timeout: "0", deregister_critical_service_after: "" }), [0, 10_000, 0]);
});

Deno.test("decodeCheck() keeps less output than the agent where the check asks for less, and never more", () => {
  const bytes = (output_max_size: number, outputBytesMax?: number) =>
    decodeCheck({ name: "c", ttl: "1s", output_max_size }, { outputBytesMax }).outputBytesMax;
  assertEquals([bytes(0), bytes(100), bytes(5000), bytes(5000, 9000), bytes(0, 9000)], [4096, 100, 4096, 5000, 9000]);
  assertEquals(refusal(() => bytes(-1)), "Invalid check: MaxOutputMaxSize must be positive");
});

Deno.test("decodeCheck() has its name as ID by default, and refuses in Consul's words", () => {
  const check = decodeCheck({ Name: "mem", ServiceID: "web1", TTL: "15s", Status: "passing", Notes: "n\n" });
  assertEquals(
    [check.id, check.name, check.serviceId, check.status, check.notes],
    ["mem", "mem", "web1", "passing", "n\n"],
  );
  assertEquals(decodeCheck({ ID: "m", Name: "mem", TTL: "1s", Status: "" }).status, undefined);
  const cases: [object, string][] = [
    [{ ID: "m", TTL: "1s" }, "Missing check name"],
    [{ Name: "m", TTL: "1s", Status: "ok" }, "Bad check status"],
    [{ Name: "m" }, "Invalid check: TTL must be > 0 for TTL checks"],
    [{ Name: "m", TTL: "-1s" }, "Invalid check: TTL must be > 0 for TTL checks"],
    [{ Name: "m", HTTP: "u" }, INTERVAL],
    [{ Name: "m", HTTP: "u", Interval: "-1s" }, INTERVAL],
    [{ Name: "m", TTL: "1s", Interval: "1s" }, "Invalid check: Interval and TTL cannot both be specified"],
    [{ Name: "m", TTL: "1s", AliasNode: "a" }, "Invalid check: TTL must be not be set for Alias checks"],
    [{ Name: "m", TCP: "a:1", HTTP: "u" }, "Invalid check: only one kind can be specified, not http, tcp"],
    [{ Name: "m", Args: ["a"], Script: "b" }, "Invalid check: only one of args and script can be specified"],
    [
      { Name: "m", Args: ["a"], DockerContainerID: "d", Interval: "1s" },
      "Invalid check: docker_container_id is not supported",
    ],
    [{ Name: "m", OSService: "d", Interval: "1s" }, "Invalid check: os_service is not supported"],
    [
      { Name: "m", TTL: "1s", FailuresBeforeWarning: 2, FailuresBeforeCritical: 1 },
      "Invalid check: FailuresBeforeWarning can't be higher than FailuresBeforeCritical",
    ],
  ];
  for (const [value, message] of cases) {
    const error = assertThrows(() => decodeCheck(value), DefinitionError);
    assertEquals([error.message, error.isMalformed], [message, false]);
  }
});

Deno.test("decodeCheck() takes an entry of the catalog, which may be of no kind", () => {
  const decode = (value: object) => decodeCheck(value, { isCatalog: true });
  const plain = decode({ Node: "foobar", CheckID: "service:redis1", Status: "passing", ServiceID: "redis1" });
  assertEquals([plain.id, plain.name, plain.status, plain.kind], [
    "service:redis1",
    "service:redis1",
    "passing",
    { k: "none" },
  ]);
  const external = decode({ CheckID: "c", Name: "x", Definition: { TCP: "a:1", Interval: "30s", Timeout: "5s" } });
  assertEquals([external.kind.k, external.intervalMs, external.timeoutMs], ["tcp", 30_000, 5000]);
  assertEquals(decode({ Name: "x", Definition: { HTTP: "u" } }).intervalMs, 0);
  assertEquals(decodeService({ ID: "redis1", Service: "redis" }, { isCatalog: true }).name, "redis");
});

Deno.test("isScript() tells the checks that run a program", () => {
  assertEquals(isScript(decodeCheck({ name: "a", script: "true", interval: "1s" })), true);
  assertEquals(isScript(decodeCheck({ name: "a", ttl: "1s" })), false);
});

const kinds: fc.Arbitrary<object> = fc.oneof(
  fc.record({ ttl: fc.constantFrom("1ms", "1h1m1.001s", "90s") }),
  fc.record({ args: fc.array(fc.string(), { minLength: 1 }) }),
  fc.record({ script: fc.string({ minLength: 1 }), shell: fc.constantFrom("", "/bin/dash") }),
  fc.record({ http: fc.webUrl(), header: fc.dictionary(fc.string(), fc.array(fc.string())), body: fc.string() }),
  fc.record({ tcp: fc.domain(), tcp_use_tls: fc.boolean(), tls_skip_verify: fc.boolean() }),
  fc.record({ udp: fc.domain() }),
  fc.record({ grpc: fc.domain(), tls_server_name: fc.domain() }),
  fc.record({ grpc: fc.domain().map((host) => `${host}:1/name`) }),
  fc.record({ h2ping: fc.domain(), h2ping_use_tls: fc.boolean() }),
  fc.record({ alias_node: fc.domain(), alias_service: fc.constantFrom("", "s") }),
);
const word = fc.string({ maxLength: 40 }).filter((text) => !/\p{Cc}/u.test(text));
const checks: fc.Arbitrary<object> = fc.tuple(
  kinds,
  fc.record({
    name: word.map((text) => `n${text}`),
    notes: fc.string(),
    status: fc.constantFrom("", "passing", "warning", "critical"),
    timeout: fc.integer({ min: -1, max: 1_000_000 }).map((ms) => `${ms}ms`),
    failures_before_critical: fc.nat(9),
    deregister_critical_service_after: fc.constantFrom("0", "1s", "2h"),
    output_max_size: fc.nat(9000),
  }),
  fc.integer({ min: 1, max: 1e9 }),
).map(([kind, rest, interval]) => ({
  ...kind,
  ...rest,
  ...("ttl" in kind || "alias_node" in kind ? {} : { interval: `${interval}ms` }),
}));

Deno.test("definitionText() decodes to the same definition", () => {
  const again = (check: CheckDefinition) => decodeCheck(JSON.parse(definitionText(check)), { strict: true });
  fc.assert(fc.property(checks, (value) => {
    const check = decodeCheck(value, { strict: true });
    assertEquals(again(check), check);
  }));
  const services = fc.record({
    name: word.map((text) => `n${text}`),
    id: word,
    tags: fc.array(word),
    address: word,
    port: fc.nat(65_535),
    meta: fc.dictionary(fc.stringMatching(/^[\w-]{1,9}$/), fc.string()),
    tagged_addresses: fc.dictionary(word, fc.record({ address: word, port: fc.nat(65_535) })),
    checks: fc.array(checks),
  });
  fc.assert(fc.property(services, (value) => {
    const service = decodeService(value);
    assertEquals(decodeService(JSON.parse(definitionText(service)), { strict: true }), service);
  }));
});

Deno.test("decodeService() and decodeCheck() throw nothing but a DefinitionError on any JSON", () => {
  const names = [..."name checks check meta weights tags args header definition ttl interval http status".split(" ")];
  const values = fc.dictionary(fc.oneof(fc.constantFrom(...names), fc.string()), fc.jsonValue());
  fc.assert(fc.property(fc.oneof(values, fc.jsonValue()), fc.boolean(), fc.boolean(), (value, strict, isCatalog) => {
    for (const decode of [decodeService, decodeCheck]) {
      try {
        decode(value, { strict, isCatalog });
      } catch (error) {
        if (!(error instanceof DefinitionError)) throw error;
      }
    }
  }));
});

Deno.test("decodeService() takes weights of zero from the catalog, as Go's clients send them where none were set", () => {
  const weights = (Weights: unknown, isCatalog = true) =>
    decodeService({ Service: "s", Name: "s", Weights }, { isCatalog }).weights;
  assertEquals(weights({ Passing: 0, Warning: 0 }), { passing: 1, warning: 1 });
  assertEquals(weights({ Passing: 5, Warning: 0 }), { passing: 5, warning: 0 });
  assertThrows(() => weights({ Passing: 0, Warning: 0 }, false), DefinitionError);
});
