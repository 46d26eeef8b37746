/**
 * Shows a supervisor that the event loop of a Worker turns. The supervisor sends a port once; from then on the Worker answers
 * each message on it. A Worker that is not asked has nothing to do for this.
 * @module
 */

/** What the supervisor sends to a Worker, with the port transferred. */
export interface PulseMessage {
  readonly k: "pulse";
  readonly port: MessagePort;
}

/** Has this Worker answer. To be called before it sets a handler of messages, which does not see those of the pulse. */
export function answerPulse(): void {
  globalThis.addEventListener("message", (event) => {
    if (!(event instanceof MessageEvent) || event.data?.k !== "pulse") return;
    event.stopImmediatePropagation();
    const { port }: PulseMessage = event.data;
    port.onmessage = () => port.postMessage(null);
  });
}
