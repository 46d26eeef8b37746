/**
 * `-disco-config`: every key of every mode, defaults, variables, files, and what is said about a fault.
 */
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { type ConfigInput, discoveryOptions } from "../../../src/drivers/discovery/config.ts";
import { ConfigError, expandVariables } from "../../../src/base/codec/fields.ts";

const PEM = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";

/** Reads `text` with the given variables and files; also what it warned of. */
function read(
  mode: ConfigInput["mode"],
  text: string,
  { variables = {}, files = {} }: { variables?: Record<string, string>; files?: Record<string, string> } = {},
) {
  const warnings: string[] = [];
  const file = (path: string, forKey: string) => {
    if (files[path] === undefined) throw new ConfigError(`Cannot read ${path} (${forKey}): not found`);
    return files[path];
  };
  const options = discoveryOptions({ mode, key: "rqlite", text, clusterPort: 4002 }, {
    variable: (name) => variables[name],
    file,
    directory: (path, forKey) => [file(`${path}/1.pem`, forKey)],
    systemCertificates: () => ["system"],
    warn: (line) => warnings.push(line),
  });
  return { options, warnings };
}

/** The fault that a configuration is refused with. */
function fault(mode: ConfigInput["mode"], text: string, more?: Parameters<typeof read>[2]): string {
  return assertThrows(() => read(mode, text, more), ConfigError).message;
}

Deno.test("dns: name and port have rqlite's defaults, keys any case, servers as text or list", () => {
  const standard = { mode: "dns", name: "rqlite", port: 4002, servers: [], hosts: [] };
  assertEquals(read("dns", "").options, { ...standard, mode: "dns" });
  assertEquals(read("dns", "{}").options, { ...standard, mode: "dns" });
  assertEquals(read("dns", '{"NAME":"muster.test","Port":5002,"name":null}').options, {
    ...standard,
    mode: "dns",
    name: "muster.test",
    port: 5002,
  });
  for (const server of ['"127.0.0.1:5353, [::1]:53,10.0.0.1"', '["127.0.0.1:5353","::1","10.0.0.1"]']) {
    assertEquals(read("dns", `{"server":${server}}`).options, {
      ...standard,
      mode: "dns",
      servers: [{ ipAddr: "127.0.0.1", port: 5353 }, { ipAddr: "::1", port: 53 }, { ipAddr: "10.0.0.1", port: 53 }],
    });
  }
});

Deno.test("dns: RQLITE_DISCO_DNS_HOSTS takes the place of DNS and is checked", () => {
  const variables = { RQLITE_DISCO_DNS_HOSTS: "localhost:4002,127.0.0.1:4012" };
  const { options } = read("dns", "", { variables });
  assertEquals("hosts" in options && options.hosts, ["localhost:4002", "127.0.0.1:4012"]);
  assertEquals(
    fault("dns", "", { variables: { RQLITE_DISCO_DNS_HOSTS: "localhost:4002,nowhere" } }),
    "RQLITE_DISCO_DNS_HOSTS: invalid address nowhere",
  );
});

Deno.test("dns-srv: service and name, with or without the underscore", () => {
  assertEquals(read("dns-srv", "").options, { mode: "dns-srv", name: "rqlite", service: "rqlite", servers: [] });
  assertEquals(read("dns-srv", '{"name":"a.test","service":"_raft","server":"127.0.0.1"}').options, {
    mode: "dns-srv",
    name: "a.test",
    service: "raft",
    servers: [{ ipAddr: "127.0.0.1", port: 53 }],
  });
});

