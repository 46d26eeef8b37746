/**
 * Sends to the socket of the service manager (sd_notify(3)). Texts arrive in order; the loss of one harms nothing but what the
 * service manager knows, so a failure is reported and the next text is tried all the same.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import type { FromNotifier, ToNotifier } from "./api.ts";

/** Answers the messages of one supervisor. */
export function notifier(report: (message: FromNotifier) => void): (message: ToNotifier) => void {
  let socket: Deno.DatagramConn | undefined;
  let to = "";
  let last: Promise<unknown> = Promise.resolve();
  let isFailing = false;

  /** Once for each row of failures. */
  const fail = (error: unknown) => {
    if (!isFailing) report({ k: "failed", message: messageOf(error) });
    isFailing = true;
  };

  const send = async (text: string) => {
    if (!socket) return;
    try {
      await socket.send(new TextEncoder().encode(text), { transport: "unixpacket", path: to });
      isFailing = false;
    } catch (error) {
      fail(error);
    }
  };

  return (message) => {
    if (message.k === "tell") {
      last = last.then(() => send(message.text));
      return;
    }
    to = addressOf(message.path);
    try {
      // A socket of this kind needs an address of its own to send from; its file is not needed once it is open.
      socket = Deno.listenDatagram({ transport: "unixpacket", path: `${message.directory}/socket` });
    } catch (error) {
      fail(error);
    }
    Deno.removeSync(message.directory, { recursive: true });
  };
}

/** An address that begins with `@` is an abstract one, whose first byte is 0. */
export function addressOf(path: string): string {
  return path.startsWith("@") ? `\0${path.slice(1)}` : path;
}
