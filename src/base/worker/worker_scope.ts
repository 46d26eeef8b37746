/**
 * The global scope of a Worker, as far as muster uses it: messages in and out. The page library, which is what the type
 * checker sees, knows no Worker scope.
 * @module
 */

/** A Worker's own end of the line to whoever spawned it. */
export interface WorkerScope<In, Out> {
  /** Called for every message. */
  onmessage: ((event: MessageEvent<In>) => void) | null;
  /** Sends to the spawner. */
  postMessage(message: Out, transfer?: Transferable[]): void;
  /** Ends the Worker. */
  close(): void;
}

/** The scope of the Worker that this runs in. */
export function workerScope<In, Out>(): WorkerScope<In, Out> {
  return globalThis as unknown as WorkerScope<In, Out>;
}
