/**
 * The samples of V8's profiler of one isolate, as `node --prof-process --preprocess` writes them, and where their time went: by
 * the function that ran, and by the nearest one of muster's own. Pure.
 * @module
 */

/** Samples of an isolate. */
export interface Ticks {
  /** The module of its Worker below `src/`, such as `drivers/replica/worker`; `supervisor` for the main thread. */
  readonly worker: string;
  /** When each was taken, ms of the process, and the functions on its stack, the running one first. */
  readonly samples: readonly { readonly atMs: number; readonly stack: readonly string[] }[];
}

/** A function, and its share of the samples, from 0 to 1. */
export interface Share {
  readonly name: string;
  readonly share: number;
}

const US_PER_MS = 1000;
/** A Worker's own module, as it is run once. */
const WORKER_MODULE = /\/src\/((?:\w+\/)*\w*worker)\.ts:1:1$/;
const OWN = /\/(src\/[\w/.]+\.ts:\d+)/;
/** Samples whose function V8 does not know. */
const UNKNOWN = "(unknown)";

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/**
 * Reads what the processor of V8's logs writes.
 * @throws {SyntaxError} When it is no JSON.
 */
export function parseTicks(text: string): Ticks {
  const { code, ticks } = objectOf(JSON.parse(text));
  const names = listOf(code).map((one) => String(objectOf(one).name ?? ""));
  const module = names.map((name) => WORKER_MODULE.exec(name)?.[1]).find((found) => found !== undefined);
  const samples = listOf(ticks).map((tick) => {
    const { tm, s } = objectOf(tick);
    // Pairs: the place in `code`, -1 for what is not known, and an offset in it.
    const places = listOf(s).filter((_, at) => at % 2 === 0).map(Number);
    return { atMs: Number(tm) / US_PER_MS, stack: places.map((at) => names[at] ?? UNKNOWN) };
  });
  return { worker: module ?? "supervisor", samples };
}

/** The samples from a time on. */
export function since({ worker, samples }: Ticks, fromMs: number): Ticks {
  return { worker, samples: samples.filter(({ atMs }) => atMs >= fromMs) };
}

/** The functions that ran, most of the time first. */
export function byFunction({ samples }: Ticks): readonly Share[] {
  return shares(samples.map(({ stack }) => shortened(stack[0] ?? UNKNOWN)));
}

/** The nearest functions of muster's own on the stack; without one, the runtime works for itself, or for what was awaited. */
export function byOwn({ samples }: Ticks): readonly Share[] {
  return shares(samples.map(({ stack }) => {
    const own = stack.find((name) => OWN.test(name));
    return own === undefined ? "(the runtime alone)" : shortened(own);
  }));
}

function shares(names: readonly string[]): readonly Share[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => ({ name, share: count / names.length })).sort((a, b) => b.share - a.share);
}

/** Without the directory of the source, of the runtime, and the version of a symbol. */
function shortened(name: string): string {
  const own = OWN.exec(name);
  if (own) return `${name.slice(0, name.indexOf(" ")).trim() || "(anonymous)"} ${own[1]}`;
  return name.replace(/@@.*$/, "").replace(/^\/.*\//, "").trim() || UNKNOWN;
}
