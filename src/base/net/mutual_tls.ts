/**
 * TLS by `node:tls`, for what the runtime's own functions cannot do: a server that requires certificates of its clients, a
 * client that trusts certain authorities and not those of the system, expects another name than the one it connects to, or
 * verifies nothing, and a minimum version above TLS 1.2. Loaded where one of them is configured: it takes 9 MB.
 *
 * A server passes a connection on once the client has proved that it holds the key of a certificate that an accepted
 * authority has signed, that is valid now, and that has the expected common name. Everybody else is disconnected, and the
 * log says who and why.
 * @module
 */
import { X509Certificate } from "node:crypto";
import tls from "node:tls";
import { splitAddress } from "../codec/address.ts";
import { messageOf } from "../codec/error_text.ts";
import { LimitedLog } from "../worker/log_limit.ts";
import type { ClientCheck, Conn, Listening, TlsServer, TlsTrust } from "./conn.ts";

/** Time for a handshake. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Time for a client to take the last of what was written. */
const CLOSE_TIMEOUT_MS = 1000;
/** Verified connections that wait to be accepted; further ones are closed. */
const WAITING_MAX = 1024;

/** What `node:tls` says of a client's certificate. */
const REASONS: Readonly<Record<string, string>> = {
  UNABLE_TO_GET_ISSUER_CERT: "it has shown no certificate",
  CERT_HAS_EXPIRED: "its certificate has expired",
  CERT_NOT_YET_VALID: "its certificate is not valid yet",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "no accepted authority has signed its certificate",
};

/** Log lines about refused clients; only so many. */
export function refusalLog(log: (line: string) => void): (from: string, why: string) => void {
  const refusals = new LimitedLog((_level, line) => log(line));
  return (from, why) => refusals.write("warn", `refused a TLS connection from ${from}: ${why}`, performance.now());
}

/**
 * Listens at `host:port` for clients that have a certificate, if they need one.
 * @throws {Error} When it cannot listen there, or the server's certificate cannot be used.
 */
export async function listenMutually(
  addr: string,
  identity: TlsServer,
  log: (line: string) => void,
): Promise<Listening> {
  const { hostname, port } = splitAddress(addr);
  let check = identity.clients;
  const server = tls.createServer({ ...settingsOf(identity), handshakeTimeout: HANDSHAKE_TIMEOUT_MS });
  const verified = new Verified();
  const note = refusalLog(log);
  const refuse = (socket: tls.TLSSocket, from: string, why: string) => {
    note(from, why);
    socket.destroy();
  };
  server.on("tlsClientError", (error, socket) => {
    socket.on("error", ignore);
    refuse(socket, socket.remoteAddress ?? "a client that has left", reasonOf(error));
  });
  server.on("secureConnection", (socket) => {
    socket.on("error", ignore); // reading or writing rejects with it
    const why = complaint(socket, check);
    if (why !== undefined) return refuse(socket, `${socket.remoteAddress}:${socket.remotePort}`, why);
    if (!verified.push(new NodeConn(socket))) socket.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: hostname === "" ? undefined : hostname, port }, () => {
      server.off("error", reject);
      resolve();
    });
  });
  server.on("error", (error) => log(`accepting a TLS connection failed: ${messageOf(error)}`));
  const bound = server.address();
  return {
    port: bound !== null && typeof bound === "object" ? bound.port : port,
    accept: () => verified.next(),
    renew(renewed) {
      server.setSecureContext(settingsOf(renewed));
      check = renewed.clients;
    },
    close() {
      server.close();
      verified.end();
    },
  };
}

/**
 * Connects with TLS.
 * @throws {Error} When nobody answers, or the server's certificate is not accepted.
 */
export async function connectMutually(
  { hostname, port }: { hostname: string; port: number },
  { signal, trust }: { signal: AbortSignal; trust: TlsTrust },
): Promise<Conn> {
  const { caCerts, serverName, presents, isVerified, anyName = false, minVersion = "TLSv1.2" } = trust;
  const socket = tls.connect({
    host: hostname,
    port,
    rejectUnauthorized: isVerified,
    minVersion,
    ...(anyName ? { checkServerIdentity: () => undefined } : {}),
    ...(serverName === "" ? {} : { servername: serverName }),
    ...(caCerts.length > 0 ? { ca: [...caCerts] } : {}),
    ...(presents ? { cert: presents.cert, key: presents.key } : {}),
  });
  const stop = () => socket.destroy(new Error(messageOf(signal.reason)));
  signal.addEventListener("abort", stop);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("secureConnect", resolve);
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("the other end closed the connection in the handshake")));
    });
  } catch (error) {
    socket.destroy();
    if (error instanceof Error && "code" in error && error.code === "ECONNREFUSED") {
      throw new Deno.errors.ConnectionRefused(error.message);
    }
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
  socket.on("error", ignore);
  return new NodeConn(socket);
}

/** What went wrong in a handshake, for the log. */
export function reasonOf({ message }: Error): string {
  return message.includes("InvalidContentType") ? "it does not speak TLS" : message;
}

