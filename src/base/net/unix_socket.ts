/**
 * Listening at a Unix socket. The file of one that nobody listens at any more is replaced, any other file is left alone; it
 * is removed at the end. Whoever may write to the file may connect, which at the usual mask is its owner.
 * @module
 */
import type { Conn, Listening } from "./conn.ts";

/** Bytes of a path that the system takes (`sun_path` of unix(7), less its end). */
const PATH_MAX = 107;

/**
 * Listens at a path.
 * @throws {Error} When it cannot, for example as somebody else listens there.
 */
export async function listenAtSocket(path: string, log: (line: string) => void): Promise<Listening> {
  if (new TextEncoder().encode(path).length > PATH_MAX) {
    throw new Error(`the path of a socket may have ${PATH_MAX} bytes`);
  }
  if (await isLeftOver(path)) {
    log(`replacing the socket ${path}, at which nobody listens`);
    await Deno.remove(path);
  }
  return new SocketListening(Deno.listen({ transport: "unix", path }));
}

/** @throws {Error} When there is something else. */
async function isLeftOver(path: string): Promise<boolean> {
  try {
    if (!(await Deno.lstat(path)).isSocket) throw new Error("there is a file that is no socket");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
  try {
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return true;
    throw error;
  }
  throw new Error("somebody listens there already");
}

class SocketListening implements Listening {
  readonly port = 0;
  readonly #listener: Deno.UnixListener;

  constructor(listener: Deno.UnixListener) {
    this.#listener = listener;
  }

  accept(): Promise<Conn> {
    return this.#listener.accept();
  }

  renew(): void {
    throw new Error("a socket has no TLS");
  }

  close(): void {
    const { path } = this.#listener.addr;
    this.#listener.close();
    try {
      Deno.removeSync(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // somebody has tidied up
    }
  }
}
