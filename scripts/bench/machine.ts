/**
 * The machine and its processes: what a disk write costs, what memory and processor time a process takes. The latter come
 * from /proc, so from Linux alone.
 * @module
 */

const PAGE_BYTES = 4096;
const TICKS_PER_SECOND = 100; // USER_HZ, the same on every Linux

/** The machine that the figures were measured on. */
export interface Machine {
  /** Of the processor. */
  readonly model: string;
  /** Processors that programs can use. */
  readonly processors: number;
  /** Of memory. */
  readonly memoryBytes: number;
  /** Of the runtime. */
  readonly deno: string;
  /** Median time to write 4 KiB at the end of a file and have them on disk. */
  readonly syncMs: number;
  /** How many programs wanted a processor before the first phase, over the last minute. */
  readonly load: number;
}

/** Describes this machine; `directory` is where it writes. */
export async function describeMachine(directory: string): Promise<Machine> {
  const cpuinfo = await Deno.readTextFile("/proc/cpuinfo").catch(() => "");
  return {
    model: /model name\s*: (.*)/.exec(cpuinfo)?.[1] ?? Deno.build.arch,
    processors: navigator.hardwareConcurrency,
    memoryBytes: Deno.systemMemoryInfo().total,
    deno: Deno.version.deno,
    syncMs: await syncTimeMs(directory),
    load: Deno.loadavg()[0],
  };
}

/** Median time of a 4 KiB write followed by fdatasync, of `count`. */
export async function syncTimeMs(directory: string, count = 500): Promise<number> {
  const path = await Deno.makeTempFile({ dir: directory });
  using file = await Deno.open(path, { write: true });
  const page = new Uint8Array(PAGE_BYTES).fill(1);
  const times = Array.from({ length: count }, () => {
    const started = performance.now();
    file.writeSync(page);
    file.syncDataSync();
    return performance.now() - started;
  });
  await Deno.remove(path);
  return median(times);
}

/** The middle value; between two, their mean. NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return NaN;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Memory of a process that is in RAM. */
export async function residentBytes(pid: number): Promise<number> {
  const [, kibibytes] = /^VmRSS:\s*(\d+) kB$/m.exec(await readProcess(pid, "status")) ?? [];
  if (kibibytes === undefined) throw new Error(`Cannot read the memory of process ${pid}`);
  return Number(kibibytes) * 1024;
}

/** Processor time of a process since its start, of all its threads. */
export async function processorSeconds(pid: number): Promise<number> {
  const stat = await readProcess(pid, "stat");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // from the third field on (proc_pid_stat(5))
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** A file of /proc, read by `cat`: the runtime itself reads there only with all permissions. */
async function readProcess(pid: number, file: string): Promise<string> {
  const { success, stdout } = await new Deno.Command("cat", { args: [`/proc/${pid}/${file}`], stderr: "null" })
    .output();
  if (!success) throw new Error(`Cannot read /proc/${pid}/${file}`);
  return new TextDecoder().decode(stdout);
}
