/** A port that takes plain connections and TLS (C9.12). */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Conn, Listening, TlsServer } from "../../../src/base/net/conn.ts";
import { connectionsOf, connectTo, listenAt } from "../../../src/base/net/tls.ts";
import { until } from "../../harness/processes.ts";
import { authority, certificate, identity } from "../../harness/tls.ts";

interface Port {
  readonly at: { hostname: string; port: number };
  readonly listening: Listening;
  readonly caCert: string;
  readonly own: TlsServer;
  readonly log: string[];
  /** What came first at each connection, and how. */
  readonly seen: { text: string; isEncrypted: boolean | undefined; isServer: boolean | undefined }[];
  readonly accepted: Conn[];
}

const NEVER = new AbortController().signal;

/** A port that sends back what it gets. */
async function withPort(
  { isOptional }: { isOptional: boolean },
  work: (port: Port, root: string) => Promise<void>,
): Promise<void> {
  const root = await Deno.makeTempDir();
  const caCert = await authority(root);
  await certificate(root, "server", "-host", "server.dc1.consul");
  await certificate(root, "client");
  const clients = { caCerts: [caCert], commonName: "", isOptional };
  const own = { ...await identity(root, "server"), notAfter: "", clients, sharesPort: true };
  const [log, seen, accepted]: [string[], Port["seen"], Conn[]] = [[], [], []];
  const listening = await listenAt("127.0.0.1:0", own, (line) => log.push(line));
  const serve = async (conn: Conn) => {
    accepted.push(conn);
    const chunk = new Uint8Array(64 * 1024);
    let isFirst = true;
    for (let count: number | null; (count = await conn.read(chunk)) !== null;) {
      if (isFirst) {
        const text = new TextDecoder().decode(chunk.subarray(0, Math.min(count, 20)));
        seen.push({ text, isEncrypted: conn.isEncrypted, isServer: conn.isFor?.("server.dc1.consul") });
      }
      isFirst = false;
      for (let written = 0; written < count;) written += await conn.write(chunk.subarray(written, count));
    }
    conn.close();
  };
  (async () => {
    for await (const conn of connectionsOf(listening, (line) => log.push(line))) {
      serve(conn).catch(() => conn.close());
    }
  })();
  try {
    const at = { hostname: "127.0.0.1", port: listening.port };
    await work({ at, listening, caCert, own, log, seen, accepted }, root);
  } finally {
    listening.close();
    await Deno.remove(root, { recursive: true });
  }
}

async function echoed(conn: Conn, text: string): Promise<string> {
  await conn.write(new TextEncoder().encode(text));
  const chunk = new Uint8Array(100);
  const count = await conn.read(chunk);
  return new TextDecoder().decode(chunk.subarray(0, count ?? 0));
}

function trustOf({ caCert }: Port, presents?: { cert: string; key: string }, serverName = "") {
  return {
    caCerts: [caCert],
    serverName,
    isVerified: true,
    anyName: serverName === "",
    ...(presents ? { presents: { ...presents, notAfter: "" } } : {}),
  };
}

Deno.test({
  name: "the first byte decides between plain and TLS, and certificates count only in TLS",
  sanitizeResources: false, // a closed connection of TLS ends a second later
  sanitizeOps: false,
  fn: () =>
    withPort({ isOptional: true }, async (port, root) => {
      const slow = await Deno.connect(port.at); // says nothing: it holds nobody up
      const half = await Deno.connect(port.at);
      await half.write(new Uint8Array([22, 3])); // the begin of a handshake
      const client = await identity(root, "client");
      const { own } = port;
      const trusts = [
        undefined,
        trustOf(port),
        trustOf(port, client),
        trustOf(port, own),
        trustOf(port, own, "server.dc1.consul"),
      ];
      for (const [at, trust] of trusts.entries()) {
        const conn = await connectTo(port.at, { signal: NEVER, trust });
        assertEquals(await echoed(conn, `hello ${at}`), `hello ${at}`);
        conn.close();
      }
      assertEquals(port.seen, [
        { text: "hello 0", isEncrypted: false, isServer: false },
        { text: "hello 1", isEncrypted: true, isServer: false },
        { text: "hello 2", isEncrypted: true, isServer: false },
        { text: "hello 3", isEncrypted: true, isServer: true },
        { text: "hello 4", isEncrypted: true, isServer: true },
      ]);
      await assertRejects(() => connectTo(port.at, { signal: NEVER, trust: trustOf(port, own, "server.dc2.consul") }));
      slow.close();
      half.close();
      const line = /refused a TLS connection from 127\.0\.0\.1:\d+: the connection has ended in the handshake/;
      await until("a line about the half handshake", () => port.log.some((one) => line.test(one)) || undefined);
    }),
});