Deno.test("consul-kv: defaults, then variables, then the configuration", () => {
  const standard = {
    mode: "consul-kv" as const,
    key: "rqlite/leader",
    deadAfterMs: 60_000,
    server: { hostname: "127.0.0.1", port: 8500, tls: undefined, timeoutMs: 5000 },
    datacenter: "",
    namespace: "",
    partition: "",
    token: "",
    basicAuth: undefined,
  };
  assertEquals(read("consul-kv", "").options, standard);
  const variables = {
    CONSUL_HTTP_ADDR: "https://consul.test:8501",
    CONSUL_HTTP_TOKEN: "from-variable",
    CONSUL_HTTP_TOKEN_FILE: "/token",
    CONSUL_HTTP_AUTH: "me:a:b",
    CONSUL_HTTP_SSL_VERIFY: "false",
    CONSUL_TLS_SERVER_NAME: "other.test",
    CONSUL_CACERT: "/ca.pem",
    CONSUL_NAMESPACE: "ns",
    CONSUL_PARTITION: "part",
  };
  const files = { "/token": "from-file\n", "/ca.pem": PEM };
  assertEquals(read("consul-kv", "", { variables, files }).options, {
    ...standard,
    server: {
      hostname: "consul.test",
      port: 8501,
      tls: { ca: [PEM], cert: "", key: "", serverName: "other.test", insecure: true },
      timeoutMs: 5000,
    },
    namespace: "ns",
    partition: "part",
    token: "from-file",
    basicAuth: { username: "me", password: "a:b" },
  });
  // With a configuration, two of the variables count no more.
  const { options } = read("consul-kv", '{"address":"10.0.0.1:8500","scheme":"http","dead_after":"0"}', {
    variables,
    files,
  });
  assertEquals(options, {
    ...standard,
    server: { hostname: "10.0.0.1", port: 8500, tls: undefined, timeoutMs: 5000 },
    namespace: "ns",
    partition: "part",
    token: "from-variable",
    deadAfterMs: 0,
  });
});

Deno.test("consul-kv: certificates in files, directories and the configuration itself, tokens in files", () => {
  const files = { "/c/1.pem": PEM, "/cert.pem": `${PEM}cert`, "/t": " secret\n" };
  const key = btoa(`${PEM}key`);
  const { options } = read(
    "consul-kv",
    JSON.stringify({
      scheme: "https",
      token: "ignored",
      token_file: "/t",
      datacenter: "dc2",
      basic_auth: { username: "u", password: "p" },
      tls_config: { address: "name.test", ca_path: "/c", cert_file: "/cert.pem", key_pem: key },
    }),
    { files },
  );
  if (options.mode !== "consul-kv") throw new Error("another mode");
  assertEquals([options.token, options.datacenter, options.basicAuth], [
    "secret",
    "dc2",
    { username: "u", password: "p" },
  ]);
  assertEquals(options.server.tls, {
    ca: [PEM],
    cert: `${PEM}cert`,
    key: `${PEM}key`,
    serverName: "name.test",
    insecure: false,
  });
  const { options: plain } = read("consul-kv", '{"scheme":"https"}');
  assertEquals("server" in plain && plain.server.tls?.ca, ["system"]);
});

Deno.test("etcd-kv: endpoints of every form, TLS by Go's keys and by files, keys without effect named", () => {
  const { options, warnings } = read(
    "etcd-kv",
    JSON.stringify({
      Endpoints: ["a:2379", "http://b:1", "https://[::1]:2", "c"],
      username: "u",
      password: "p",
      "dial-timeout": 2_000_000_000,
      "auto-sync-interval": 0,
      TLS: { InsecureSkipVerify: true, ServerName: "x" },
    }),
  );
  const tls = { ca: [], cert: "", key: "", serverName: "x", insecure: true };
  assertEquals(options, {
    mode: "etcd-kv",
    key: "/rqlite/leader",
    deadAfterMs: 60_000,
    endpoints: [
      { hostname: "a", port: 2379, tls, timeoutMs: 2000 },
      { hostname: "b", port: 1, tls: undefined, timeoutMs: 2000 },
      { hostname: "::1", port: 2, tls, timeoutMs: 2000 },
      { hostname: "c", port: 2379, tls, timeoutMs: 2000 },
    ],
    auth: { username: "u", password: "p" },
    token: "",
  });
  assertEquals(warnings, ['-disco-config: "auto-sync-interval" has no effect here']);
  const { options: standard } = read("etcd-kv", "");
  assertEquals("endpoints" in standard && standard.endpoints, [
    { hostname: "localhost", port: 2379, tls: undefined, timeoutMs: 5000 },
  ]);
});

