/** Checks of TCP and UDP. */
import { assertEquals, assertRejects } from "@std/assert";
import { checkTcp } from "../../../src/drivers/checks/tcp.ts";
import { checkUdp } from "../../../src/drivers/checks/udp.ts";
import { CannedServer, endless, freePort } from "./canned_server.ts";

function tcp(address: string): Promise<unknown> {
  return checkTcp({ k: "tcp", address, useTls: false, tlsServerName: "", tlsSkipVerify: false }, endless());
}

function udp(address: string): Promise<unknown> {
  return checkUdp({ k: "udp", address }, endless());
}

async function fault(check: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => check, Error)).message;
}

Deno.test("a TCP check is passing when it connects", async () => {
  using server = new CannedServer(() => Promise.resolve());
  const output = (address: string) => ({ status: "passing", output: `TCP connect ${address}: Success` });
  for (const address of [server.address, `localhost:${server.port}`, `:${server.port}`]) {
    assertEquals(await tcp(address), output(address));
  }
});

Deno.test("a TCP check is critical when it cannot connect, and says why", async () => {
  const address = `127.0.0.1:${freePort()}`;
  assertEquals(await fault(tcp(address)), `dial tcp ${address}: connect: connection refused`);
  assertEquals(
    await fault(tcp("localhost")),
    'dial tcp localhost: Cannot use "localhost" as an address: expected host:port',
  );
  assertEquals((await fault(tcp("name.invalid:1"))).startsWith("dial tcp name.invalid:1: "), true);
});

Deno.test("a UDP check of this machine is passing where somebody listens, and critical where nobody does", async () => {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const port = "port" in socket.addr ? socket.addr.port : 0;
  try {
    for (const address of [`127.0.0.1:${port}`, `localhost:${port}`, `:${port}`]) {
      assertEquals(await udp(address), { status: "passing", output: `UDP connect ${address}: Success` });
      const [bytes] = await socket.receive();
      assertEquals(bytes.length, 0);
    }
  } finally {
    socket.close();
  }
  const address = `127.0.0.1:${port}`;
  assertEquals(await fault(udp(address)), `dial udp ${address}: connect: connection refused`);
});

Deno.test("a UDP check sees a socket that listens at every address", async () => {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port: 0 });
  const port = "port" in socket.addr ? socket.addr.port : 0;
  try {
    assertEquals(await udp(`127.0.0.1:${port}`), {
      status: "passing",
      output: `UDP connect 127.0.0.1:${port}: Success`,
    });
  } finally {
    socket.close();
  }
});

Deno.test("a UDP check is critical where its address is none", async () => {
  assertEquals((await fault(udp("name.invalid:1"))).startsWith("dial udp name.invalid:1: "), true);
  assertEquals(await fault(udp("x")), 'dial udp x: Cannot use "x" as an address: expected host:port');
});
