/**
 * Streams of gossip, wherever the socket is: in this Worker, or in another one that hands the connection in.
 * @module
 */
import type { Endpoint, GossipStream, StreamMessage } from "./api.ts";
import { STREAM_WINDOW_BYTES } from "./api.ts";

const CHUNK_BYTES = 64 * 1024;

/** A TCP connection. */
export class TcpStream implements GossipStream {
  readonly #conn: Deno.Conn;
  readonly #chunk = new Uint8Array(CHUNK_BYTES);
  #isClosed = false;

  /** @param conn Owned from now on. */
  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Connects, giving up when `signal` says so. */
  static async dial({ host, port }: Endpoint, signal: AbortSignal): Promise<TcpStream> {
    return new TcpStream(await Deno.connect({ hostname: host, port, signal }));
  }

  async read(): Promise<Uint8Array | null> {
    const count = await this.#conn.read(this.#chunk);
    return count === null ? null : this.#chunk.slice(0, count);
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let written = 0; written < bytes.length;) written += await this.#conn.write(bytes.subarray(written));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      this.#conn.close();
    } catch {
      // the system closed it first
    }
  }
}

/** A connection whose bytes come and go through a port. Both ends use it: it is its own counterpart. */
export class PortStream implements GossipStream {
  readonly #port: MessagePort;
  readonly #received: Uint8Array[] = [];
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;
  #underWay = 0;
  #hasEnded = false;

  /** @param port Owned from now on. */
  constructor(port: MessagePort) {
    this.#port = port;
    port.onmessage = ({ data }: MessageEvent<StreamMessage>) => {
      if (data.k === "bytes") this.#received.push(data.bytes);
      else if (data.k === "ack") this.#underWay -= data.count;
      else this.#hasEnded = true;
      this.#wake();
    };
  }

  #wake(): void {
    this.#wakeReader?.();
    this.#wakeWriter?.();
  }

  #tell(message: StreamMessage): void {
    this.#port.postMessage(message);
  }

  async read(): Promise<Uint8Array | null> {
    for (;;) {
      const bytes = this.#received.shift();
      if (bytes) {
        this.#tell({ k: "ack", count: bytes.length });
        return bytes;
      }
      if (this.#hasEnded) return null;
      await new Promise<void>((resolve) => this.#wakeReader = resolve);
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      while (this.#underWay >= STREAM_WINDOW_BYTES && !this.#hasEnded) {
        await new Promise<void>((resolve) => this.#wakeWriter = resolve);
      }
      if (this.#hasEnded) throw new Error("the stream has ended");
      const chunk = bytes.slice(at, at + CHUNK_BYTES);
      this.#underWay += chunk.length;
      this.#tell({ k: "bytes", bytes: chunk });
    }
  }

  close(): void {
    if (!this.#hasEnded) this.#tell({ k: "end" });
    this.#hasEnded = true;
    this.#wake();
    // what was told last still arrives: the port is closed once the turn is over
    setTimeout(() => this.#port.close(), 0);
  }
}