Deno.test("a fault is named with its place and what was expected, and no value is repeated", () => {
  const faults: [ConfigInput["mode"], string, string][] = [
    ["dns", '{"name": "a",\n "port" 4}', "-disco-config: not valid JSON at line 2, column 9: colon expected"],
    ["dns", '{"name": hunter2}', "-disco-config: not valid JSON at line 1, column 10: invalid symbol"],
    ["dns", "hunter2.json", "-disco-config: not valid JSON at line 1, column 1: invalid symbol"],
    ["dns", '["hunter2"]', "-disco-config: expected an object"],
    ["dns", '{"name":""}', '-disco-config: "name" must be a domain name of 1 to 253 characters'],
    ["dns", '{"port":"hunter2"}', '-disco-config: "port" must be an integer'],
    ["dns", '{"port":70000}', '-disco-config: "port" must be between 1 and 65535'],
    [
      "dns",
      '{"server":"ns.test"}',
      '-disco-config: "server" must be the IP address of a name server, with or without :port',
    ],
    ["consul-kv", '{"address":"http://a:1"}', "-disco-config: address should not contain HTTP or HTTPS"],
    [
      "consul-kv",
      '{"address":"me:hunter2@a:1"}',
      '-disco-config: "address" must be host:port, without user, path or query',
    ],
    ["consul-kv", '{"token":"hun\\nter2"}', '-disco-config: "token" must be printable ASCII'],
    ["consul-kv", '{"basic_auth":"hunter2"}', '-disco-config: "basic_auth" must be an object'],
    ["consul-kv", '{"token_file":"/gone"}', "Cannot read /gone (token_file): not found"],
    [
      "consul-kv",
      '{"scheme":"https","tls_config":{"key_pem":"hunter2"}}',
      '-disco-config: "key_pem" must be in PEM format',
    ],
    [
      "consul-kv",
      `{"scheme":"https","tls_config":{"cert_pem":${JSON.stringify(PEM)}}}`,
      "-disco-config: a client certificate and its key go together",
    ],
    ["consul-kv", '{"dead_after":"soon"}', '-disco-config: "dead_after" must be a duration such as "60s", or "0"'],
    ["etcd-kv", "{}", "etcdclient: no available endpoints"],
    [
      "etcd-kv",
      '{"endpoints":["http://me:hunter2@a:1"]}',
      '-disco-config: "endpoints" must be host:port, without user, path or query',
    ],
    ["etcd-kv", '{"endpoints":["a:1"],"TLS":{"ca_file":"/gone"}}', "Cannot read /gone (ca_file): not found"],
  ];
  for (const [mode, text, expected] of faults) assertEquals(fault(mode, text), expected);
});

Deno.test("an unknown key is reported with the known ones", () => {
  assertEquals(read("dns", '{"nmae":"a"}').warnings, [
    '-disco-config: unknown key "nmae" is ignored; known are name, port, server',
  ]);
});

Deno.test("$VAR and ${VAR} are replaced anywhere, unset ones vanish", () => {
  const variables: Record<string, string> = { KEY: "name", NAME: "a.test", "1": "one" };
  const expand = (text: string) => expandVariables(text, (name) => variables[name]);
  assertEquals(expand('{"$KEY":"${NAME}$UNSET${ALSO}"}'), '{"name":"a.test"}');
  assertEquals(expand("$1 $$ $ $- ${} $(x) 5$"), "one  $   $(x) 5$");
});

Deno.test("no text makes reading a configuration fail in another way than with a clear error", () => {
  fc.assert(fc.property(
    fc.constantFrom("dns" as const, "dns-srv" as const, "consul-kv" as const, "etcd-kv" as const),
    fc.oneof(
      fc.string(),
      fc.json(),
      fc.dictionary(
        fc.constantFrom("name", "port", "server", "address", "token", "tls_config", "TLS", "endpoints", "dead_after"),
        fc.jsonValue(),
      ).map((value) => JSON.stringify(value)),
    ),
    (mode, text) => {
      try {
        read(mode, text);
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
      }
    },
  ));
});
