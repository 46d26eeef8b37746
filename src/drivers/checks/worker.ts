/**
 * The Worker that runs checks: scripts, and requests to whatever addresses the operator names. What it meets there must
 * not end the process, as the end of another Worker would: an error that nobody has caught is logged, and the run that it
 * belongs to ends by its time limit.
 * @module
 */
import { InvariantError } from "../../invariant.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { logger } from "../../base/worker/log.ts";
import { workerScope } from "../../base/worker/worker_scope.ts";
import type { FromChecks, ToChecks } from "./api.ts";
import { runKind } from "./run.ts";
import { Runner } from "./runner.ts";

const scope = workerScope<{ readonly port: MessagePort }, never>();
const log = logger("checks");

/** The other end of a connection may bring libraries of the runtime to errors that none of its users can catch. */
function outlive(event: Event, error: unknown): void {
  if (error instanceof InvariantError) return;
  event.preventDefault();
  log(`an error that no check has caught: ${messageOf(error)}`, "warn");
}

scope.onmessage = ({ data: { port } }) => {
  addEventListener("unhandledrejection", (event) => outlive(event, event.reason));
  addEventListener("error", (event) => outlive(event, event.error ?? event.message));
  const tell = (message: FromChecks) => port.postMessage(message);
  const runner = new Runner({ run: runKind, report: (results) => tell({ k: "results", results }) });
  port.onmessage = ({ data }: MessageEvent<ToChecks>) => {
    switch (data.k) {
      case "start":
        return runner.start(data.check, data.initial);
      case "stop":
        return runner.stop(data.id);
      case "close":
        runner.close().then(() => scope.close());
    }
  };
};
