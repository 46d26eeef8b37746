/**
 * Certificates of a node: read before the process gives up the rights to do so, looked at again now and then, so that
 * renewed ones come into use without a restart, and told of before they expire.
 * @module
 */
import type { X509Certificate } from "node:crypto";
import { invariant } from "../../invariant.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import type { TlsFacts } from "../../api/server/api.ts";
import type { NodeTls, TlsIdentity, TlsServer } from "../../base/net/conn.ts";
import type { AgentConfig, NodeConfig } from "../config/config.ts";

/** How often the files are looked at. */
const LOOK_MS = 5_000;
const DAY_MS = 86_400_000;
/** The first version of Deno whose servers ask clients for certificates. */
const MUTUAL_SINCE = { major: 2, minor: 9 };
/** A certificate that expires within this time is warned of, once a day. */
const WARN_DAYS = 30;

/** What reads certificates; it takes 2 MB, so it is loaded where there are some. */
let x509: Pick<typeof import("node:crypto"), "createPrivateKey" | "X509Certificate"> | undefined;

function reading(): NonNullable<typeof x509> {
  invariant(x509 !== undefined, "certificates are read by Certificates.read()");
  return x509;
}

/**
 * Reads a certificate and its key.
 * @throws {Error} Naming the file that cannot be used.
 */
function readIdentity(cert: string, key: string): TlsIdentity {
  const pem = readPem(cert);
  const certificate = parsed(pem, cert);
  const privateKey = readPem(key);
  if (!belongs(certificate, privateKey, key)) {
    throw new Error(`the key in ${key} is not that of the certificate in ${cert}`);
  }
  return { cert: pem, key: privateKey, notAfter: new Date(certificate.validTo).toISOString() };
}

/** @throws {Error} Naming the file, when it holds no key. */
function belongs(certificate: X509Certificate, key: string, path: string): boolean {
  try {
    return certificate.checkPrivateKey(reading().createPrivateKey(key));
  } catch (error) {
    throw new Error(`${path} holds no private key in PEM: ${messageOf(error)}`);
  }
}

/**
 * Reads certificates of authorities, from a file or all files of a directory; none where no path is named.
 * @throws {Error} Naming the file that cannot be used.
 */
function readAuthorities(path: string): string[] {
  return filesAt(path).map((file) => {
    const pem = readPem(file);
    parsed(pem, file);
    return pem;
  });
}

/** The file at a path, or those of the directory there, in the order of their names; none where no path is named. */
function filesAt(path: string): string[] {
  if (path === "" || !isDirectory(path)) return path === "" ? [] : [path];
  const files = [...Deno.readDirSync(path)].filter(({ isDirectory }) => !isDirectory).map(({ name }) =>
    `${path}/${name}`
  );
  // None would mean those of the system.
  if (files.length === 0) throw new Error(`${path} holds no certificate of an authority`);
  return files.sort();
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false; // reading it says why
  }
}

/** Reads a file of certificates or keys. @throws {Error} Naming it, when it cannot be read. */
function readPem(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw new Error(`cannot read ${path}: ${messageOf(error)}`);
  }
}

function parsed(pem: string, path: string): X509Certificate {
  try {
    return new (reading().X509Certificate)(pem);
  } catch (error) {
    throw new Error(`${path} holds no certificate in PEM: ${messageOf(error)}`);
  }
}

/** Uses of a node's certificates, and callbacks for renewed ones. */
export interface CertificateUsers {
  /** HTTPS. */
  onHttp(tls: TlsServer): void;
  /** The cluster port. */
  onNode(tls: NodeTls): void;
}

/** All certificates of a node, as its configuration names them. */
export class Certificates {
  /** Of HTTPS, as it was at the start; undefined: plain HTTP. */
  readonly http: (TlsServer & TlsFacts) | undefined;
  /** Of the traffic between nodes, as it was at the start; undefined: plain TCP. */
  readonly node: NodeTls | undefined;

  #users: CertificateUsers | undefined;

  /**
   * Reads those that are configured.
   * @throws {Error} Naming the file that cannot be used.
   */
  static async read(config: NodeConfig, log: (line: string) => void): Promise<Certificates> {
    if (config.httpCert !== "" || hasNodeTls(config)) x509 = await import("node:crypto");
    return new Certificates(config, log);
  }

  private constructor(config: NodeConfig, log: (line: string) => void) {
    const { httpCert, httpKey, httpCaCert, nodeCert, nodeKey, nodeCaCert, agent } = config;
    if (httpCert !== "") {
      const watched = new Watched([httpCert, httpKey, httpCaCert], {
        read: () => readHttp(config),
        notAfter: (tls) => tls.notAfter,
        onRenewed: (tls) => this.#users?.onHttp(tls),
        log,
      });
      this.http = { ...watched.value, certFile: httpCert, keyFile: httpKey };
    }
    if (hasNodeTls(config)) {
      const watched = new Watched([nodeCert, nodeKey, nodeCaCert], {
        read: () => agent ? readAgent(config, agent) : readNode(config),
        notAfter: notAfterOf,
        onRenewed: (tls) => this.#users?.onNode(tls),
        log,
      });
      this.node = watched.value;
    }
  }

  /** From now on renewed ones go to `users`. */
  watch(users: CertificateUsers): void {
    this.#users = users;
  }
}

function hasNodeTls({ nodeCert, agent }: NodeConfig): boolean {
  return nodeCert !== "" || agent?.tls.isOutgoing === true;
}

/** When the certificate for traffic between nodes expires; undefined where there is none. */
export function notAfterOf({ server, trust }: NodeTls): string | undefined {
  return (server ?? trust?.presents)?.notAfter;
}