Deno.test({
  name: "a stranger is refused before anything of his is read, and megabytes go both ways",
  sanitizeResources: false,
  sanitizeOps: false,
  fn: () =>
    withPort({ isOptional: false }, async (port, root) => {
      const refused = async (presents?: { cert: string; key: string }) => {
        const conn = await connectTo(port.at, { signal: NEVER, trust: trustOf(port, presents) }).catch(() => undefined);
        // With TLS 1.3 a client hears of it when it reads.
        const answer = conn && await echoed(conn, "let me in").catch(() => "");
        assertEquals(answer ?? "", "");
      };
      await refused();
      await Deno.mkdir(`${root}/other`);
      await authority(`${root}/other`);
      await certificate(`${root}/other`, "client");
      await refused(await identity(`${root}/other`, "client"));
      await until("both refusals", () => port.log.length === 2 || undefined);
      assert(/refused a TLS connection from 127\.0\.0\.1:\d+: it has shown no certificate/.test(port.log[0]));
      assert(/no accepted authority has signed its certificate/.test(port.log[1]), port.log[1]);
      assertEquals(port.seen, []);

      const conn = await connectTo(port.at, { signal: NEVER, trust: trustOf(port, await identity(root, "client")) });
      const sent = crypto.getRandomValues(new Uint8Array(60_000));
      const rounds = 200;
      const writing = (async () => {
        for (let round = 0; round < rounds; round++) {
          for (let written = 0; written < sent.length;) written += await conn.write(sent.subarray(written));
        }
      })();
      const chunk = new Uint8Array(64 * 1024);
      for (let read = 0; read < rounds * sent.length;) {
        const count = await conn.read(chunk);
        if (count === null) throw new Error("it ended early");
        for (let at = 0; at < count; at += 997) assertEquals(chunk[at], sent[(read + at) % sent.length]);
        read += count;
      }
      await writing;
      conn.close();
      // The other end learns that it has ended.
      await assertRejects(async () => {
        for (;;) await port.accepted.at(-1)?.write(sent);
      });
    }),
});

Deno.test({
  name: "a renewed certificate is shown to new connections, and one that cannot be used is not taken",
  sanitizeResources: false,
  sanitizeOps: false,
  fn: () =>
    withPort({ isOptional: true }, async (port, root) => {
      await Deno.mkdir(`${root}/next`);
      const caCert = await authority(`${root}/next`);
      await certificate(`${root}/next`, "server");
      const before = await connectTo(port.at, { signal: NEVER, trust: trustOf(port) });
      assertEquals(await echoed(before, "a"), "a");
      port.listening.renew({ ...port.own, ...await identity(`${root}/next`, "server") });
      await assertRejects(() => connectTo(port.at, { signal: NEVER, trust: trustOf(port) }));
      const after = await connectTo(port.at, { signal: NEVER, trust: { ...trustOf(port), caCerts: [caCert] } });
      assertEquals([await echoed(before, "b"), await echoed(after, "c")], ["b", "c"]);
      try {
        port.listening.renew({ ...port.own, cert: "no certificate" });
      } catch {
        const still = await connectTo(port.at, { signal: NEVER, trust: { ...trustOf(port), caCerts: [caCert] } });
        assertEquals(await echoed(still, "d"), "d");
        for (const conn of [before, after, still]) conn.close();
        return;
      }
      throw new Error("it was taken");
    }),
});
