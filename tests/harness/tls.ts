/** Certificates that `muster tls` makes, and the flags that have a node use them. */
import { assertEquals } from "@std/assert";
import { muster } from "./agents.ts";

async function made(...args: string[]): Promise<void> {
  const { code, stderr } = await muster(["tls", ...args]);
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
}

/** An authority in `root`; resolves to its certificate. */
export async function authority(root: string): Promise<string> {
  await made("ca", "-out", root);
  return await Deno.readTextFile(`${root}/muster-ca.pem`);
}

/** A certificate of the authority in `root`: `NAME.pem`, `NAME-key.pem`. */
export async function certificate(root: string, name: string, ...args: string[]): Promise<void> {
  await made(
    "cert",
    "-ca",
    `${root}/muster-ca.pem`,
    "-ca-key",
    `${root}/muster-ca-key.pem`,
    "-out",
    root,
    "-name",
    name,
    ...args,
  );
}

/** HTTPS with a certificate of {@linkcode certificate}. */
export function httpsFlags(root: string, name: string): string[] {
  return ["-http-cert", `${root}/${name}.pem`, "-http-key", `${root}/${name}-key.pem`];
}

/** TLS between nodes with a certificate of {@linkcode certificate}. */
export function nodeFlags(root: string, name: string): string[] {
  return [
    "-node-cert",
    `${root}/${name}.pem`,
    "-node-key",
    `${root}/${name}-key.pem`,
    "-node-ca-cert",
    `${root}/muster-ca.pem`,
  ];
}

/** A certificate of {@linkcode certificate} and its key, in PEM. */
export async function identity(root: string, name: string): Promise<{ cert: string; key: string }> {
  const [cert, key] = await Promise.all(
    [`${name}.pem`, `${name}-key.pem`].map((at) => Deno.readTextFile(`${root}/${at}`)),
  );
  return { cert, key };
}
