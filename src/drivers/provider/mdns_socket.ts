/**
 * Sockets of multicast DNS on one link. Those that listen are bound to the group itself: several processes of a machine may
 * do so, and datagrams that are sent to the machine alone stay with its own responder, such as Avahi. Only what comes from
 * a network of the link is taken (RFC 6762 §11), so nothing is answered to anybody further away.
 * @module
 */
import { MDNS_BYTES_MAX, MDNS_PORT } from "../../core/dns/multicast.ts";
import { contains, type Link } from "../../core/provider/link.ts";

/** Pause after a failed receive, such as one of a datagram that could not be delivered. */
const FAILED_MS = 100;

/** Where a datagram came from, or is to go. */
export interface Place {
  readonly hostname: string;
  readonly port: number;
}

/**
 * Listens for what is sent to the group on a link.
 * @throws {Error} When the port is in exclusive use, or the link has no multicast.
 */
export async function listenToGroup(link: Link): Promise<Deno.DatagramConn> {
  const { listen, group, source, index } = link;
  const socket = open(listen, MDNS_PORT);
  try {
    await (group.includes(":") ? socket.joinMulticastV6(group, index) : socket.joinMulticastV4(group, source));
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** A socket that sends by a link, and hears what is sent back to it. @param port 0: any. */
export function openSource({ source }: Link, port: number): Deno.DatagramConn {
  return open(source, port);
}

function open(hostname: string, port: number): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname, port, reuseAddress: true, loopback: true });
}

/** Sends a datagram. @throws {Error} When the system cannot send it. */
export async function sendTo(socket: Deno.DatagramConn, bytes: Uint8Array, { hostname, port }: Place): Promise<void> {
  await socket.send(bytes, { transport: "udp", hostname, port });
}

/** Hands over what comes from the link, until the socket is closed. */
export async function receiveFrom(
  socket: Deno.DatagramConn,
  { networks }: Link,
  take: (bytes: Uint8Array, from: Place) => void,
): Promise<void> {
  const buffer = new Uint8Array(MDNS_BYTES_MAX + 1);
  for (;;) {
    try {
      const [bytes, from] = await socket.receive(buffer);
      if (from.transport !== "udp") continue;
      const isNear = networks.some((network) => contains(network, from.hostname));
      if (isNear && bytes.length <= MDNS_BYTES_MAX) take(bytes, from);
    } catch (error) {
      if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return;
      await new Promise((resolve) => setTimeout(resolve, FAILED_MS));
    }
  }
}
