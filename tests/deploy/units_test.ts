/**
 * The systemd units, as systemd would use them: what they start comes up, is told to reload, and is stopped by SIGTERM with an
 * exit code that counts as success.
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { deadline } from "@std/async/deadline";
import { freePort, musterCommand, until } from "../harness/processes.ts";
import { withDirectory } from "../harness/directory.ts";

/** The watchdog's period in the tests. */
const WATCHDOG_USEC = 300_000;
/** Whatever is told, is told by then. */
const TOLD_MS = 60_000;

/** A unit's settings; each may be given several times. */
type Unit = ReadonlyMap<string, readonly string[]>;

async function readUnit(name: string): Promise<Unit> {
  const unit = new Map<string, string[]>();
  for (const line of (await Deno.readTextFile(new URL(`../../scripts/${name}`, import.meta.url))).split("\n")) {
    const [, key, value] = /^([A-Za-z]+)=(.*)$/.exec(line) ?? [];
    if (key) unit.set(key, [...unit.get(key) ?? [], value]);
  }
  return unit;
}

const one = (unit: Unit, key: string): string => unit.get(key)?.at(-1) ?? "";

/** A command line of a unit, its words with variables replaced as systemd replaces them: `$X` becomes several words. */
function wordsOf(line: string, variables: Readonly<Record<string, string>>): string[] {
  return line.split(" ").flatMap((word) => word.startsWith("$") ? (variables[word.slice(1)] ?? "").split(" ") : [word])
    .filter((word) => word !== "");
}

/** What a service tells systemd. */
class ServiceManager {
  readonly path: string;
  readonly #socket: Deno.DatagramConn;

  constructor(path: string) {
    this.path = path;
    this.#socket = Deno.listenDatagram({ transport: "unixpacket", path });
  }

  /** Waits until a message has this line; those before it are skipped. */
  async told(line: string): Promise<void> {
    for (;;) {
      const [bytes] = await this.#socket.receive();
      if (new TextDecoder().decode(bytes).split("\n").includes(line)) return;
    }
  }

  close(): void {
    this.#socket.close();
  }
}

/** Runs a unit's service with `flags`, until `use` is done with it; its exit code. */
async function withService(
  name: string,
  { root, flags }: { root: string; flags: string },
  use: (
    service: { unit: Unit; pid: number; said: () => string; told: (line: string) => Promise<void> },
  ) => Promise<void>,
): Promise<{ unit: Unit; code: number }> {
  const unit = await readUnit(name);
  const { command, args } = musterCommand();
  const [program, ...words] = wordsOf(one(unit, "ExecStart"), { MUSTER_FLAGS: flags });
  assertEquals(program, "/usr/local/bin/muster");
  assertEquals(one(unit, "Type"), "notify");
  assert(Number(one(unit, "WatchdogSec")) > 0);
  const manager = new ServiceManager(`${root}/notify`);
  const placed = words.map((word) => word.replace(/\/(?:var\/lib|etc)\//, `${root}/`));
  const child = new Deno.Command(command, {
    args: [...args, ...placed],
    env: { NOTIFY_SOCKET: manager.path, WATCHDOG_USEC: String(WATCHDOG_USEC) },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  })
    .spawn();
  let said = "";
  const collect = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) said += text;
  };
  const output = Promise.all([collect(child.stdout), collect(child.stderr)]);
  try {
    await deadline(manager.told("READY=1"), TOLD_MS);
    for (let times = 0; times < 3; times++) await deadline(manager.told("WATCHDOG=1"), TOLD_MS);
    await use({ unit, pid: child.pid, said: () => said, told: (line) => deadline(manager.told(line), TOLD_MS) });
  } finally {
    child.kill("SIGTERM");
  }
  await deadline(manager.told("STOPPING=1"), TOLD_MS);
  const { code } = await child.status;
  await output;
  manager.close();
  return { unit, code };
}

/** Codes after which systemd takes a service that it stopped for well. */
function goodCodes(unit: Unit): number[] {
  return [0, ...(unit.get("SuccessExitStatus") ?? []).flatMap((codes) => codes.split(" ").map(Number))];
}

Deno.test("muster.service serves, and stops in order", () =>
  withDirectory(async (root) => {
    const [http, raft] = [freePort(), freePort()];
    const flags = `-http-addr=127.0.0.1:${http} -raft-addr=127.0.0.1:${raft}`;
    const { unit, code } = await withService("muster.service", { root, flags }, async ({ told }) => {
      await until("it is ready", async () => {
        const response = await fetch(`http://127.0.0.1:${http}/readyz`);
        await response.body?.cancel();
        return response.ok || undefined;
      });
      await told("STATUS=leader");
    });
    assert(goodCodes(unit).includes(code), `exit code ${code}`);
    assertEquals(one(unit, "StateDirectory"), "muster");
    assert((await Deno.stat(`${root}/muster`)).isDirectory);
  }));

for (const [kind, role, expected] of [["client", "", 0], ["server", " -server -bootstrap-expect=1", 1]] as const) {
  Deno.test(`muster-agent.service runs a ${kind}, reloads its settings, and stops in order`, () =>
    withDirectory(async (root) => {
      const settings = `${root}/muster.d/settings.json`;
      await Deno.mkdir(`${root}/muster.d`);
      await Deno.writeTextFile(settings, `{"node_name":"unit","node_meta":{"rack":"a"}}`);
      const [http, dns, lan] = [freePort(), freePort(), freePort()];
      const flags = `-bind=127.0.0.1 -http-port=${http} -dns-port=${dns} -serf-lan-port=${lan}${role}`;
      const metaIs = (rack: string) =>
        until(`rack ${rack}`, async () => {
          const self = await (await fetch(`http://127.0.0.1:${http}/v1/agent/self`)).json();
          return self.Config.NodeName === "unit" && self.Meta.rack === rack || undefined;
        });
      const { unit, code } = await withService("muster-agent.service", { root, flags }, async ({ unit, pid }) => {
        await metaIs("a");
        await Deno.writeTextFile(settings, `{"node_name":"unit","node_meta":{"rack":"b"}}`);
        const [program, ...words] = wordsOf(one(unit, "ExecReload"), { MAINPID: String(pid) });
        assert((await new Deno.Command(program, { args: words }).output()).success);
        await metaIs("b");
      });
      assertEquals(code, expected);
      assert(goodCodes(unit).includes(code), `exit code ${code}`);
      assertEquals([one(unit, "StateDirectory"), one(unit, "ConfigurationDirectory")], ["muster-agent", "muster.d"]);
      assertMatch(await Deno.readTextFile(`${root}/muster-agent/node.json`), /"nodeId": "[0-9a-f-]{36}"/);
    }));
}
