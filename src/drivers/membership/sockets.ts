/**
 * The sockets of gossip: UDP and TCP at one address and port.
 * @module
 */
import type { Endpoint } from "./api.ts";
import type { ByteStream } from "../../base/net/byte_stream.ts";
import { TcpStream } from "../../base/net/byte_stream.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** Attempts to find a port that is free for both, where the system may choose. */
const ATTEMPTS = 20;
/** Pause after a failed accept. */
const ACCEPT_PAUSE_MS = 100;

/** Open sockets. */
export interface Sockets {
  readonly udp: Deno.DatagramConn;
  /** Present where this node accepts streams itself. */
  readonly tcp: Deno.TcpListener | undefined;
  readonly local: Endpoint;
}

/**
 * Binds UDP, and TCP where wanted, to the same port.
 * @throws {Error} Naming the address, when it is not free.
 */
export function bindSockets({ host, port }: Endpoint, withListener: boolean): Sockets {
  for (let attempt = 1;; attempt++) {
    let tcp: Deno.TcpListener | undefined;
    try {
      tcp = withListener ? Deno.listen({ hostname: host, port }) : undefined;
      const chosen = tcp?.addr.port ?? port;
      const udp = Deno.listenDatagram({ transport: "udp", hostname: host, port: chosen });
      const bound = udp.addr.transport === "udp" ? udp.addr.port : chosen;
      return { udp, tcp, local: { host, port: bound } };
    } catch (error) {
      tcp?.close();
      if (port === 0 && attempt < ATTEMPTS) continue;
      throw new Error(`cannot listen for gossip on ${host}:${port}: ${messageOf(error)}`);
    }
  }
}

/** Takes connections until the listener is closed. */
export async function acceptStreams(
  listener: Deno.TcpListener,
  serve: (stream: ByteStream, remote: string) => void,
): Promise<void> {
  for (;;) {
    try {
      const conn = await listener.accept();
      serve(new TcpStream(conn), `${conn.remoteAddr.hostname}:${conn.remoteAddr.port}`);
    } catch (error) {
      if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return;
      await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS)); // too many open files, say
    }
  }
}
