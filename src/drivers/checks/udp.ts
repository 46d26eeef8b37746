/**
 * Checks that send a datagram.
 *
 * Consul connects its socket, so that the system tells it when the port of the other end is unreachable. The runtime has
 * no connected UDP sockets, and others are not told. Where the other end is on this machine, which is what agents usually
 * check, the port is tried instead: one that can be bound has nobody who listens there. A program that binds the port just
 * then, for some microseconds, finds it in use. A port below 1024 cannot be tried without the right to bind it.
 *
 * Of a port on another machine only this is known: its name has an address, and the datagram can be sent. As both an answer
 * and silence are passing, nothing is waited for.
 * @module
 */
import { splitAddress } from "../../base/codec/address.ts";
import type { UdpKind } from "../../core/health/check_kind.ts";
import { dialFault } from "./dial.ts";
import type { RunContext, RunResult } from "./runner.ts";

const ADDRESS = /^[\d.]+$|:/;
/** What the addresses stand for that are none of a machine, as in Go. */
const LOOPBACK: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/** Sends an empty datagram: passing unless that fails, or nobody listens at a port of this machine. */
export async function checkUdp({ address }: UdpKind, { signal }: RunContext): Promise<RunResult> {
  try {
    const { hostname: host, port } = splitAddress(address);
    const hostname = ADDRESS.test(host) ? LOOPBACK[host] ?? host : await addressOf(host);
    signal.throwIfAborted();
    if (isFree(hostname, port)) throw new Deno.errors.ConnectionRefused();
    const socket = Deno.listenDatagram({
      transport: "udp",
      hostname: hostname.includes(":") ? "::" : "0.0.0.0",
      port: 0,
    });
    try {
      await socket.send(new Uint8Array(0), { transport: "udp", hostname, port });
    } finally {
      socket.close();
    }
  } catch (error) {
    signal.throwIfAborted();
    throw new Error(`dial udp ${address}: ${dialFault(error)}`, { cause: error });
  }
  return { status: "passing", output: `UDP connect ${address}: Success` };
}

async function addressOf(name: string): Promise<string> {
  const { lookup } = await import("node:dns/promises");
  return (await lookup(name)).address;
}

/** Whether this is a port of this machine that nobody listens at. */
function isFree(hostname: string, port: number): boolean {
  try {
    Deno.listenDatagram({ transport: "udp", hostname, port }).close();
    return port !== 0;
  } catch {
    return false; // in use, of another machine, or not allowed
  }
}
