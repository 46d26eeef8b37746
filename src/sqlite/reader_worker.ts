/**
 * A reader Worker: answers the read requests of the http Workers from a connection of its own. It needs `read` and
 * `write` on the folder of the database (SQLite's shared memory file is written by readers too) and nothing else.
 * @module
 */

import { packReadResults, unpackReads } from "../sql/exchange.ts";
import type { FromReader, OpenReader, ToReader } from "./api.ts";
import { openReader, type Reader } from "./reader.ts";

function say(port: MessagePort, message: FromReader): void {
  port.postMessage(message);
}

function guarded<T>(port: MessagePort, work: () => T): T {
  try {
    return work();
  } catch (error) {
    say(port, { k: "failed", message: error instanceof Error ? error.message : String(error) });
    throw error;
  }
}

function serve(open: () => Reader, port: MessagePort): void {
  let reader = open();
  port.onmessage = ({ data }: MessageEvent<ToReader>) => {
    if (data.k === "read") {
      say(port, {
        k: "results",
        results: guarded(port, () => packReadResults(reader.readAll(unpackReads(data.requests)))),
      });
      return;
    }
    reader.close();
    if (data.k === "reopen") reader = guarded(port, open);
    else port.close();
  };
  say(port, { k: "ready" });
}

self.addEventListener("message", (event: Event) => {
  if (!(event instanceof MessageEvent)) return;
  const { path, foreignKeys, port }: OpenReader = event.data;
  guarded(port, () => serve(() => openReader(path, { foreignKeys }), port));
}, { once: true });
