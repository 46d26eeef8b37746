/**
 * Runs the parts of a client agent in this thread. A server has a Worker for each part, so that each has its own
 * permissions and none waits for another. A client agent keeps no data and forwards all requests, so there is little to
 * isolate, and a Worker takes 9 MB: one thread needs three quarters of the memory of two Workers. The price is that
 * requests are read in the thread that gossips and with the permissions of the process.
 * @module
 */
import { load } from "../../root.ts";
import { shareLog } from "../../base/worker/log.ts";
import type { WorkerScope } from "../../base/worker/worker_scope.ts";

/** A running part of the node, with the methods of a Worker. */
export interface Part {
  /** Sends to the part. */
  postMessage(message: unknown, transfer?: Transferable[]): void;
  /** Hears from the part. */
  addEventListener(type: "message", listener: (event: MessageEvent) => void): void;
  /** Ends it. */
  terminate(): void;
}

/** The parts: loaded where they run. */
const SERVICES: Readonly<
  Record<"http" | "membership", () => Promise<{ serve(line: WorkerScope<never, never>): void }>>
> = {
  http: () => load<typeof import("../../api/server/service.ts")>("src/api/server/service"),
  membership: () => load<typeof import("../../app/agent/service.ts")>("src/app/agent/service"),
};

/** Runs a part in this thread; what is said to it before it is loaded waits. `onDeath` is told when it cannot be loaded. */
export function runHere(role: keyof typeof SERVICES, onDeath: (message: string) => void): Part {
  shareLog();
  const { port1, port2 } = new MessageChannel();
  SERVICES[role]().then(({ serve }) => serve(port2), (error) => onDeath(`${role} could not be loaded: ${error}`));
  return partAt(port1);
}

/** A part that listens at the other end of a line. */
export function partAt(port: MessagePort): Part {
  return {
    postMessage: (message, transfer = []) => port.postMessage(message, transfer),
    addEventListener: (type, listener) => {
      port.addEventListener(type, listener);
      port.start();
    },
    terminate: () => port.close(),
  };
}