function readHttp(config: NodeConfig): TlsServer {
  const { httpCert, httpKey, httpCaCert, httpVerifiesClients, httpClientName, httpTlsVersion: minVersion } = config;
  const identity = { ...readIdentity(httpCert, httpKey), minVersion };
  if (!httpVerifiesClients) return identity;
  needRuntime(config.agent ? "verify_incoming" : "-http-verify-client");
  return { ...identity, clients: { caCerts: readAuthorities(httpCaCert), commonName: httpClientName } };
}

function readNode(config: NodeConfig): NodeTls {
  const identity = readIdentity(config.nodeCert, config.nodeKey);
  const caCerts = readAuthorities(config.nodeCaCert);
  if (!config.nodeVerifies) needRuntime("-node-no-verify");
  if (config.nodeVerifiesClients) needRuntime("-node-verify-client");
  const clients = config.nodeVerifiesClients ? { caCerts, commonName: config.nodeClientName } : undefined;
  const serverName = config.nodeServerName;
  // Shown where nobody asks for it yet, too: so nodes can be told to ask for it one by one.
  const shows = serverName === "" || config.nodeVerifiesClients;
  return {
    server: { ...identity, ...(clients && { clients }) },
    trust: { caCerts, serverName, isVerified: config.nodeVerifies, ...(shows && { presents: identity }) },
  };
}

/**
 * Of an agent: servers answer TLS at the port of gossip, and any agent may call them by TLS. An accepted authority has to
 * have signed the certificate of a server, and the name in it counts only if the settings say so.
 */
function readAgent(config: NodeConfig, { isServer, tls: { isOutgoing, serverName } }: AgentConfig): NodeTls {
  const { nodeCert, nodeKey, nodeVerifiesClients, nodeTlsVersion: minVersion } = config;
  const identity = nodeCert === "" ? undefined : readIdentity(nodeCert, nodeKey);
  const caCerts = readAuthorities(config.nodeCaCert);
  needRuntime("TLS between agents");
  const presents = identity && { presents: identity };
  const trust = { caCerts, serverName, anyName: serverName === "", isVerified: true, minVersion, ...presents };
  // Certificates are asked for to know servers by, even if clients need none.
  const clients = nodeVerifiesClients || serverName !== ""
    ? { clients: { caCerts, commonName: "", isOptional: !nodeVerifiesClients } }
    : {};
  return {
    ...(isServer && identity ? { server: { ...identity, ...clients, minVersion, sharesPort: true } } : {}),
    ...(isOutgoing ? { trust } : {}),
    refusesPlain: nodeVerifiesClients,
    ...(serverName === "" ? {} : { serverName }),
  };
}

/** @throws {Error} When this runtime cannot ask clients for certificates. */
function needRuntime(flag: string): void {
  const [major, minor] = Deno.version.deno.split(".").map(Number);
  if (major > MUTUAL_SINCE.major || major === MUTUAL_SINCE.major && minor >= MUTUAL_SINCE.minor) return;
  throw new Error(
    `${flag} needs Deno ${MUTUAL_SINCE.major}.${MUTUAL_SINCE.minor} or newer, and this is ${Deno.version.deno}: ` +
      "run muster with `deno run` of a newer one",
  );
}

/** How watched files are used. */
interface Use<T> {
  /** @throws {Error} Naming the file that cannot be used. */
  read(): T;
  /** When the certificate expires, RFC 3339; undefined where there are authorities only. */
  notAfter(value: T): string | undefined;
  /** The files have changed, and can be used. */
  onRenewed(value: T): void;
  log(line: string): void;
}

/** Looks after the files of a certificate, the first of them, for as long as the process runs. */
class Watched<T> {
  /** Files, and directories; empty where there is none. */
  readonly #paths: readonly string[];
  readonly #use: Use<T>;
  #value: T;
  #changed: string;
  #warnedMs = 0;

  /** @throws {Error} Naming the file that cannot be used. */
  constructor(files: readonly string[], use: Use<T>) {
    this.#paths = files;
    this.#use = use;
    this.#value = use.read();
    this.#changed = this.#stamp();
    this.#warn();
    Deno.unrefTimer(Number(setInterval(() => this.#look(), LOOK_MS)));
  }

  /** What was read last. */
  get value(): T {
    return this.#value;
  }

  /** When the files were changed; empty while one of them is not there. */
  #stamp(): string {
    try {
      const files = this.#paths.flatMap(filesAt);
      return files.map((path) => `${path} ${Deno.statSync(path).mtime?.getTime()}`).join();
    } catch {
      return "";
    }
  }

  #look(): void {
    this.#warn();
    const stamp = this.#stamp();
    if (stamp === "" || stamp === this.#changed) return;
    this.#changed = stamp;
    try {
      this.#value = this.#use.read();
      this.#warnedMs = 0;
      this.#use.onRenewed(this.#value);
    } catch (error) {
      this.#use.log(`a certificate has changed and cannot be used, the one before stays: ${messageOf(error)}`);
    }
  }

  #warn(): void {
    const now = Date.now();
    const notAfter = this.#use.notAfter(this.#value);
    if (notAfter === undefined) return;
    const days = Math.floor((Date.parse(notAfter) - now) / DAY_MS);
    if (days >= WARN_DAYS || now - this.#warnedMs < DAY_MS) return;
    this.#warnedMs = now;
    const when = days < 0 ? "has expired" : `expires in ${days} days`;
    this.#use.log(`WARNING: the certificate in ${this.#paths[0]} ${when} (${notAfter}): renew it`);
  }
}
