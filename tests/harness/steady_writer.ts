/** Writes that go on while a cluster is changed under them, and what of them was acknowledged. */
import { delay } from "@std/async/delay";
import { until } from "./processes.ts";

/** Writes one thing after the other through whichever node runs, until it is told to stop. */
export class SteadyWriter<Node extends { readonly running: boolean }> {
  /** Numbers of the writes that were acknowledged. */
  readonly acknowledged: number[] = [];
  #isOver = false;
  readonly #done: Promise<void>;

  /** @param write Whether the write of that number was acknowledged; rejects where its outcome is unknown. */
  constructor(nodes: () => readonly Node[], write: (node: Node, number: number) => Promise<boolean>) {
    this.#done = this.#run(nodes, write);
  }

  async #run(nodes: () => readonly Node[], write: (node: Node, number: number) => Promise<boolean>): Promise<void> {
    for (let number = 1; !this.#isOver; number++) {
      const running = nodes().filter(({ running }) => running);
      try {
        if (await write(running[number % running.length], number)) this.acknowledged.push(number);
      } catch {
        await delay(20); // the node is on its way down
      }
    }
  }

  /** Waits until more has been acknowledged. */
  async goesOn(timeoutMs?: number): Promise<void> {
    const before = this.acknowledged.length;
    await until("writes going on", () => this.acknowledged.length >= before + 20 || undefined, timeoutMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }
}