/** Settings of a server. @throws {Error} When `node:tls` cannot use a certificate. */
export function settingsOf({ cert, key, clients, minVersion = "TLSv1.2" }: TlsServer): tls.TlsOptions {
  new X509Certificate(cert);
  const asks = {
    ...(clients && clients.caCerts.length > 0 ? { ca: [...clients.caCerts] } : {}),
    requestCert: true,
    // The signature of the handshake is verified in any case; complaint() judges the certificate, and can tell who it was.
    rejectUnauthorized: false,
  };
  return { cert, key, minVersion, ...(clients ? asks : {}) };
}

/** Why a client is not let in; undefined when it is. */
export function complaint(socket: tls.TLSSocket, check: ClientCheck | undefined): string | undefined {
  if (!check || check.isOptional) return undefined;
  const { commonName } = check;
  if (!socket.authorized) {
    const reason = String(socket.authorizationError);
    return REASONS[reason] ?? `its certificate is not accepted (${reason})`;
  }
  const name = socket.getPeerCertificate().subject.CN;
  if (commonName === "" || name === commonName) return undefined;
  return `its certificate is for "${name}", expected "${commonName}"`;
}

/** For errors that reading or writing rejects with, too. */
export function ignore(): void {}

/** Connections between the handshake and whoever accepts them. */
class Verified {
  readonly #waiting: Conn[] = [];
  #acceptor: { resolve(conn: Conn): void; reject(error: Error): void } | undefined;
  #hasEnded = false;

  /** Returns false when it is not taken. */
  push(conn: Conn): boolean {
    if (this.#hasEnded || this.#waiting.length >= WAITING_MAX) return false;
    if (this.#acceptor) {
      this.#acceptor.resolve(conn);
      this.#acceptor = undefined;
    } else this.#waiting.push(conn);
    return true;
  }

  /** The next one; to be called by one at a time. Rejects with {@linkcode Deno.errors.BadResource} at the end. */
  async next(): Promise<Conn> {
    const conn = this.#waiting.shift();
    if (conn) return conn;
    if (this.#hasEnded) throw new Deno.errors.BadResource("the listener is closed");
    return await new Promise((resolve, reject) => this.#acceptor = { resolve, reject });
  }

  end(): void {
    this.#hasEnded = true;
    for (const conn of this.#waiting) conn.close();
    this.#waiting.length = 0;
    this.#acceptor?.reject(new Deno.errors.BadResource("the listener is closed"));
  }
}

/** A socket of Node's as a connection of Deno's: whoever reads gets no more than he asks for, and the rest waits. */
export class NodeConn implements Conn {
  readonly remoteAddr: Deno.Addr;
  readonly #socket: tls.TLSSocket;
  #rest: Uint8Array | undefined;
  #wake: (() => void) | undefined;
  #hasEnded = false;
  #error: Error | undefined;

  /**
   * @param socket Owned from now on, with its handshake done.
   * @param from The other end, where the socket does not know it.
   */
  constructor(socket: tls.TLSSocket, from?: Deno.Addr) {
    this.#socket = socket;
    const { remoteAddress = "", remotePort = 0 } = socket;
    this.remoteAddr = from ?? { transport: "tcp", hostname: remoteAddress, port: remotePort };
    if (!from) socket.setNoDelay(true);
    const wake = () => this.#wake?.();
    socket.on("readable", wake);
    socket.on("end", () => (this.#hasEnded = true, wake()));
    socket.on("close", () => (this.#hasEnded = true, wake()));
    socket.on("error", (error) => (this.#error = error, wake()));
  }

  isFor(name: string): boolean {
    return this.#socket.authorized && tls.checkServerIdentity(name, this.#socket.getPeerCertificate()) === undefined;
  }

  async read(into: Uint8Array): Promise<number | null> {
    for (;;) {
      const bytes: Uint8Array | null = this.#rest ?? this.#socket.read();
      if (bytes !== null) {
        const count = Math.min(bytes.length, into.length);
        into.set(bytes.subarray(0, count));
        this.#rest = count < bytes.length ? bytes.subarray(count) : undefined;
        return count;
      }
      if (this.#error) throw this.#error;
      if (this.#hasEnded) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    // The socket may keep what it is given, and the caller's buffer is used again.
    const own = bytes.slice();
    await new Promise<void>((resolve, reject) => {
      const broken = () => reject(this.#error ?? new Deno.errors.BrokenPipe("the connection was closed"));
      if (this.#socket.destroyed) return broken();
      this.#socket.once("close", broken);
      this.#socket.write(own, (error) => {
        this.#socket.off("close", broken);
        if (error) reject(error);
        else resolve();
      });
    });
    return own.length;
  }

  async closeWrite(): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.end(resolve));
  }

  /** What was written still leaves, and the other end learns that this is the end, if it takes it soon. */
  close(): void {
    if (this.#hasEnded) return void this.#socket.destroy();
    this.#hasEnded = true;
    this.#socket.destroySoon();
    setTimeout(() => this.#socket.destroy(), CLOSE_TIMEOUT_MS);
    this.#wake?.();
  }
}
