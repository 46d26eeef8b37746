/**
 * TCP with or without TLS: listening and connecting. TLS 1.2 and 1.3, as the runtime has them. The client verifies the
 * server's certificate and the name in it, unless it is told not to; the server asks for certificates of its clients if it
 * is told to.
 * @module
 */
import { pause } from "../worker/backoff.ts";
import { messageOf } from "../codec/error_text.ts";
import type { Conn, Listening, TlsIdentity, TlsServer, TlsTrust } from "./conn.ts";
import { socketPath, splitAddress } from "../codec/address.ts";

const ACCEPT_PAUSE_MS = 100;

/**
 * Listens at `host:port` or `unix://PATH`; the latter has no TLS.
 * @throws {Error} When it cannot, for example as somebody else listens there.
 */
export async function listenAt(
  addr: string,
  tls: TlsServer | undefined,
  log: (line: string) => void,
): Promise<Listening> {
  const path = socketPath(addr);
  if (path !== undefined) {
    const { listenAtSocket } = await import("./unix_socket.ts");
    return await listenAtSocket(path, log);
  }
  if (tls?.sharesPort) {
    const { listenShared } = await import("./shared_port.ts");
    return listenShared(addr, tls, log);
  }
  if (tls?.clients || tls?.minVersion === "TLSv1.3") {
    const { listenMutually } = await import("./mutual_tls.ts");
    return await listenMutually(addr, tls, log);
  }
  const plain = Deno.listen(splitAddress(addr));
  if (!tls) return new PlainListening(plain);
  plain.close(); // the port was free: what shares ports would not notice that it is not
  return new TlsListening(addr, tls);
}

/** TCP as it is. */
class PlainListening implements Listening {
  readonly #listener: Deno.TcpListener;

  constructor(listener: Deno.TcpListener) {
    this.#listener = listener;
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  accept(): Promise<Conn> {
    return this.#listener.accept();
  }

  renew(): void {
    throw new Error("this port has no TLS");
  }

  close(): void {
    this.#listener.close();
  }
}

/** TLS as the runtime has it. A renewed certificate gets a listener beside the one before, at the same port. */
class TlsListening implements Listening {
  readonly #at: string;
  #listener: Deno.TlsListener;
  #isClosed = false;

  constructor(at: string, tls: TlsIdentity) {
    this.#at = at;
    this.#listener = listenWith(at, tls);
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async accept(): Promise<Conn> {
    for (;;) {
      const listener = this.#listener;
      try {
        return await listener.accept();
      } catch (error) {
        if (this.#isClosed || listener === this.#listener) throw error;
      }
    }
  }

  renew(tls: TlsServer): void {
    const before = this.#listener;
    this.#listener = listenWith(this.#at, tls);
    before.close();
  }

  close(): void {
    this.#isClosed = true;
    this.#listener.close();
  }
}

function listenWith(addr: string, { cert, key }: TlsIdentity): Deno.TlsListener {
  return Deno.listenTls({ ...splitAddress(addr), cert, key, reusePort: true });
}

/**
 * The connections that come to a listener, until it is closed. When accepting fails, there are most likely no file descriptors
 * left: the next attempt follows a little later.
 */
export async function* connectionsOf(listening: Listening, log: (line: string) => void): AsyncGenerator<Conn> {
  for (;;) {
    try {
      yield await listening.accept();
    } catch (error) {
      if (error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted) return;
      log(`accepting a connection failed: ${messageOf(error)}`);
      await pause(ACCEPT_PAUSE_MS);
    }
  }
}

/** Connects, giving up when `signal` says so. */
export async function connectTo(
  at: { hostname: string; port: number },
  { signal, trust }: { signal: AbortSignal; trust: TlsTrust | undefined },
): Promise<Conn> {
  if (!trust) return await Deno.connect({ ...at, signal });
  if (needsNode(trust)) {
    const { connectMutually } = await import("./mutual_tls.ts");
    return await connectMutually(at, { signal, trust });
  }
  const connecting = connectTls(at, trust);
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const stop = () => {
    reject(signal.reason);
    connecting.then((conn) => conn.close(), () => {});
  };
  signal.addEventListener("abort", stop);
  try {
    const conn = await Promise.race([connecting, stopped]);
    await Promise.race([conn.handshake(), stopped]);
    return conn;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/**
 * Whether the runtime's own functions cannot do it. They add authorities to those of the system, which would let in everybody
 * whom a public authority has certified.
 */
function needsNode({ caCerts, serverName, isVerified, anyName, minVersion, presents }: TlsTrust): boolean {
  return caCerts.length > 0 || !isVerified || anyName === true || minVersion === "TLSv1.3" ||
    serverName !== "" && presents !== undefined;
}

/** By the authorities of the system. */
async function connectTls(
  { hostname, port }: { hostname: string; port: number },
  { serverName, presents }: TlsTrust,
): Promise<Deno.TlsConn> {
  if (serverName !== "") {
    return await Deno.startTls(await Deno.connect({ hostname, port }), { hostname: serverName });
  }
  return await Deno.connectTls({ hostname, port, ...(presents && { cert: presents.cert, key: presents.key }) });
}
