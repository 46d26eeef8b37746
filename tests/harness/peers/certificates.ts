/**
 * Certificates for tests, made anew with `openssl` in a few hundredths of a second: nothing secret lies in the
 * repository and nothing there expires. All keys are on P-256. The chain is one step, CA to leaf; the leaves carry no
 * CA right, which strict clients check.
 * @module
 */
import { run } from "./process.ts";

/** Paths of PEM files. */
export interface Certificates {
  /** The CA that both leaves are signed by. */
  readonly ca: string;
  /** Its private key, to sign more. */
  readonly caKey: string;
  /** For 127.0.0.1, localhost and peer.test; also good as a client, as etcd's gateway calls etcd itself with it. */
  readonly serverCert: string;
  /** Its private key. */
  readonly serverKey: string;
  /** CN `client`; also good as a server. */
  readonly clientCert: string;
  /** Its private key. */
  readonly clientKey: string;
  /** A CA that signed none of these. */
  readonly strangerCa: string;
}

const DAYS = "30";
const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
const CONFIG = `
[req]
distinguished_name = name
prompt = no
[name]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:FALSE
subjectAltName = IP:127.0.0.1, DNS:localhost, DNS:peer.test
extendedKeyUsage = serverAuth, clientAuth
[client]
basicConstraints = CA:FALSE
extendedKeyUsage = clientAuth, serverAuth
`;

/** Makes the files in `directory`, which must exist. */
export async function makeCertificates(directory: string): Promise<Certificates> {
  const config = `${directory}/openssl.cnf`;
  await Deno.writeTextFile(config, CONFIG);
  await Promise.all([makeCa(directory, "ca"), makeCa(directory, "stranger")]);
  await Promise.all([makeLeaf(directory, "server", "2"), makeLeaf(directory, "client", "3")]);
  return {
    ca: `${directory}/ca.pem`,
    caKey: `${directory}/ca.key`,
    serverCert: `${directory}/server.pem`,
    serverKey: `${directory}/server.key`,
    clientCert: `${directory}/client.pem`,
    clientKey: `${directory}/client.key`,
    strangerCa: `${directory}/stranger.pem`,
  };
}

async function makeCa(directory: string, name: string): Promise<void> {
  const path = `${directory}/${name}`;
  await run("openssl", [
    ...["req", "-x509", "-config", `${directory}/openssl.cnf`, "-extensions", "ca", ...NEW_KEY, "-days", DAYS],
    ...["-subj", `/CN=muster test ${name}`, "-keyout", `${path}.key`, "-out", `${path}.pem`],
  ]);
}

/** The section of the configuration is named like the leaf. */
async function makeLeaf(directory: string, name: string, serial: string): Promise<void> {
  const path = `${directory}/${name}`;
  const config = `${directory}/openssl.cnf`;
  await run("openssl", [
    ...["req", "-new", "-config", config, ...NEW_KEY],
    ...["-subj", `/CN=${name}`, "-keyout", `${path}.key`, "-out", `${path}.csr`],
  ]);
  await run("openssl", [
    ...["x509", "-req", "-in", `${path}.csr`, "-CA", `${directory}/ca.pem`, "-CAkey", `${directory}/ca.key`],
    ...["-set_serial", serial, "-days", DAYS, "-extfile", config, "-extensions", name, "-out", `${path}.pem`],
  ]);
  await Deno.remove(`${path}.csr`);
}
