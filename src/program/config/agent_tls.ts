/**
 * TLS of an agent from its settings (C5.2): the block `tls` with its parts `defaults`, `https` and `internal_rpc`, and the
 * older keys at the top level, which stand for `defaults`. Faults have Consul's words where it has some.
 * @module
 */
import type { TlsVersion } from "../../base/net/conn.ts";
import type { AgentTls, NodeConfig } from "./config.ts";
import { type Settings, SettingsError } from "./settings.ts";

/** A part of the block `tls`. */
type Part = "https" | "internal_rpc";

/** Words for versions of TLS: those of the block, and the older ones. */
const VERSIONS: ReadonlyMap<string, TlsVersion> = new Map([
  ["", "TLSv1.2"],
  ["tls_auto", "TLSv1.2"],
  ["tlsv1_2", "TLSv1.2"],
  ["tls12", "TLSv1.2"],
  ["tlsv1_3", "TLSv1.3"],
  ["tls13", "TLSv1.3"],
]);
/** The older names of a part's own key. */
const OLDER: Readonly<Record<Part, string>> = { https: "verify_incoming_https", internal_rpc: "verify_incoming_rpc" };

/** Settings of one part. */
interface PartSettings {
  readonly caCert: string;
  readonly cert: string;
  readonly key: string;
  readonly verifiesIncoming: boolean;
  readonly version: TlsVersion;
}

/** TLS of an agent. */
export interface AgentTlsSetup {
  readonly tls: AgentTls;
  readonly config: Pick<
    NodeConfig,
    | "httpCert"
    | "httpKey"
    | "httpCaCert"
    | "httpVerifiesClients"
    | "httpTlsVersion"
    | "nodeCert"
    | "nodeKey"
    | "nodeCaCert"
    | "nodeVerifiesClients"
    | "nodeTlsVersion"
  >;
  readonly warnings: readonly string[];
}

/** The agent whose settings are read. */
export interface TlsPlace {
  /** Whether a port of HTTPS is configured. */
  readonly hasHttps: boolean;
  readonly datacenter: string;
  /** DNS domain, with its dot. */
  readonly domain: string;
  readonly isServer: boolean;
}

/**
 * Reads the settings.
 * @throws {SettingsError} When they do not go together, or cannot be done.
 */
export function agentTls(
  settings: Settings,
  { hasHttps, datacenter, domain, isServer }: TlsPlace,
): AgentTlsSetup {
  refuseAutoEncrypt(settings);
  const https = partOf(settings, "https");
  const rpc = partOf(settings, "internal_rpc");
  if (hasHttps && https.cert === "") {
    throw new SettingsError("ports.https needs a certificate: set cert_file and key_file in tls.defaults or tls.https");
  }
  const verifiesName = flag(settings, "internal_rpc", "verify_server_hostname");
  const isOutgoing = flag(settings, "internal_rpc", "verify_outgoing") || verifiesName;
  if (isOutgoing && rpc.caCert === "") {
    throw new SettingsError("VerifyOutgoing set but no CA certificates were provided: set ca_file");
  }
  if (verifiesName && isServer && rpc.cert === "") {
    throw new SettingsError("verify_server_hostname: a server needs a certificate: set cert_file and key_file");
  }
  return {
    tls: { isOutgoing, serverName: verifiesName ? `server.${datacenter}.${domain.replace(/\.$/, "")}` : "" },
    config: {
      httpCert: hasHttps ? https.cert : "",
      httpKey: hasHttps ? https.key : "",
      httpCaCert: https.caCert,
      httpVerifiesClients: hasHttps && https.verifiesIncoming,
      httpTlsVersion: https.version,
      nodeCert: rpc.cert,
      nodeKey: rpc.key,
      nodeCaCert: rpc.caCert,
      nodeVerifiesClients: rpc.verifiesIncoming,
      nodeTlsVersion: rpc.version,
    },
    warnings: isServer && rpc.cert !== "" && !isOutgoing
      ? ["this server has a certificate, but its own calls to servers are not encrypted: set verify_outgoing"]
      : [],
  };
}

/** Nothing would be encrypted, and nobody would notice. */
function refuseAutoEncrypt(settings: Settings): void {
  for (const key of ["tls", "allow_tls"]) {
    if (!settings.flag(`auto_encrypt.${key}`, false)) continue;
    throw new SettingsError(
      `auto_encrypt.${key} is not supported, as servers issue no certificates: give each agent one (muster tls cert) ` +
        "in cert_file and key_file",
    );
  }
}

function partOf(settings: Settings, part: Part): PartSettings {
  const [cert, key] = ["cert_file", "key_file"].map((name) => text(settings, part, name));
  // As in Consul, a file wins over a directory.
  const caCert = text(settings, part, "ca_file") || text(settings, part, "ca_path");
  const verifiesIncoming = flag(settings, part, "verify_incoming") || settings.flag(OLDER[part], false);
  const fault = (why: string) => new SettingsError(`tls.${part}: ${why}`);
  if ((cert === "") !== (key === "")) throw fault("cert_file and key_file must be set together");
  if (verifiesIncoming && caCert === "") {
    throw fault("VerifyIncoming set but no CA certificates were provided: set ca_file");
  }
  if (verifiesIncoming && cert === "") {
    throw fault("VerifyIncoming requires a Cert and Key pair: set cert_file and key_file");
  }
  if (text(settings, part, "tls_cipher_suites") !== "") {
    throw fault("tls_cipher_suites is not supported: the runtime has fixed, strong ones for TLS 1.2 and 1.3");
  }
  return { caCert, cert, key, verifiesIncoming, version: versionOf(text(settings, part, "tls_min_version"), fault) };
}

function versionOf(word: string, fault: (why: string) => SettingsError): TlsVersion {
  const version = VERSIONS.get(word.toLowerCase());
  if (version) return version;
  throw fault(`tls_min_version "${word}" is not supported: TLSv1_2 (the default) and TLSv1_3 are`);
}

/** Where a key may stand, the most special place first. */
function places(part: Part, key: string): string[] {
  return [`tls.${part}.${key}`, `tls.defaults.${key}`, key];
}

function text(settings: Settings, part: Part, key: string): string {
  return settings.text(places(part, key).find((place) => settings.has(place)) ?? key);
}

function flag(settings: Settings, part: Part, key: string): boolean {
  return settings.flag(places(part, key).find((place) => settings.has(place)) ?? key, false);
}
