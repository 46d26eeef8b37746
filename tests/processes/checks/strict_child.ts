/**
 * Runs a check of each kind over TLS, with the certificates that the environment has the runtime trust, and prints what
 * they say as a list of JSON: of `host:port`, and of the name to expect in the certificate.
 *
 *     strict_child.ts ADDRESS NAME
 */
import type { IntervalKind } from "../../../src/core/health/check_kind.ts";
import { runKind } from "../../../src/drivers/checks/run.ts";

const [address, tlsServerName] = Deno.args;
const tls = { useTls: true, tlsServerName, tlsSkipVerify: false };
const kinds: IntervalKind[] = [
  { k: "tcp", address, ...tls },
  { k: "h2ping", address, ...tls },
  { k: "grpc", address, service: "", ...tls },
];
const context = { signal: AbortSignal.timeout(10_000), outputBytesMax: 4096 };
const said = kinds.map((kind) =>
  runKind(kind, context).then(
    ({ output }) => output,
    (error) => `Error ${error instanceof Error ? error.message : error}`,
  )
);
console.log(JSON.stringify(await Promise.all(said)));
Deno.exit(0);
