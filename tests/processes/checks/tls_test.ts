/** Checks of servers with TLS, and of Go's HTTP/2. */
import { assertEquals, assertMatch } from "@std/assert";
import type { CheckTls, IntervalKind } from "../../../src/core/health/check_kind.ts";
import { runKind } from "../../../src/drivers/checks/run.ts";
import { listenAt } from "../../../src/base/net/tls.ts";
import { authority, certificate, identity } from "../../harness/tls.ts";

const STRICT: CheckTls = { tlsServerName: "", tlsSkipVerify: false };
const SKIP: CheckTls = { tlsServerName: "", tlsSkipVerify: true };

/** In CI a missing compiler fails the test. */
const HAS_GO = Deno.env.get("CI") === "true" || hasGo();

function hasGo(): boolean {
  try {
    return new Deno.Command("go", { args: ["version"], stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    console.error("LEFT OUT: the checks of Go's HTTP/2, as there is no Go compiler (Debian: golang-go)");
    return false;
  }
}

async function said(kind: IntervalKind): Promise<string> {
  try {
    const { status, output } = await runKind(kind, { signal: AbortSignal.timeout(10_000), outputBytesMax: 4096 });
    return `${status} ${output}`;
  } catch (error) {
    return `Error ${error instanceof Error ? error.message : error}`;
  }
}

const tcp = (address: string, tls: CheckTls) => said({ k: "tcp", address, useTls: true, ...tls });
const http = (address: string, tls: CheckTls) =>
  said({
    k: "http",
    url: `https://${address}/`,
    method: "GET",
    headers: {},
    body: "",
    disableRedirects: false,
    ...tls,
  });
const h2ping = (address: string, useTls: boolean, tls: CheckTls) => said({ k: "h2ping", address, useTls, ...tls });
const grpc = (address: string, service: string, useTls: boolean, tls: CheckTls) =>
  said({ k: "grpc", address, service, useTls, ...tls });

async function withRoot(work: (root: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "muster-checks-" });
  try {
    await authority(root);
    await certificate(root, "server", "-host", "127.0.0.1", "-host", "server.example");
    await work(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

// A closed connection of TLS ends a second later.
const LATE = { sanitizeResources: false, sanitizeOps: false };

Deno.test({
  name:
    "checks over TLS refuse a certificate that no authority of the system has signed, unless they must not verify it",
  ...LATE,
  fn: () =>
    withRoot(async (root) => {
      const listening = await listenAt("127.0.0.1:0", { ...await identity(root, "server"), notAfter: "" }, () => {});
      (async () => {
        for (;;) {
          const conn = await listening.accept();
          const answer = async () => {
            await conn.read(new Uint8Array(4096));
            await conn.write(new TextEncoder().encode("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"));
          };
          answer().catch(() => {}).finally(() => conn.close());
        }
      })().catch(() => {}); // the listener is closed
      try {
        const address = `127.0.0.1:${listening.port}`;
        assertMatch(
          await tcp(address, STRICT),
          new RegExp(`^Error dial tcp ${address}: .*(?:certificate|UnknownIssuer)`),
        );
        assertMatch(await http(address, STRICT), /^Error Get "https:.*": dial tcp .*(?:certificate|UnknownIssuer)/);
        assertEquals(await tcp(address, SKIP), `passing TCP+TLS connect ${address}: Success`);
        assertEquals(await http(address, SKIP), `passing HTTP GET https://${address}/: 200 OK Output: hello`);
        const named = { tlsServerName: "other.example", tlsSkipVerify: false };
        assertMatch(await tcp(address, named), new RegExp(`^Error dial tcp ${address}: `));
        assertEquals(
          await tcp(address, { ...named, tlsSkipVerify: true }),
          `passing TCP+TLS connect ${address}: Success`,
        );
      } finally {
        listening.close();
      }
    }),
});

Deno.test({
  name: "checks over TLS say that the other end speaks no TLS",
  ...LATE,
  fn: async () => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    (async () => {
      for await (const conn of listener) {
        conn.write(new TextEncoder().encode("220 hello\r\n")).catch(() => {}).finally(() => conn.close());
      }
    })();
    try {
      const address = `127.0.0.1:${listener.addr.port}`;
      for (const tls of [STRICT, SKIP]) {
        assertMatch(await tcp(address, tls), new RegExp(`^Error dial tcp ${address}: `));
        assertMatch(await h2ping(address, true, tls), new RegExp(`^Error Failed to dial to ${address}: `));
      }
    } finally {
      listener.close();
    }
  },
});

/** The peer of h2peer.go: its addresses without TLS and with it. */
async function withGo(work: (plain: string, secure: string, root: string) => Promise<void>): Promise<void> {
  await withRoot(async (root) => {
    const source = new URL("h2peer.go", import.meta.url).pathname;
    const build = await new Deno.Command("go", { args: ["build", "-o", `${root}/h2peer`, source] }).output();
    assertEquals([build.success, new TextDecoder().decode(build.stderr)], [true, ""]);
    const args = [`${root}/server.pem`, `${root}/server-key.pem`];
    const peer = new Deno.Command(`${root}/h2peer`, { args, stdout: "piped", stderr: "null" }).spawn();
    const reader = peer.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let printed = "";
    while (printed.split("\n").length < 3) printed += (await reader.read()).value ?? "";
    const [plain, secure] = printed.split("\n").map((port) => `127.0.0.1:${port}`);
    try {
      await work(plain, secure, root);
    } finally {
      peer.kill();
      await reader.cancel();
      await peer.status;
    }
  });
}

Deno.test({
  name: "checks of gRPC and of HTTP/2 work with Go's server, with TLS and without",
  ignore: !HAS_GO,
  ...LATE,
  fn: () =>
    withGo(async (plain, secure) => {
      for (const [address, useTls] of [[plain, false], [secure, true]] as const) {
        assertEquals(await grpc(address, "", useTls, SKIP), `passing gRPC check ${address}: success`);
        assertEquals(
          await grpc(address, "down", useTls, SKIP),
          `critical gRPC ${address}/down serving status: NOT_SERVING`,
        );
        assertEquals(
          await grpc(address, "other", useTls, SKIP),
          `Error gRPC check ${address}/other: rpc error: code = NotFound desc = unknown service`,
        );
        assertEquals(await h2ping(address, useTls, SKIP), "passing HTTP2 ping was successful");
      }
      assertMatch(await h2ping(secure, true, STRICT), /^Error Failed to dial to .*certificate|UnknownIssuer/i);
      assertMatch(await h2ping(secure, false, SKIP), /^Error HTTP2 ping failed: /);
      assertMatch(await h2ping(plain, true, SKIP), /^Error Failed to dial to /);
    }),
});

/** What strict_child.ts prints, with the authority of `root` among the trusted ones. */
async function saidStrictly(root: string, address: string, name: string): Promise<string[]> {
  const child = new URL("strict_child.ts", import.meta.url).pathname;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--lock=deno.dev.lock", "--no-check", "--allow-net", child, address, name],
    cwd: new URL("../../..", import.meta.url).pathname,
    env: { DENO_CERT: `${root}/muster-ca.pem` },
    stderr: "inherit",
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test({
  name: "checks over TLS verify the certificate by the host, or by the name that they are told",
  ignore: !HAS_GO,
  ...LATE,
  fn: () =>
    withGo(async (_, secure, root) => {
      const byHost = [
        `TCP+TLS connect ${secure}: Success`,
        "HTTP2 ping was successful",
        `gRPC check ${secure}: success`,
      ];
      assertEquals(await saidStrictly(root, secure, ""), byHost);
      assertEquals(await saidStrictly(root, secure, "server.example"), byHost);
      for (const output of await saidStrictly(root, secure, "other.example")) {
        assertMatch(output, /^Error .*other\.example/);
      }
    }),
});
