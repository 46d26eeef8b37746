/**
 * The parts of a client agent, run in this thread. Servers have a Worker for each part, with rights of its own, and so that
 * nobody waits for anybody. A client agent keeps no data and hands everything on, so there is little to keep apart, and a
 * Worker takes 9 MB: as one thread it has three quarters of the memory that it has with two Workers. What is given up: a
 * request is read in the thread that gossips, and with the rights of the process.
 * @module
 */
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
  http: () => import("../../api/server/service.ts"),
  membership: () => import("../../app/agent/service.ts"),
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
