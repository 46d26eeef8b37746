/**
 * A port that takes plain connections and connections of TLS: the cluster port of a server agent, which gossip shares, as
 * memberlist does not speak TLS. The first byte tells them apart: a handshake of TLS begins with the type of its record,
 * 22 (RFC 8446, section 5.1), and neither gossip nor muster's own protocol does. Who reads decides which plain connections
 * go on ({@linkcode Conn.isEncrypted}).
 *
 * The runtime cannot take an accepted connection into TLS as a server, so `node:tls` does, over a stream that begins with the
 * bytes that were read already. The handshake is part of the first read: a client that is slow in it holds nobody up.
 * @module
 */
import { Duplex } from "node:stream";
import tls from "node:tls";
import { splitAddress } from "../codec/address.ts";
import type { Conn, Listening, TlsServer } from "./conn.ts";
import { complaint, HANDSHAKE_TIMEOUT_MS, ignore, NodeConn, reasonOf, refusalLog, settingsOf } from "./mutual_tls.ts";

/** First byte of a record of TLS that holds a handshake. */
const HANDSHAKE = 22;
const CHUNK_BYTES = 64 * 1024;

/**
 * Listens at `host:port`.
 * @throws {Error} When it cannot listen there, or the certificate cannot be used.
 */
export function listenShared(addr: string, identity: TlsServer, log: (line: string) => void): Listening {
  settingsOf(identity);
  const listener = Deno.listen(splitAddress(addr));
  const refused = refusalLog(log);
  let current = identity;
  return {
    port: listener.addr.port,
    async accept() {
      const conn = await listener.accept();
      conn.setNoDelay(true);
      return new SharedConn(conn, (first) => secured(conn, first, { identity: current, refused }));
    },
    renew(renewed) {
      settingsOf(renewed);
      current = renewed;
    },
    close: () => listener.close(),
  };
}

/** How a connection is taken into TLS. */
interface Securing {
  readonly identity: TlsServer;
  refused(from: string, why: string): void;
}

/**
 * Makes the handshake on a connection whose first bytes were read already.
 * @throws {Error} When the client is refused, which the log has told.
 */
async function secured(conn: Deno.TcpConn, first: Uint8Array, { identity, refused }: Securing): Promise<NodeConn> {
  const { hostname, port } = conn.remoteAddr;
  const from = `${hostname}:${port}`;
  // One for each connection: it tells which connection has made its handshake, and nodes connect seldom.
  const server = tls.createServer(settingsOf(identity));
  const stream = streamOf(conn, first);
  stream.on("error", ignore);
  const { promise, resolve, reject } = Promise.withResolvers<tls.TLSSocket>();
  server.once("secureConnection", resolve);
  server.once("tlsClientError", (error, socket) => {
    socket.on("error", ignore);
    reject(error);
  });
  for (const end of ["end", "close"]) {
    stream.once(end, () => reject(new Error("the connection has ended in the handshake")));
  }
  const timer = setTimeout(() => reject(new Error("the handshake takes too long")), HANDSHAKE_TIMEOUT_MS);
  try {
    server.emit("connection", stream);
    const socket = await promise;
    socket.on("error", ignore);
    const why = complaint(socket, identity.clients);
    if (why !== undefined) throw new Error(why);
    return new NodeConn(socket, conn.remoteAddr);
  } catch (error) {
    const why = error instanceof Error ? reasonOf(error) : String(error);
    refused(from, why);
    stream.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** A connection as a stream of Node's, which gives `first` before anything else, and owns the connection. */
function streamOf(conn: Deno.TcpConn, first: Uint8Array): Duplex {
  let waiting: Uint8Array | undefined = first;
  const chunk = new Uint8Array(CHUNK_BYTES); // there is one read at a time
  return new Duplex({
    read() {
      if (waiting) {
        this.push(waiting);
        waiting = undefined;
        return;
      }
      conn.read(chunk).then(
        (count) => this.push(count === null ? null : chunk.slice(0, count)),
        (error) => this.destroy(error),
      );
    },
    write(bytes: Uint8Array, _encoding, done) {
      writeAll(conn, bytes).then(() => done(), done);
    },
    final(done) {
      conn.closeWrite().then(() => done(), () => done()); // the other end may have gone already
    },
    destroy(error, done) {
      closeQuietly(conn);
      done(error);
    },
  });
}

async function writeAll(conn: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) written += await conn.write(bytes.subarray(written));
}

function closeQuietly(conn: Deno.TcpConn): void {
  try {
    conn.close();
  } catch {
    // it is closed already
  }
}

/** A connection that is what its first byte says. */
class SharedConn implements Conn {
  readonly #plain: Deno.TcpConn;
  readonly #secure: (first: Uint8Array) => Promise<NodeConn>;
  #begun: Promise<void> | undefined;
  /** Present in a connection of TLS. */
  #encrypted: NodeConn | undefined;
  /** What a plain connection began with, as far as it was not read. */
  #first: Uint8Array | undefined;
  #isClosed = false;

  constructor(plain: Deno.TcpConn, secure: (first: Uint8Array) => Promise<NodeConn>) {
    this.#plain = plain;
    this.#secure = secure;
  }

  get remoteAddr(): Deno.Addr {
    return this.#plain.remoteAddr;
  }

  get isEncrypted(): boolean {
    return this.#encrypted !== undefined;
  }

  isFor(name: string): boolean {
    return this.#encrypted?.isFor(name) ?? false;
  }

  async #begin(): Promise<void> {
    const chunk = new Uint8Array(CHUNK_BYTES);
    const count = await this.#plain.read(chunk);
    if (count === null) return;
    const first = chunk.slice(0, count);
    if (first[0] !== HANDSHAKE) return void (this.#first = first);
    const encrypted = await this.#secure(first);
    if (this.#isClosed) encrypted.close();
    this.#encrypted = encrypted;
  }

  async read(into: Uint8Array): Promise<number | null> {
    await (this.#begun ??= this.#begin());
    if (this.#encrypted) return await this.#encrypted.read(into);
    if (!this.#first) return await this.#plain.read(into);
    const count = Math.min(this.#first.length, into.length);
    into.set(this.#first.subarray(0, count));
    this.#first = count < this.#first.length ? this.#first.subarray(count) : undefined;
    return count;
  }

  /** Waits for what the other end sends first: before that, nobody knows whether to encrypt. */
  async write(bytes: Uint8Array): Promise<number> {
    await (this.#begun ??= this.#begin());
    return await (this.#encrypted ?? this.#plain).write(bytes);
  }

  async closeWrite(): Promise<void> {
    await (this.#encrypted ?? this.#plain).closeWrite();
  }

  close(): void {
    this.#isClosed = true;
    if (this.#encrypted) this.#encrypted.close();
    else closeQuietly(this.#plain); // during a handshake, its stream ends with it
  }
}
