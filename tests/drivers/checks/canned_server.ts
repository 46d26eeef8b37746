/** A server of TCP that says what it is told to, and a context for runs. */
import type { RunContext } from "../../../src/drivers/checks/runner.ts";

/** A server that runs `serve` with each connection. */
export class CannedServer implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.Conn>();
  /** What each connection has sent with its first bytes. */
  readonly received: string[] = [];

  constructor(serve: (conn: Deno.Conn, received: string) => Promise<unknown>) {
    this.#accept(serve);
  }

  /** One that answers with some bytes, and closes. */
  static answering(...answers: string[]): CannedServer {
    return new CannedServer(async (conn) => {
      for (const answer of answers) await conn.write(new TextEncoder().encode(answer));
      conn.close();
    });
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  async #accept(serve: (conn: Deno.Conn, received: string) => Promise<unknown>): Promise<void> {
    for await (const conn of this.#listener) {
      this.#open.add(conn);
      this.#serve(conn, serve).catch(() => {}); // the client has left
    }
  }

  async #serve(conn: Deno.Conn, serve: (conn: Deno.Conn, received: string) => Promise<unknown>): Promise<void> {
    const buffer = new Uint8Array(65_536);
    const count = await conn.read(buffer);
    const received = new TextDecoder().decode(buffer.subarray(0, count ?? 0));
    this.received.push(received);
    await serve(conn, received);
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const conn of this.#open) {
      try {
        conn.close();
      } catch {
        // it is closed
      }
    }
  }
}

/** A run that nobody ends. */
export function endless(outputBytesMax = 4096): RunContext {
  return { signal: new AbortController().signal, outputBytesMax };
}

/** A port of TCP that nobody listens at. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return listener.addr.port;
}
