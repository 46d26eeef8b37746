/**
 * Files and environment variables that configurations refer to, read before the process gives up the rights to do so.
 * @module
 */
import { ConfigError } from "../../base/codec/fields.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** An environment variable; undefined where there is none, or the name cannot be one. */
export function variable(name: string): string | undefined {
  return /^[^=\0]+$/.test(name) ? Deno.env.get(name) : undefined;
}

/**
 * The text of a file of at most `bytesMax`.
 * @param forKey The flag or key that names it, for people.
 * @throws {ConfigError} When it cannot be read, or is longer.
 */
export function readTextFile(path: string, { forKey, bytesMax }: { forKey: string; bytesMax: number }): string {
  try {
    const { size } = Deno.statSync(path);
    if (size > bytesMax) throw new Error(`it is longer than ${bytesMax} bytes`);
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw new ConfigError(`Cannot read ${path} (${forKey}): ${messageOf(error)}`);
  }
}

/** Longest file of certificates. */
const CERTIFICATES_BYTES_MAX = 4 * 1024 * 1024;

/** Paths of the system's trusted certificates. The first existing one is used, as in Go's library. */
const SYSTEM_CERTIFICATES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/**
 * The certificates that the system trusts.
 * @param named File to use instead, as `SSL_CERT_FILE` of the environment names one; empty for none.
 * @throws {ConfigError} When that file cannot be read.
 */
export function systemCertificates(named: string): string[] {
  if (named !== "") return [readTextFile(named, { forKey: "SSL_CERT_FILE", bytesMax: CERTIFICATES_BYTES_MAX })];
  for (const path of SYSTEM_CERTIFICATES) {
    try {
      return [Deno.readTextFileSync(path)];
    } catch {
      // not this kind of system
    }
  }
  return [];
}
