/**
 * Commands about certificates: `tls ca` makes an authority, `tls cert` a certificate of a node by it. Keys are of RSA
 * with 2048 bits, as every client has it; files are PEM, and none that exists is overwritten.
 * @module
 */
import { parseIp } from "../../base/codec/ip.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import type { FlagSpec } from "../config/flags.ts";
import type { Attribute, Certificate, Forge, PrivateKey, PublicKey } from "./node_forge.d.ts";
import { type Call, type Command, CommandError, textFlag } from "../client/command.ts";

const KEY_BITS = 2048;
const DAY_MS = 86_400_000;
const DAYS_MAX = 36_500;
/** Clocks of other machines may be behind. */
const SLACK_MS = 3_600_000;
/** Kinds of names in a certificate (RFC 5280, section 4.2.1.6). */
const DNS = 2;
const IP = 7;
/** Names by which a node is always reached from its own machine. */
const OWN_NAMES = ["localhost", "127.0.0.1", "::1"];

const OUT = textFlag("out", "Directory to write to", ".");
const days = (value: string): FlagSpec => ({
  name: "days",
  kind: "int",
  value,
  help: "Days that it is valid",
  supported: true,
});

const tlsCa: Command = {
  name: "tls ca",
  summary: "make a certificate authority for a cluster",
  usage: "\n\nWrites muster-ca.pem, which every node and client gets, and muster-ca-key.pem, which stays where\n" +
    "certificates are made: who has it can make certificates.\n\nExample:\n  muster tls ca",
  flags: [textFlag("name", "Name of the authority", "muster"), days("3650"), OUT],
  isLocal: true,
  async run({ flags }: Call) {
    const forge = await library();
    const keys = forge.pki.rsa.generateKeyPair(KEY_BITS);
    const subject = [{ name: "commonName", value: `${flags.string("name")} CA` }];
    const certificate = newCertificate(forge, {
      key: keys.publicKey,
      days: flags.int("days"),
      subject,
      issuer: subject,
    });
    certificate.setExtensions([
      { name: "basicConstraints", critical: true, cA: true, pathLenConstraint: 0 },
      { name: "keyUsage", critical: true, keyCertSign: true, cRLSign: true },
      { name: "subjectKeyIdentifier" },
    ]);
    certificate.sign(keys.privateKey, forge.md.sha256.create());
    await writePair(forge, `${flags.string("out")}/muster-ca`, { certificate, key: keys.privateKey });
    return 0;
  },
};

const tlsCert: Command = {
  name: "tls cert",
  summary: "make a certificate for a node or for a client",
  usage:
    "\n\nWrites NAME.pem and NAME-key.pem, for HTTPS and for traffic between nodes alike; clients show one, too.\n\nExample:\n" +
    "  muster tls cert -name node1 -host node1.example.com,10.0.0.1\n" +
    "  muster serve -http-cert node1.pem -http-key node1-key.pem -node-cert node1.pem -node-key node1-key.pem \\\n" +
    "    -node-ca-cert muster-ca.pem -http-addr node1.example.com:4001 -raft-addr node1.example.com:4002 data",
  flags: [
    textFlag("name", "Name of the files, and common name of the certificate", "node"),
    textFlag("host", `Names and addresses of the node, with commas; ${OWN_NAMES.join(", ")} are always among them`),
    textFlag("ca", "Certificate of the authority", "muster-ca.pem"),
    textFlag("ca-key", "Its key", "muster-ca-key.pem"),
    days("365"),
    OUT,
  ],
  isLocal: true,
  async run({ flags }: Call) {
    const forge = await library();
    const authority = await readAuthority(forge, { cert: flags.string("ca"), key: flags.string("ca-key") });
    const hosts = [...new Set([...flags.list("host"), ...OWN_NAMES])];
    const keys = forge.pki.rsa.generateKeyPair(KEY_BITS);
    const subject = [{ name: "commonName", value: flags.string("name") }];
    const issuer = authority.certificate.subject.attributes;
    const certificate = newCertificate(forge, { key: keys.publicKey, days: flags.int("days"), subject, issuer });
    certificate.setExtensions([
      { name: "basicConstraints", critical: true, cA: false },
      { name: "keyUsage", critical: true, digitalSignature: true, keyEncipherment: true },
      { name: "extKeyUsage", serverAuth: true, clientAuth: true },
      {
        name: "subjectAltName",
        altNames: hosts.map((host) => parseIp(host) ? { type: IP, ip: host } : { type: DNS, value: host }),
      },
      { name: "subjectKeyIdentifier" },
    ]);
    certificate.sign(authority.key, forge.md.sha256.create());
    await writePair(forge, `${flags.string("out")}/${flags.string("name")}`, { certificate, key: keys.privateKey });
    return 0;
  },
};

/** Commands about certificates. */
export const TLS_COMMANDS: readonly Command[] = [tlsCa, tlsCert];

/** Only where it is asked for: it takes memory. */
async function library(): Promise<Forge> {
  // @ts-types="./node_forge.d.ts"
  const { default: forge } = await import("node-forge");
  return forge;
}

function newCertificate(
  forge: Forge,
  { key, days, subject, issuer }: {
    key: PublicKey;
    days: number;
    subject: readonly Attribute[];
    issuer: readonly Attribute[];
  },
): Certificate {
  if (days < 1 || days > DAYS_MAX) throw new CommandError(`-days must be between 1 and ${DAYS_MAX}.`);
  const certificate = forge.pki.createCertificate();
  const now = Date.now();
  certificate.publicKey = key;
  certificate.serialNumber = serialNumber();
  certificate.validity.notBefore = new Date(now - SLACK_MS);
  certificate.validity.notAfter = new Date(now + days * DAY_MS);
  certificate.setSubject(subject);
  certificate.setIssuer(issuer);
  return certificate;
}

/** Positive, and of no leading zero byte: DER is strict about both. */
function serialNumber(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = bytes[0] & 0x7f | 0x40;
  return bytes.toHex();
}

async function readAuthority(
  forge: Forge,
  { cert, key }: { cert: string; key: string },
): Promise<{ certificate: Certificate; key: PrivateKey }> {
  try {
    const certificate = forge.pki.certificateFromPem(await Deno.readTextFile(cert));
    return { certificate, key: forge.pki.privateKeyFromPem(await Deno.readTextFile(key)) };
  } catch (error) {
    const how = "muster tls ca makes them, -ca and -ca-key say where they are";
    throw new CommandError(`Cannot use the authority in ${cert} and ${key}: ${messageOf(error)}; ${how}.`);
  }
}

/** The key first, for nobody but the owner: a certificate without its key is of no use. */
async function writePair(
  forge: Forge,
  path: string,
  { certificate, key }: { certificate: Certificate; key: PrivateKey },
): Promise<void> {
  const { pki } = forge;
  await writeNew(`${path}-key.pem`, pki.privateKeyInfoToPem(pki.wrapRsaPrivateKey(pki.privateKeyToAsn1(key))), 0o600);
  await writeNew(`${path}.pem`, pki.certificateToPem(certificate), 0o644);
}

async function writeNew(path: string, text: string, mode: number): Promise<void> {
  try {
    await Deno.writeTextFile(path, text.replaceAll("\r\n", "\n"), { createNew: true, mode });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) {
      throw new CommandError(`Cannot write ${path}: ${messageOf(error)}.`);
    }
    throw new CommandError(`${path} exists already: move it away first.`);
  }
  console.log(`wrote ${path}`);
}
