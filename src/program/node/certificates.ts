/**
 * Certificates of a node: read before the process gives up the rights to do so, looked at again now and then, so that
 * renewed ones come into use without a restart, and told of before they expire.
 * @module
 */
import { X509Certificate } from "node:crypto";
import { messageOf } from "../../base/codec/error_text.ts";
import type { TlsFacts } from "../../api/server/api.ts";
import type { TlsIdentity, TlsTrust } from "../../base/net/tls.ts";
import type { NodeConfig } from "../config/config.ts";

/** How often the files are looked at. */
const LOOK_MS = 5_000;
const DAY_MS = 86_400_000;
/** A certificate that expires within this time is warned of, once a day. */
const WARN_DAYS = 30;

/** Paths of a certificate and its key. */
interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/**
 * Reads a certificate and its key.
 * @throws {Error} Naming the file that cannot be used.
 */
function readIdentity({ cert, key }: CertificateFiles): TlsIdentity {
  const pem = readPem(cert);
  const notAfter = expiryOf(pem, cert);
  const privateKey = readPem(key);
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(privateKey)) throw new Error(`${key} holds no private key in PEM`);
  return { cert: pem, key: privateKey, notAfter };
}

/** Reads a file of certificates or keys. @throws {Error} Naming it, when it cannot be read. */
function readPem(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw new Error(`cannot read ${path}: ${messageOf(error)}`);
  }
}

function expiryOf(cert: string, path: string): string {
  try {
    return new Date(new X509Certificate(cert).validTo).toISOString();
  } catch (error) {
    throw new Error(`${path} holds no certificate in PEM: ${messageOf(error)}`);
  }
}

/** Uses of a node's certificates, and callbacks for renewed ones. */
export interface CertificateUsers {
  /** HTTPS. */
  onHttp(identity: TlsIdentity): void;
  /** The cluster port. */
  onNode(identity: TlsIdentity): void;
  log(line: string): void;
}

/** All certificates of a node, as its configuration names them. */
export class Certificates {
  /** Of HTTPS, as it was at the start; undefined: plain HTTP. */
  readonly http: (TlsIdentity & TlsFacts) | undefined;
  /** Of the cluster port, as it was at the start, and whom to trust there; undefined: plain TCP. */
  readonly node: (TlsIdentity & TlsTrust) | undefined;

  /** @throws {Error} Naming the file that cannot be used. */
  constructor(config: NodeConfig, { onHttp, onNode, log }: CertificateUsers) {
    const { httpCert, httpKey, nodeCert, nodeKey, nodeCaCert, nodeServerName } = config;
    if (httpCert !== "") {
      const { identity } = new WatchedCertificate({ cert: httpCert, key: httpKey }, { onRenewed: onHttp, log });
      this.http = { ...identity, certFile: httpCert, keyFile: httpKey };
    }
    if (nodeCert !== "") {
      const { identity } = new WatchedCertificate({ cert: nodeCert, key: nodeKey }, { onRenewed: onNode, log });
      this.node = { ...identity, caCerts: nodeCaCert === "" ? [] : [readPem(nodeCaCert)], serverName: nodeServerName };
    }
  }
}

/** Facts about a certificate in use. */
interface CertificateEvents {
  /** Its files have changed, and can be used. */
  onRenewed(identity: TlsIdentity): void;
  log(line: string): void;
}

/** Looks after a certificate for as long as the process runs. */
class WatchedCertificate {
  readonly #files: CertificateFiles;
  readonly #events: CertificateEvents;
  #identity: TlsIdentity;
  #changed: string;
  #warnedMs = 0;

  /** @throws {Error} Naming the file that cannot be used. */
  constructor(files: CertificateFiles, events: CertificateEvents) {
    this.#files = files;
    this.#events = events;
    this.#identity = readIdentity(files);
    this.#changed = this.#stamp();
    this.#warn();
    Deno.unrefTimer(Number(setInterval(() => this.#look(), LOOK_MS)));
  }

  /** The one that was read last. */
  get identity(): TlsIdentity {
    return this.#identity;
  }

  /** When the files were changed; empty while one of them is not there. */
  #stamp(): string {
    try {
      return [this.#files.cert, this.#files.key].map((path) => Deno.statSync(path).mtime?.getTime()).join();
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
      this.#identity = readIdentity(this.#files);
      this.#warnedMs = 0;
      this.#events.onRenewed(this.#identity);
    } catch (error) {
      this.#events.log(`a certificate has changed and cannot be used, the one before stays: ${messageOf(error)}`);
    }
  }

  #warn(): void {
    const now = Date.now();
    const { notAfter } = this.#identity;
    const days = Math.floor((Date.parse(notAfter) - now) / DAY_MS);
    if (days >= WARN_DAYS || now - this.#warnedMs < DAY_MS) return;
    this.#warnedMs = now;
    const when = days < 0 ? "has expired" : `expires in ${days} days`;
    this.#events.log(`WARNING: the certificate in ${this.#files.cert} ${when} (${notAfter}): renew it`);
  }
}
