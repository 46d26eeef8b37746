/** The Worker of checks, with the permissions that it has in a node. */
import { assert, assertEquals } from "@std/assert";
import type {
  CheckOutcome,
  CheckResult,
  FromChecks,
  RunnableCheck,
  ToChecks,
} from "../../../src/drivers/checks/api.ts";
import type { IntervalKind } from "../../../src/core/health/check_kind.ts";
import { lineTo, spawn } from "../../../src/program/node/spawn.ts";

const INITIAL: CheckOutcome = { status: "critical", output: "" };
const SCOPE = {
  raftDirectory: "/nowhere",
  sqliteDirectory: "/nowhere",
  gossipDirectory: "/nowhere",
  uploads: { net: [], directories: [] },
  cdc: { net: [], files: [] },
  otlp: { net: [] },
  serviceManager: { sockets: [], directory: "/nowhere" },
  httpAddrs: [],
  httpsAddrs: [],
  discoveryAddrs: [],
  sqliteLibrary: "/nowhere",
};

function check(id: string, kind: IntervalKind): RunnableCheck {
  return {
    id,
    kind,
    intervalMs: 1000,
    timeoutMs: 2000,
    successBeforePassing: 0,
    failuresBeforeWarning: 0,
    failuresBeforeCritical: 0,
    outputBytesMax: 4096,
  };
}

/** A Worker, and its results by ID as they come. */
class ChecksWorker implements Disposable {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #deaths: string[] = [];
  readonly results: CheckResult[] = [];
  #wake = () => {};

  constructor(runsScripts: boolean) {
    this.#worker = spawn(
      "checks",
      { ...SCOPE, runsScripts, runsHandlers: false },
      (message) => this.#deaths.push(message),
      "error",
    );
    this.#port = lineTo(this.#worker);
    this.#port.onmessage = ({ data }: MessageEvent<FromChecks>) => {
      this.results.push(...data.results);
      this.#wake();
    };
  }

  tell(message: ToChecks): void {
    this.#port.postMessage(message);
  }

  start(id: string, kind: IntervalKind, initial = INITIAL): void {
    this.tell({ k: "start", check: check(id, kind), initial });
  }

  /** The first results of so many checks. */
  async firsts(count: number): Promise<Record<string, CheckResult>> {
    const found = () => Object.fromEntries(this.results.toReversed().map((result) => [result.id, result]));
    while (Object.keys(found()).length < count) await new Promise<void>((resolve) => this.#wake = resolve);
    assertEquals(this.#deaths, []);
    return found();
  }

  [Symbol.dispose](): void {
    this.#port.close();
    this.#worker.terminate();
  }
}

Deno.test("the checks Worker runs every kind, with no right but the network and programs", async () => {
  using worker = new ChecksWorker(true);
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => new Response("hi"));
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${server.addr.port}`;
  const udp = `127.0.0.1:${"port" in socket.addr ? socket.addr.port : 0}`;
  const tls = { tlsServerName: "", tlsSkipVerify: true };
  const url = `http://localhost:${server.addr.port}/`;
  const http = { k: "http", method: "GET", headers: {}, body: "", disableRedirects: false, ...tls } as const;
  try {
    worker.start("http", { ...http, url });
    worker.start("https", { ...http, url: url.replace("http:", "https:") });
    worker.start("tcp", { k: "tcp", address, useTls: false, ...tls });
    worker.start("udp", { k: "udp", address: udp });
    worker.start("udp by name", { k: "udp", address: udp.replace("127.0.0.1", "localhost") });
    worker.start("grpc", { k: "grpc", address, service: "", useTls: false, ...tls });
    worker.start("h2ping", { k: "h2ping", address, useTls: false, ...tls });
    worker.start("h2ping tls", { k: "h2ping", address, useTls: true, ...tls });
    worker.start("script", { k: "script", args: ["id; echo $PATH"], shell: "/bin/sh" });
    worker.start("known", { k: "tcp", address, useTls: false, ...tls }, {
      status: "passing",
      output: `TCP connect ${address}: Success`,
    });
    const found = await worker.firsts(9);
    const statuses = Object.fromEntries(Object.entries(found).map(([id, { status }]) => [id, status]));
    assertEquals(statuses, {
      http: "passing",
      https: "critical",
      tcp: "passing",
      udp: "passing",
      "udp by name": "passing",
      grpc: "critical", // the server has HTTP/2, and no gRPC
      h2ping: "passing",
      "h2ping tls": "critical",
      script: "passing",
    });
    assertEquals(found.http.output, `HTTP GET ${url}: 200 OK Output: hi`);
    for (const id of ["https", "h2ping tls"]) {
      assert(!/permission|NotCapable|access/i.test(found[id].output), found[id].output);
    }
  } finally {
    socket.close();
    await server.shutdown();
  }
});

Deno.test("the checks Worker reports a change within its interval, and nothing of what is stopped", async () => {
  using worker = new ChecksWorker(false);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const kind: IntervalKind = {
    k: "tcp",
    address: `127.0.0.1:${listener.addr.port}`,
    useTls: false,
    tlsServerName: "",
    tlsSkipVerify: false,
  };
  worker.start("stopped", kind);
  worker.tell({ k: "stop", id: "stopped" });
  worker.start("a", kind);
  await worker.firsts(1);
  listener.close();
  worker.results.length = 0;
  const { a } = await worker.firsts(1);
  assertEquals([a.status, a.output], ["critical", `dial tcp ${kind.address}: connect: connection refused`]);
});

Deno.test("the checks Worker runs no program where scripts are not allowed, and says so", async () => {
  using worker = new ChecksWorker(false);
  worker.start("script", { k: "script", args: ["true"] });
  const { script } = await worker.firsts(1);
  assertEquals(script.status, "critical");
  assert(script.output.includes("run"), script.output);
});

Deno.test("the checks Worker ends its programs when it is closed, and stops those of checks that are stopped", async () => {
  using worker = new ChecksWorker(true);
  const [stopped, closed] = ["6", "7"].map((digit) => `sleep ${digit}${Math.floor(Math.random() * 1e6)}`);
  worker.start("stopped", { k: "script", args: stopped.split(" ") });
  worker.start("closed", { k: "script", args: [`${closed}; true`], shell: "/bin/sh" });
  while (await processes(stopped) < 1 || await processes(closed) < 2) { /* until they run, the second in a shell */ }
  worker.tell({ k: "stop", id: "stopped" });
  while (await processes(stopped) > 0) { /* until it has ended */ }
  assertEquals(await processes(closed), 2);
  worker.tell({ k: "close" });
  while (await processes(closed) > 0) { /* until they have ended */ }
});

/** Processes whose command line has `word`. */
async function processes(word: string): Promise<number> {
  const { stdout } = await new Deno.Command("ps", { args: ["-eo", "args"] }).output();
  return new TextDecoder().decode(stdout).split("\n").filter((args) => args.includes(word)).length;
}
