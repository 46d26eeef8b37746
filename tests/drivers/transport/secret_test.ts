/** The shared secret on a connection: who gets in, and that nobody on the way can change what follows. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { ByteWriter } from "../../../src/base/codec/cursor.ts";
import { writeFrame } from "../../../src/base/codec/frame.ts";
import { Connection } from "../../../src/drivers/transport/connection.ts";
import { Listener } from "../../../src/drivers/transport/listener.ts";
import { openStream } from "../../../src/drivers/transport/rpc.ts";
import { ClusterSecret } from "../../../src/drivers/transport/secret.ts";
import { FRAME, PREAMBLE, writeRpc } from "../../../src/drivers/transport/wire.ts";
import { freePort, until } from "../../harness/processes.ts";
import { STRANGER } from "../../harness/stranger.ts";

const A = "the first secret of the cluster";
const B = "the second secret of the cluster";

function secretOf(texts: readonly string[], isOptional = false): ClusterSecret | undefined {
  return ClusterSecret.of({ texts, isOptional });
}

function dial(addr: string, secret: ClusterSecret | undefined) {
  return openStream(addr, STRANGER, { timeoutMs: 10_000, frameBytesMax: 1024 * 1024, secret });
}

/** Runs `body` against a listener that notes calls and log lines. */
async function withListener(
  secret: ClusterSecret | undefined,
  body: (parts: { addr: string; calls: string[]; lines: string[] }) => Promise<void>,
): Promise<void> {
  const addr = `127.0.0.1:${freePort()}`;
  const [calls, lines]: string[][] = [[], []];
  const listener = await Listener.open([addr], {
    hello: () => STRANGER,
    secret,
    refuse: () => undefined,
    onHello: () => {},
    onMessages: () => {},
    onCall: ({ method }) => {
      calls.push(method);
      return Promise.resolve({ head: {}, body: new Uint8Array(0) });
    },
    log: (line) => lines.push(line),
  });
  try {
    await body({ addr, calls, lines });
  } finally {
    listener.close();
  }
}

/** Somebody between a caller and `addr`, who may change each piece that the caller sends; gives the address to call. */
async function withAttacker(
  addr: string,
  change: (piece: Uint8Array, count: number) => readonly Uint8Array[],
  body: (addr: string) => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open: Deno.Conn[] = [];
  const relaying = (async () => {
    const caller = await listener.accept();
    const [hostname, port] = addr.split(":");
    const answerer = await Deno.connect({ hostname, port: Number(port) });
    open.push(caller, answerer);
    const back = answerer.readable.pipeTo(caller.writable).catch(() => {});
    const buffer = new Uint8Array(65536);
    for (let count = 0, read; (read = await caller.read(buffer).catch(() => null)) !== null; count++) {
      for (const piece of change(buffer.slice(0, read), count)) await answerer.write(piece).catch(() => {});
    }
    try {
      answerer.close();
    } catch {
      // closed by the pipe
    }
    await back;
  })();
  try {
    await body(`127.0.0.1:${listener.addr.port}`);
  } finally {
    listener.close();
    for (const conn of open) {
      try {
        conn.close();
      } catch {
        // closed already
      }
    }
    await relaying.catch(() => {});
  }
}

function call(connection: Connection, method: string): void {
  connection.send((writer) => writeRpc(writer, FRAME.call, { id: 1, method, head: {}, body: new Uint8Array(0) }));
}

const CHANGES: Record<string, (piece: Uint8Array) => readonly Uint8Array[]> = {
  altered: (piece) => [piece.with(piece.length - 20, piece[piece.length - 20] ^ 1)],
  repeated: (piece) => [piece, piece],
  "left out": () => [],
};

for (const [kind, change] of Object.entries(CHANGES)) {
  Deno.test(`a call that is ${kind} on the way ends the connection, and the log says why`, () =>
    withListener(secretOf([A]), async ({ addr, calls, lines }) => {
      const attack = { isOn: false };
      await withAttacker(addr, (piece) => {
        if (!attack.isOn) return [piece];
        attack.isOn = false;
        return change(piece);
      }, async (between) => {
        const { connection } = await dial(between, secretOf([A]));
        call(connection, "before");
        assertEquals((await connection.read())?.kind, FRAME.reply);
        attack.isOn = true;
        call(connection, "attacked");
        await until("the attack is over", () => !attack.isOn || undefined);
        call(connection, "after");
        while (await connection.read() !== undefined);
        connection.close();
      });
      assertEquals(calls, kind === "repeated" ? ["before", "attacked"] : ["before"]);
      assertMatch(lines.join("\n"), /the next record of this session: bytes were altered, added, repeated or left out/);
    }));
}

