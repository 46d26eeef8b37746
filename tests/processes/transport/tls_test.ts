/** The cluster port of a server agent with TLS: who may replicate, who may forward, who may do nothing (C9.12). */
import { assertEquals, assertRejects } from "@std/assert";
import type { NodeTls, TlsTrust } from "../../../src/base/net/conn.ts";
import { Listener } from "../../../src/drivers/transport/listener.ts";
import { openStream, RpcClient } from "../../../src/drivers/transport/rpc.ts";
import type { Hello } from "../../../src/drivers/transport/wire.ts";
import { freePort, until } from "../../harness/processes.ts";
import { authority, certificate, identity } from "../../harness/tls.ts";
import { STRANGER } from "../../harness/stranger.ts";

const HELLO: Hello = { ...STRANGER, id: "1" };
const NAME = "server.dc1.consul";

/** Trusts of a server, of a client with a certificate, and of one without; by the authority of the port. */
type Trusts = Readonly<Record<"server" | "client" | "none", TlsTrust>>;

async function withPort(
  { needsCertificates }: { needsCertificates: boolean },
  work: (addr: string, trusts: Trusts, lines: string[]) => Promise<void>,
): Promise<void> {
  const root = await Deno.makeTempDir();
  const caCert = await authority(root);
  await certificate(root, "server", "-host", NAME);
  await certificate(root, "client");
  const shown = async (name: string) => ({ ...await identity(root, name), notAfter: "" });
  const common = { caCerts: [caCert], serverName: NAME, isVerified: true };
  const trusts = {
    server: { ...common, presents: await shown("server") },
    client: { ...common, presents: await shown("client") },
    none: common,
  };
  const clients = { caCerts: [caCert], commonName: "", isOptional: !needsCertificates };
  const tls: NodeTls = {
    server: { ...await shown("server"), clients, sharesPort: true },
    refusesPlain: needsCertificates,
    serverName: NAME,
  };
  const addr = `127.0.0.1:${freePort()}`;
  const lines: string[] = [];
  const listener = await Listener.open([addr], {
    tls,
    hello: () => HELLO,
    refuse: () => undefined,
    onHello: () => {},
    onGossip: async (connection, first) => {
      connection.sendRaw(first);
      await connection.drained();
    },
    onMessages: () => {},
    onCall: ({ method }) => Promise.resolve({ head: { method }, body: new Uint8Array(0) }),
    log: (line) => lines.push(line),
  });
  try {
    await work(addr, trusts, lines);
  } finally {
    listener.close();
    await Deno.remove(root, { recursive: true });
  }
}

function raft(addr: string, trust: TlsTrust | undefined) {
  return openStream(addr, { ...HELLO, purpose: "raft" }, { timeoutMs: 10_000, frameBytesMax: 1024, trust });
}

async function called(addr: string, method: string, trust: TlsTrust | undefined): Promise<unknown> {
  const client = new RpcClient(() => HELLO, {
    frameBytesMax: 1024,
    connectTimeoutMs: 10_000,
    trust: () => trust,
  });
  try {
    return (await client.call(addr, method, {}, { timeoutMs: 10_000 })).head.method;
  } finally {
    client.close();
  }
}

/** What memberlist's port says to a stream of gossip, without TLS. */
async function gossip(addr: string): Promise<number[]> {
  const [hostname, port] = addr.split(":");
  using conn = await Deno.connect({ hostname, port: Number(port) });
  await conn.write(new Uint8Array([6, 1, 2, 3, 4, 5, 6, 7]));
  const chunk = new Uint8Array(100);
  const count = await conn.read(chunk);
  return [...chunk.subarray(0, count ?? 0)];
}

// A closed connection of TLS ends a second later.
const LATE = { sanitizeResources: false, sanitizeOps: false };

Deno.test({
  name: "only a server's certificate replicates; another one forwards, and gossip goes on without TLS",
  ...LATE,
  fn: () =>
    withPort({ needsCertificates: true }, async (addr, { server, client, none }, lines) => {
      const stream = await raft(addr, server);
      assertEquals(stream.peer.id, "1");
      stream.connection.close();
      await assertRejects(() => raft(addr, client), Error, `it has shown no certificate for "${NAME}"`);
      assertEquals(await called(addr, "http", client), "http");
      assertEquals(await called(addr, "operation", client), "operation");
      assertEquals(await called(addr, "meta", client), "meta");
      assertEquals(await called(addr, "join", server), "join");
      for (const method of ["join", "remove", "notify", "snapshotBegin"]) {
        await assertRejects(() => called(addr, method, client), Error, `"${method}" needs the certificate of a server`);
      }
      await assertRejects(() => called(addr, "http", none));
      await until(
        "a line about it",
        () => lines.some((line) => line.includes("has shown no certificate")) || undefined,
      );
      for (const purpose of ["raft", "rpc"]) {
        const plain = purpose === "raft" ? raft(addr, undefined) : called(addr, "http", undefined);
        await assertRejects(() => plain, Error, "Non-TLS connection attempted with verify_incoming set");
      }
      assertEquals((await gossip(addr))[0], 6);
    }),
});

Deno.test({
  name: "without verify_incoming nobody needs a certificate to forward, and servers still need theirs to replicate",
  ...LATE,
  fn: () =>
    withPort({ needsCertificates: false }, async (addr, { server, client, none }) => {
      for (const trust of [undefined, none, client, server]) {
        assertEquals(await called(addr, "http", trust), "http");
      }
      for (const trust of [undefined, none, client]) {
        await assertRejects(() => raft(addr, trust), Error, `it has shown no certificate for "${NAME}"`);
        await assertRejects(() => called(addr, "join", trust), Error, "needs the certificate of a server");
      }
      (await raft(addr, server)).connection.close();
    }),
});
