/** TLS of an agent from its settings (C5.2). */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { AGENT_FLAGS } from "../../../src/program/config/agent_flags.ts";
import { agentTls, type AgentTlsSetup } from "../../../src/program/config/agent_tls.ts";
import { Flags } from "../../../src/program/config/flags.ts";
import { Settings, SettingsError } from "../../../src/program/config/settings.ts";

/** Settings from files, in this order. */
function settingsOf(...texts: string[]): Settings {
  const directory = Deno.makeTempDirSync();
  try {
    const flags = texts.map((text, at) => {
      const path = `${directory}/${at}.${text.startsWith("{") ? "json" : "hcl"}`;
      Deno.writeTextFileSync(path, text);
      return `-config-file=${path}`;
    });
    return Settings.load(Flags.parse(flags, AGENT_FLAGS));
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

function read(...texts: string[]): AgentTlsSetup {
  const place = { hasHttps: true, datacenter: "dc1", domain: "consul.", isServer: true };
  return agentTls(settingsOf(...texts), place);
}

const ALL = `ca_file = "ca" cert_file = "cert" key_file = "key"`;

Deno.test("the parts of tls win over its defaults, and these over the older keys", () => {
  const { tls, config } = read(
    `ca_file = "old" cert_file = "old" key_file = "old" verify_incoming = true`,
    `tls { defaults { cert_file = "cert" key_file = "key" verify_outgoing = true }
           https { cert_file = "web" key_file = "web-key" verify_incoming = false } }`,
    `tls { defaults { ca_path = "cas" } internal_rpc { tls_min_version = "TLSv1_3" } }`,
  );
  assertEquals(tls, { isOutgoing: true, serverName: "" });
  assertEquals(config, {
    httpCert: "web",
    httpKey: "web-key",
    httpCaCert: "old", // a file wins over a directory
    httpVerifiesClients: false,
    httpTlsVersion: "TLSv1.2",
    nodeCert: "cert",
    nodeKey: "key",
    nodeCaCert: "old",
    nodeVerifiesClients: true,
    nodeTlsVersion: "TLSv1.3",
  });
});

Deno.test("the older keys alone, in JSON: verify_incoming_rpc, verify_incoming_https, tls_min_version", () => {
  const older = { ca_path: "cas", cert_file: "cert", key_file: "key", tls_min_version: "tls13" };
  const { config } = read(JSON.stringify({ ...older, verify_incoming_rpc: true }));
  assertEquals([config.nodeVerifiesClients, config.httpVerifiesClients, config.nodeCaCert], [true, false, "cas"]);
  assertEquals([config.httpTlsVersion, config.nodeTlsVersion], ["TLSv1.3", "TLSv1.3"]);
  const other = read(JSON.stringify({ ...older, verify_incoming_https: true })).config;
  assertEquals([other.nodeVerifiesClients, other.httpVerifiesClients], [false, true]);
});

Deno.test("verify_server_hostname implies verify_outgoing, and names the servers of the datacenter", () => {
  const { tls, warnings } = read(`${ALL} verify_server_hostname = true`);
  assertEquals(tls, { isOutgoing: true, serverName: "server.dc1.consul" });
  assertEquals(warnings, []);
});

Deno.test("a server that does not encrypt its own calls is warned of", () => {
  assertMatch(read(ALL).warnings.join(), /its own calls to servers are not encrypted: set verify_outgoing/);
});

Deno.test("settings that do not go together, or that cannot be done, are refused by name", () => {
  const faults: [string, string][] = [
    [``, "ports.https needs a certificate"],
    [`ca_file = "ca" cert_file = "cert"`, "tls.https: cert_file and key_file must be set together"],
    [
      `cert_file = "c" key_file = "k" verify_incoming = true`,
      "VerifyIncoming set but no CA certificates were provided",
    ],
    [`tls { defaults { cert_file = "c" key_file = "k" verify_outgoing = true } }`, "VerifyOutgoing set but no CA"],
    [`cert_file = "c" key_file = "k" verify_server_hostname = true`, "VerifyOutgoing set but no CA"],
    [
      `tls { https { cert_file = "c" key_file = "k" } internal_rpc { ca_file = "ca" verify_incoming = true } }`,
      "tls.internal_rpc: VerifyIncoming requires a Cert and Key pair",
    ],
    [
      `ca_file = "ca" tls { https { cert_file = "c" key_file = "k" } internal_rpc { verify_server_hostname = true } }`,
      "verify_server_hostname: a server needs a certificate",
    ],
    [`${ALL} tls_min_version = "tls10"`, 'tls.https: tls_min_version "tls10" is not supported: TLSv1_2'],
    [`${ALL} tls_min_version = "constructor"`, 'tls_min_version "constructor" is not supported'],
    [`${ALL} tls { internal_rpc { tls_cipher_suites = "X" } }`, "tls.internal_rpc: tls_cipher_suites is not supported"],
    [`${ALL} auto_encrypt { tls = true }`, "auto_encrypt.tls is not supported"],
    [`${ALL} auto_encrypt { allow_tls = true }`, "auto_encrypt.allow_tls is not supported"],
    [`tls { https { verify_hostname = true } }`, "invalid config key verify_hostname"],
  ];
  for (const [text, why] of faults) assertThrows(() => read(text), SettingsError, why, text);
});

Deno.test("what has no effect is named", () => {
  const { warnings } = settingsOf(
    `tls_prefer_server_cipher_suites = true auto_encrypt { dns_san = ["a"] }
     tls { grpc { use_auto_cert = true } https { verify_outgoing = true verify_server_hostname = true } }`,
  );
  assertEquals(warnings.map((line) => line.replace(/^.*: /, "")), [
    '"tls_prefer_server_cipher_suites" has no effect in this version',
    '"dns_san" has no effect in this version',
    '"grpc" has no effect in this version',
    '"verify_outgoing" has no effect in this version',
    '"verify_server_hostname" has no effect in this version',
  ]);
});
