/**
 * The Worker of `generator.ts`: takes one `Load`, answers with its `LoadResult`.
 * @module
 */
import { workerScope } from "../../src/base/worker/worker_scope.ts";
import type { Load, LoadResult } from "./load.ts";

const READ_BYTES = 65_536;
const HEAD_END = "\r\n\r\n";
const LAST_CHUNK = "0\r\n\r\n";

/** One answer, as far as it is looked at. */
interface Answer {
  readonly status: number;
  readonly text: string;
}

/** A connection that waits for each answer before it sends again; there is never more than one answer to read. */
class Connection {
  readonly #socket: Deno.TcpConn;
  readonly #buffer = new Uint8Array(READ_BYTES);

  constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
    socket.setNoDelay(true);
  }

  async exchange(request: Uint8Array): Promise<Answer> {
    for (let sent = 0; sent < request.length;) sent += await this.#socket.write(request.subarray(sent));
    let text = "";
    let wanted: number | undefined; // characters are bytes in latin1
    let isChunked = false;
    const decoder = new TextDecoder("latin1");
    while (wanted === undefined || text.length < wanted) {
      const count = await this.#socket.read(this.#buffer);
      if (count === null) throw new Error("the connection was closed");
      text += decoder.decode(this.#buffer.subarray(0, count), { stream: true });
      const head = text.indexOf(HEAD_END);
      if (head < 0) continue;
      if (wanted === undefined && !isChunked) {
        const [, length] = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, head + 2)) ?? [];
        if (length !== undefined) wanted = head + HEAD_END.length + Number(length);
        else isChunked = true;
      }
      if (isChunked && text.endsWith(LAST_CHUNK)) wanted = text.length;
    }
    return { status: Number(text.slice(9, 12)), text };
  }

  close(): void {
    this.#socket.close();
  }
}

async function run({ url, bodies, connections, seconds }: Load): Promise<LoadResult> {
  const { hostname, port, pathname, search, host } = new URL(url);
  const encoder = new TextEncoder();
  const head = (method: string) => `${method} ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\n`;
  const requests = bodies.map((body) =>
    encoder.encode(
      `${head("POST")}Content-Type: application/json\r\nContent-Length: ${encoder.encode(body).length}\r\n\r\n${body}`,
    )
  );
  if (requests.length === 0) requests.push(encoder.encode(`${head("GET")}\r\n`));

  const latencies: number[] = [];
  let next = 0;
  let failures = 0;
  let firstFailure = "";
  const started = performance.now();
  const deadline = started + seconds * 1000;
  const fail = (what: string) => {
    if (failures++ === 0) firstFailure = what;
  };
  const client = async () => {
    let connection: Connection | undefined;
    try {
      connection = new Connection(await Deno.connect({ hostname, port: Number(port) }));
      while (performance.now() < deadline) {
        const sent = performance.now();
        const { status, text } = await connection.exchange(requests[next++ % requests.length]);
        latencies.push(performance.now() - sent);
        if (status < 200 || status > 299 || text.includes('"error"')) fail(text.slice(0, 300));
      }
    } catch (error) {
      fail(String(error));
    } finally {
      connection?.close();
    }
  };
  await Promise.all(Array.from({ length: connections }, client));
  const elapsedSeconds = (performance.now() - started) / 1000;
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  return {
    requests: latencies.length,
    perSecond: Math.max(0, latencies.length - failures) / elapsedSeconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    failures,
    firstFailure,
  };
}

const scope = workerScope<Load, LoadResult>();
scope.onmessage = async ({ data }) => scope.postMessage(await run(data));
