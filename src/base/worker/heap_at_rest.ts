/**
 * A Worker at rest keeps no heap of the load it had. V8 collects it itself some eight seconds after a load, but only where
 * the heap has grown by a tenth since it last did so because of memory. It also does so after every 100 seconds under
 * load, when the heap is at its largest, and then the rest of it stays: 60 of 200 MB, measured after two minutes of inserts
 * of 128 clients.
 * @module
 */

/** Pause between two looks at the heap. */
const LOOK_MS = 5_000;
/** A smaller heap is not worth the work, in bytes. */
const HEAP_MIN = 16 << 20;
/** Growth since it was last collected that is worth the work. */
const GROWTH = 1.2;
/** Looks in a row at a heap at rest: under load two may look alike by chance. */
const LOOKS = 2;
/** What a Worker at rest fills between two looks, in bytes, of messages of the node's own. */
const AT_REST = 1 << 20;

/** The size of a heap in bytes: all of it, and what is filled. */
export interface HeapSize {
  readonly heapTotal: number;
  readonly heapUsed: number;
}

/** Decides on the size of a heap, which it is told at equal times. Pure. */
export class HeapAtRest {
  #last: HeapSize = { heapTotal: 0, heapUsed: 0 };
  /** The least that all of the heap was since it was last collected. */
  #kept = 0;
  #looks = 0;

  /** Whether to collect now: the heap has grown, and is at rest. */
  isDue(size: HeapSize): boolean {
    const filled = size.heapUsed - this.#last.heapUsed;
    const isAtRest = size.heapTotal === this.#last.heapTotal && filled >= 0 && filled <= AT_REST;
    this.#last = size;
    this.#kept = Math.min(this.#kept, size.heapTotal);
    this.#looks = isAtRest ? this.#looks + 1 : 0;
    return this.#looks >= LOOKS && size.heapTotal > Math.max(HEAP_MIN, this.#kept * GROWTH);
  }

  /** It was collected, and has this size. */
  collected(size: HeapSize): void {
    this.#last = size;
    this.#kept = size.heapTotal;
    this.#looks = 0;
  }
}

/** Has the heap of this Worker collected whenever it is at rest. */
export function collectAtRest(): void {
  const heap = new HeapAtRest();
  const look = async () => {
    if (!heap.isDue(Deno.memoryUsage())) return;
    const collect = await collector();
    if (collect === undefined) return clearInterval(timer);
    collect();
    heap.collected(Deno.memoryUsage());
  };
  const timer = setInterval(look, LOOK_MS);
  Deno.unrefTimer(timer); // it keeps no Worker from its end
}

/**
 * V8's function that collects all garbage. An executable has it (scripts/compile.ts); elsewhere V8 gives it only to contexts
 * that are made after it was asked to. Undefined where it cannot be asked: run by Deno before 2.9.
 */
export async function collector(): Promise<(() => void) | undefined> {
  const gc: unknown = Reflect.get(globalThis, "gc") ?? await gcOfNewContext();
  return typeof gc === "function" ? () => gc() : undefined;
}

/** The modules are loaded when they are first needed, as they take 3 MB. */
async function gcOfNewContext(): Promise<unknown> {
  const [{ setFlagsFromString }, { runInNewContext }] = await Promise.all([import("node:v8"), import("node:vm")]);
  setFlagsFromString("--expose-gc");
  return runInNewContext("globalThis.gc");
}
