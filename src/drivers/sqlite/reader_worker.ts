/**
 * A reader Worker: answers the read requests of the http Workers from a connection of its own. It needs `read` and
 * `write` on the folder of the database (SQLite's shared memory file is written by readers too) and nothing else.
 * @module
 */

import { AnswerBudget } from "../../base/shared/answer_budget.ts";
import { collectAtRest } from "../../base/worker/heap_at_rest.ts";
import { packReadResults, transferOf, unpackReads } from "../../core/sql/exchange.ts";
import type { FromReader, OpenReader, ToReader } from "./api.ts";
import { Control } from "../libsqlite/control.ts";
import { openReader, type Reader } from "./reader.ts";
import { markTainted, taints } from "./taint.ts";
import { messageOf } from "../../base/codec/error_text.ts";

function say(port: MessagePort, message: FromReader): void {
  port.postMessage(message);
}

/** An error that stops a reader stops the node. If the database may be damaged, the next start checks it. */
function guarded<T>(port: MessagePort, path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (taints(error)) markTainted(path, messageOf(error));
    say(port, { k: "failed", message: messageOf(error) });
    throw error;
  }
}

function serve(open: () => Reader, path: string, port: MessagePort): void {
  let reader = open();
  port.onmessage = ({ data }: MessageEvent<ToReader>) => {
    if (data.k === "read") {
      const results = guarded(port, path, () => packReadResults(reader.readAll(unpackReads(data.requests))));
      const message: FromReader = { k: "results", results };
      port.postMessage(message, transferOf(results));
      return;
    }
    reader.close();
    if (data.k === "reopen") reader = guarded(port, path, open);
    else port.close();
  };
  say(port, { k: "ready" });
}

collectAtRest();
self.addEventListener("message", (event: Event) => {
  if (!(event instanceof MessageEvent)) return;
  const { path, foreignKeys, library, control, answers, tempBytesMax, port }: OpenReader = event.data;
  const options = {
    foreignKeys,
    library,
    control: new Control(control),
    answers: new AnswerBudget(answers),
    tempBytesMax,
  };
  guarded(port, path, () => serve(() => openReader(path, options), path, port));
}, { once: true });