Deno.test("frames that somebody adds after the proof, in the plain form, are not taken", () =>
  withListener(secretOf([A]), async ({ addr, calls, lines }) => {
    const added = new ByteWriter();
    writeRpc(added, FRAME.call, { id: 1, method: "added", head: {}, body: new Uint8Array(0) });
    for (const inOnePiece of [true, false]) {
      await withAttacker(addr, (piece) => {
        if (piece[8] !== FRAME.proof) return [piece];
        return inOnePiece ? [new Uint8Array([...piece, ...added.view()])] : [piece, added.view()];
      }, async (between) => {
        const stream = await dial(between, secretOf([A])).catch(() => undefined);
        if (!stream) return;
        call(stream.connection, "after"); // what was added looks like the beginning of a record
        while (await stream.connection.read() !== undefined);
        stream.connection.close();
      });
    }
    assertEquals(calls, []);
    assertEquals(lines.length, 2);
    assertMatch(lines.join("\n"), /records after the proof|the next record of this session/);
  }));

Deno.test("nodes with several keys meet with the first that both have, and renewed ones count for new connections", () => {
  const own = secretOf([A]);
  return withListener(own, async ({ addr }) => {
    (await dial(addr, secretOf([B, A]))).connection.close();
    await assertRejects(() => dial(addr, secretOf([B])), Error, "the cluster secret is another one");
    own?.renew([B, A]);
    (await dial(addr, secretOf([B]))).connection.close();
    (await dial(addr, secretOf([A]))).connection.close();
    own?.renew([B]);
    await assertRejects(() => dial(addr, secretOf([A])), Error, "the cluster secret is another one");
  });
});

Deno.test("while the secret is optional nodes with it and without it meet, and those that both have it are sealed", async () => {
  await withListener(secretOf([A], true), async ({ addr }) => {
    for (const secret of [undefined, secretOf([A]), secretOf([A], true)]) (await dial(addr, secret)).connection.close();
    await assertRejects(() => dial(addr, secretOf([B], true)), Error, "the cluster secret is another one");
  });
  await withListener(undefined, async ({ addr }) => {
    (await dial(addr, secretOf([A], true))).connection.close();
    await assertRejects(() => dial(addr, secretOf([A])), Error, "does not ask for the cluster secret");
  });
  await withListener(secretOf([A]), async ({ addr }) => {
    (await dial(addr, secretOf([A], true))).connection.close();
    await assertRejects(() => dial(addr, undefined), Error, "this cluster has a secret");
  });
});

Deno.test("a node of an older version, which binds no frames to the session, is told to be upgraded", async () => {
  await withListener(secretOf([A]), async ({ addr, lines }) => {
    const connection = await Connection.dial(addr, { timeoutMs: 10_000, frameBytesMax: 1024 });
    connection.sendRaw(PREAMBLE);
    const hello = new TextEncoder().encode(JSON.stringify({ ...STRANGER, number: "bnVtYmVy" }));
    connection.send((writer) => writeFrame(writer, FRAME.hello, (payload) => payload.raw(hello)));
    const frame = await connection.read();
    assertEquals(frame?.kind, FRAME.refused);
    assertMatch(
      new TextDecoder().decode(frame?.payload),
      /older version \(.*\), which does not bind frames.*upgrade it/,
    );
    connection.close();
    await until("the line in the log", () => lines.some((line) => line.includes("older version")) || undefined);
  });
  const older = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    const connection = new Connection(await older.accept(), 16_384);
    await connection.readRaw(PREAMBLE.length);
    await connection.read();
    connection.send((writer) => writeFrame(writer, FRAME.challenge, (payload) => payload.raw(new Uint8Array(64))));
    assert(await connection.read() === undefined);
    connection.close();
  })();
  await assertRejects(() => dial(`127.0.0.1:${older.addr.port}`, secretOf([A])), Error, "is of an older version");
  await serving;
  older.close();
});
