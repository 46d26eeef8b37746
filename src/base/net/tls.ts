/**
 * TCP with or without TLS: listening and connecting. TLS 1.2 and 1.3, as the runtime has them. The client verifies the
 * server's certificate and the name in it; the server does not ask for client certificates.
 * @module
 */
import { pause } from "../worker/backoff.ts";
import { messageOf } from "../codec/error_text.ts";
import { splitAddress } from "../codec/address.ts";

const ACCEPT_PAUSE_MS = 100;

/** A certificate, with those that lead to its authority, and its private key; PEM. */
export interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
  /** When the certificate expires, RFC 3339. */
  readonly notAfter: string;
}

/** Trusted authorities of a connection. */
export interface TlsTrust {
  /** Certificates of authorities, PEM; empty: those of the system. */
  readonly caCerts: readonly string[];
  /** Name that the certificate must have; empty: the host that is connected to. */
  readonly serverName: string;
}

/** An open port. */
export interface Listening {
  readonly addr: Deno.NetAddr;
  /** The next connection. With TLS, its handshake is part of the first read or write. */
  accept(): Promise<Deno.Conn>;
  close(): void;
}

/**
 * Listens at `host:port`. With TLS, {@linkcode listenBeside} may take the same port.
 * @throws {Error} When it cannot, for example as somebody else listens there.
 */
export function listenAt(addr: string, tls: TlsIdentity | undefined): Listening {
  const plain = Deno.listen(splitAddress(addr));
  if (!tls) return plain;
  plain.close(); // the port was free: what shares ports would not notice that it is not
  return listenBeside(addr, tls);
}

/**
 * Listens where this process already does, with another certificate, so that there is no moment in which nobody
 * listens.
 * @throws {Error} When the certificate or its key cannot be used.
 */
export function listenBeside(addr: string, { cert, key }: TlsIdentity): Listening {
  return Deno.listenTls({ ...splitAddress(addr), cert, key, reusePort: true });
}

/**
 * The connections that come to a listener, until it is closed. When accepting fails, there are most likely no file descriptors
 * left: the next attempt follows a little later.
 */
export async function* connectionsOf(listening: Listening, log: (line: string) => void): AsyncGenerator<Deno.Conn> {
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
  { hostname, port }: { hostname: string; port: number },
  { signal, trust }: { signal: AbortSignal; trust: TlsTrust | undefined },
): Promise<Deno.Conn> {
  const conn = await Deno.connect({ hostname, port, signal });
  if (!trust) return conn;
  const { caCerts, serverName } = trust;
  const stop = () => conn.close();
  signal.addEventListener("abort", stop);
  try {
    const named = { hostname: serverName || hostname, ...(caCerts.length > 0 ? { caCerts: [...caCerts] } : {}) };
    const secured = await Deno.startTls(conn, named);
    await secured.handshake();
    return secured;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
