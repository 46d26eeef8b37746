/**
 * The UDP sockets of one listening address. An answer has to leave from the address that was asked, or it is dropped by
 * the asker (RFC 2181 §4.1). The system chooses the address from which a wildcard socket sends, and the runtime has no
 * way to tell it another: so each address of the machine has a socket of its own beside the wildcard one, which takes what
 * comes to an address that was not known when the agent started.
 * @module
 */
import { parseIp } from "../../base/codec/ip.ts";

/** Wildcard addresses. */
const ANY = ["0.0.0.0", "::"];

/** A socket. */
export interface UdpSocket {
  readonly conn: Deno.DatagramConn;
  /** Whether its answers may leave from another address than the one that was asked. */
  readonly mayMisanswer: boolean;
}

/**
 * Opens the sockets of `hostname`.
 * @param machine Addresses of this machine.
 * @throws {Error} When the address is not free; one of the machine's that cannot be had is left to the wildcard socket.
 */
export function openUdp(hostname: string, port: number, machine: readonly string[]): UdpSocket[] {
  const isAny = ANY.includes(hostname) && Deno.build.os !== "windows"; // where sockets of one port cannot be told apart
  const conn = Deno.listenDatagram({ transport: "udp", hostname, port, reuseAddress: isAny });
  const sockets: UdpSocket[] = [{ conn, mayMisanswer: ANY.includes(hostname) }];
  if (!isAny) return sockets;
  for (const own of ownAddresses(hostname, machine)) {
    try {
      const conn = Deno.listenDatagram({ transport: "udp", hostname: own, port, reuseAddress: true });
      sockets.push({ conn, mayMisanswer: false });
    } catch {
      // an address that is being taken away or is not ready yet
    }
  }
  return sockets;
}

/** Addresses that a wildcard covers. Those of a link alone need a scope, which a socket here cannot have. */
function ownAddresses(hostname: string, machine: readonly string[]): readonly string[] {
  return [...new Set(machine)].filter((address) => {
    const bytes = parseIp(address);
    if (!bytes || bytes.every((byte) => byte === 0)) return false;
    return bytes.length === 4 || hostname === "::" && !(bytes[0] === 0xfe && (bytes[1] & 0xc0) === 0x80);
  });
}
