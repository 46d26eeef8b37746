/**
 * Upstream DNS servers (C8.6). They are asked one after the other, by the protocol of the question, each with a
 * timeout. An answer or NXDOMAIN is passed through unchanged; after anything else the next server is asked.
 * @module
 */
import { splitAddress } from "../../base/codec/address.ts";
import { parseIp } from "../../base/codec/ip.ts";
import type { NameServerSettings } from "./api.ts";
import { readExactly } from "../../base/net/read_exactly.ts";

/** How a question came. */
export type Protocol = "udp" | "tcp";

const NOERROR = 0;
const NXDOMAIN = 3;

/** The answer of the first server that has one; undefined when none has. */
export async function askRecursors(
  query: Uint8Array,
  protocol: Protocol,
  { recursors, recursorStrategy, recursorTimeoutMs }: NameServerSettings,
): Promise<Uint8Array | undefined> {
  const order = recursorStrategy === "random"
    ? recursors.map((addr) => ({ addr, at: Math.random() })).sort((a, b) => a.at - b.at).map(({ addr }) => addr)
    : recursors;
  for (const addr of order) {
    try {
      const ask = protocol === "udp" ? askUdp : askTcp;
      const answer = await ask(query, addr, recursorTimeoutMs);
      const rcode = answer[3] & 15;
      if (rcode === NOERROR || rcode === NXDOMAIN) return answer;
    } catch {
      // the next one
    }
  }
  return undefined;
}

/** Takes the answer from the server that was asked, with the id that was asked by, and nothing else. */
async function askUdp(query: Uint8Array, addr: string, timeoutMs: number): Promise<Uint8Array> {
  const { hostname, port } = splitAddress(addr);
  const asked = parseIp(hostname);
  const any = hostname.includes(":") ? "::" : "0.0.0.0";
  const socket = Deno.listenDatagram({ transport: "udp", hostname: any, port: 0 });
  const timer = setTimeout(() => socket.close(), timeoutMs);
  try {
    await socket.send(query, { transport: "udp", hostname, port });
    for (;;) {
      const [answer, from] = await socket.receive();
      const isFrom = from.transport === "udp" && from.port === port && isAt(from.hostname, asked);
      if (isFrom && isAnswerTo(answer, query)) return answer.slice();
    }
  } finally {
    clearTimeout(timer);
    try {
      socket.close();
    } catch {
      // the timer did
    }
  }
}

/** Which address a name stands for is the system's to know. */
function isAt(address: string, asked: Uint8Array | undefined): boolean {
  const bytes = parseIp(address);
  return asked === undefined || bytes !== undefined && bytes.join() === asked.join();
}

async function askTcp(query: Uint8Array, addr: string, timeoutMs: number): Promise<Uint8Array> {
  const { hostname, port } = splitAddress(addr);
  const conn = await Deno.connect({ hostname, port, signal: AbortSignal.timeout(timeoutMs) });
  const timer = setTimeout(() => conn.close(), timeoutMs);
  try {
    const framed = new Uint8Array(2 + query.length);
    framed.set([query.length >> 8, query.length & 0xff]);
    framed.set(query, 2);
    for (let written = 0; written < framed.length;) written += await conn.write(framed.subarray(written));
    const length = await readExactly(conn, 2);
    const answer = length && await readExactly(conn, length[0] << 8 | length[1]);
    if (!answer || !isAnswerTo(answer, query)) throw new Error(`${addr} gave no answer`);
    return answer;
  } finally {
    clearTimeout(timer);
    try {
      conn.close();
    } catch {
      // the timer did
    }
  }
}

function isAnswerTo(answer: Uint8Array, query: Uint8Array): boolean {
  return answer.length >= 12 && answer[0] === query[0] && answer[1] === query[1] && (answer[2] & 0x80) !== 0;
}
