/**
 * Followers of the log of changes: some that read the stream of a node and go on at another one when it breaks, and the file
 * that all nodes deliver to, whoever leads.
 * @module
 */
import type { RowChange } from "../../tests/harness/history/changes.ts";
import { Random } from "../../tests/harness/random.ts";
import { until } from "../../tests/harness/processes.ts";
import { pause } from "./workload.ts";

const STREAMS = 2;
const AGAIN_MS = 100;
/** A stream is left after so long at most, for another node. */
const STAY_MS_MAX = 5000;
const ARRIVED_MS_MAX = 60_000;

/** All that follow the changes of a run. */
export class ChangeStreams {
  /** What each has got, in the order in which it came. */
  readonly streams: RowChange[][] = Array.from({ length: STREAMS }, () => []);
  readonly #stopping = new AbortController();
  readonly #file: string;
  readonly #done: Promise<void[]>;

  /**
   * @param file That the nodes deliver to.
   * @param since Index behind which the changes begin.
   */
  constructor(urls: readonly string[], { seed, file, since }: { seed: number; file: string; since: number }) {
    this.#file = file;
    this.#done = Promise.all(
      this.streams.map((stream, at) => this.#follow(urls, new Random(seed, 6000 + at), { stream, since })),
    );
  }

  /** The lines of the file; those that were broken off are told again. */
  async delivered(): Promise<RowChange[]> {
    const text = await Deno.readTextFile(this.#file);
    return text.split("\n").flatMap((line) => {
      try {
        const { payload }: { payload: RowChange[] } = JSON.parse(line);
        return payload;
      } catch {
        return [];
      }
    });
  }

  /** Waits until all have what there is up to an index, and ends. @throws {Error} When they have not in a minute. */
  async end(index: number): Promise<void> {
    const hasAll = (changes: readonly RowChange[]) => index === 0 || changes.some((change) => change.index === index);
    try {
      await until(`the change of index ${index} everywhere`, async () => {
        const all = [...this.streams, await this.delivered()];
        if (all.every(hasAll)) return true;
        throw new Error(all.map((changes) => changes.at(-1)?.index).join(", "));
      }, ARRIVED_MS_MAX);
    } finally {
      this.#stopping.abort();
      await this.#done;
    }
  }

  async #follow(
    urls: readonly string[],
    random: Random,
    { stream, since }: { stream: RowChange[]; since: number },
  ): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(1 + random.below(STAY_MS_MAX))]);
      try {
        const behind = stream.at(-1)?.index ?? since;
        const response = await fetch(`${random.pick(urls)}/db/changes?since=${behind}`, { signal });
        if (!response.ok) throw new Error(await response.text());
        await read(response, stream);
      } catch {
        await pause(AGAIN_MS); // at another node, or at this one when it is there again
      }
    }
  }
}

async function read(response: Response, stream: RowChange[]): Promise<void> {
  let rest = "";
  for await (const piece of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const change: RowChange = JSON.parse(line);
      if (change.events === undefined || change.events.length > 0) stream.push(change);
    }
  }
}
