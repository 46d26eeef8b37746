/** Which ends a connection of TLS accepts. */
import { assertEquals } from "@std/assert";
import type { TlsServer } from "../../../src/base/net/conn.ts";
import { connectionsOf, listenAt } from "../../../src/base/net/tls.ts";
import { authority, certificate, identity } from "../../harness/tls.ts";

async function withServer(tls: TlsServer, work: (port: number) => Promise<void>): Promise<void> {
  const listening = await listenAt("127.0.0.1:0", tls, () => {});
  (async () => {
    for await (const conn of connectionsOf(listening, () => {})) {
      conn.read(new Uint8Array(1)).catch(() => {}).finally(() => conn.close());
    }
  })();
  try {
    await work(listening.port);
  } finally {
    listening.close();
  }
}

async function withRoot(work: (root: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir();
  try {
    await authority(root);
    await certificate(root, "server", "-host", "server.dc1.consul");
    await work(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

// A closed connection of TLS ends a second later.
const LATE = { sanitizeResources: false, sanitizeOps: false };

Deno.test({
  name: "the authorities that are given count alone, and not those of the system beside them",
  ...LATE,
  fn: () =>
    withRoot(async (root) => {
      await Deno.mkdir(`${root}/own`);
      const own = await authority(`${root}/own`);
      // A process whose system trusts the authority of the server.
      const script = `${root}/connect.ts`;
      await Deno.writeTextFile(
        script,
        `import { connectTo } from ${JSON.stringify(import.meta.resolve("../../../src/base/net/tls.ts"))};
         const trusts = JSON.parse(Deno.args[1]);
         for (const trust of trusts) {
           const at = { hostname: "127.0.0.1", port: Number(Deno.args[0]) };
           await connectTo(at, { signal: new AbortController().signal, trust })
             .then((conn) => (conn.close(), console.log("accepted")), () => console.log("refused"));
         }
         Deno.exit(0);`,
      );
      const base = { caCerts: [own], serverName: "", isVerified: true };
      const trusts = [
        { ...base, caCerts: [] }, // the system's
        base,
        { ...base, anyName: true },
        { ...base, serverName: "server.dc1.consul" },
        { ...base, serverName: "server.dc1.consul", presents: { ...await identity(root, "server"), notAfter: "" } },
      ];
      await withServer({ ...await identity(root, "server"), notAfter: "" }, async (port) => {
        const { stdout } = await new Deno.Command(Deno.execPath(), {
          args: [
            "run",
            "-A",
            "--no-lock",
            `--config=${new URL("../../../deno.json", import.meta.url).pathname}`,
            `--cert=${root}/muster-ca.pem`,
            script,
            String(port),
            JSON.stringify(trusts),
          ],
          stderr: "null",
        }).output();
        assertEquals(new TextDecoder().decode(stdout).trim().split("\n"), [
          "accepted",
          "refused",
          "refused",
          "refused",
          "refused",
        ]);
      });
    }),
});

Deno.test({
  name: "a port of TLS 1.3 takes no older version, whether gossip shares it or not",
  ...LATE,
  fn: () =>
    withRoot(async (root) => {
      const own = { ...await identity(root, "server"), notAfter: "" };
      for (const sharesPort of [false, true]) {
        for (const minVersion of ["TLSv1.2", "TLSv1.3"] as const) {
          await withServer({ ...own, sharesPort, minVersion }, async (port) => {
            for (const option of ["-tls1_1", "-tls1_2", "-tls1_3"]) {
              const { stdout } = await new Deno.Command("openssl", {
                args: ["s_client", "-connect", `127.0.0.1:${port}`, "-cipher", "ALL:@SECLEVEL=0", option],
                stdin: "null",
                stderr: "null",
              }).output();
              const hasTalked = /Cipher is [A-Z0-9]/.test(new TextDecoder().decode(stdout));
              const isTaken = option === "-tls1_3" || option === "-tls1_2" && minVersion === "TLSv1.2";
              assertEquals(hasTalked, isTaken, `${option} at ${minVersion}, shared: ${sharesPort}`);
            }
          });
        }
      }
    }),
});
