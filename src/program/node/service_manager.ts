/**
 * Tells systemd, which started this process with `Type=notify`, that it is ready (sd_notify(3)).
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";

/** Name of the environment's variable with the socket's path. */
const SOCKET = "NOTIFY_SOCKET";

/** The service manager, if there is one. To be made while the environment may be read. */
export class ServiceManager {
  readonly #path = Deno.env.get(SOCKET) ?? "";
  readonly #log: (line: string) => void;
  #hasTold = false;

  constructor(log: (line: string) => void) {
    this.#log = log;
  }

  /** Whether there is one that is still to be told. */
  get isTelling(): boolean {
    return this.#path !== "" && !this.#hasTold;
  }

  /** Tells it that the process is ready. A failure is logged: nothing else depends on it. */
  async tellReady(): Promise<void> {
    if (this.#path === "") return;
    const directory = Deno.makeTempDirSync({ prefix: "muster-notify-" });
    try {
      // A socket of this kind needs an address of its own to send from.
      const socket = Deno.listenDatagram({ transport: "unixpacket", path: `${directory}/socket` });
      const to: Deno.UnixAddr = { transport: "unixpacket", path: addressOf(this.#path) };
      await socket.send(new TextEncoder().encode("READY=1\n"), to).finally(() => socket.close());
    } catch (error) {
      this.#log(`the service manager at ${this.#path} cannot be told of the start: ${messageOf(error)}`);
    } finally {
      this.#hasTold = true;
      Deno.removeSync(directory, { recursive: true });
    }
  }
}

/** An address that begins with `@` is an abstract one, whose first byte is 0. */
function addressOf(path: string): string {
  return path.startsWith("@") ? `\0${path.slice(1)}` : path;
}
