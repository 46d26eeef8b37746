/**
 * The log of a process: one line per event with the part it comes from. A node of `muster serve` writes to standard error
 * with the local time, as rqlite does: `[store] 2026/11/22 09:30:00 this node is now Leader …`. An agent writes to standard
 * output, after its banner, in Consul's layout: `2026-11-22T09:30:00.000Z [INFO]  agent: …`. Every line also goes to the Workers of this process
 * that listen, for `muster monitor`; one that is slow to listen loses lines. Secrets have no place in it.
 * @module
 */

/** How much a line matters. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** A line as it is told to whoever listens. */
export interface LogLine {
  readonly atMs: number;
  readonly level: LogLevel;
  readonly part: string;
  readonly line: string;
}

/** Levels from the least to the most. */
export const LOG_LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

const CHANNEL = "muster-log";
/** Carries a new level to the Workers. */
const LEVEL_CHANNEL = "muster-log-level";
let channel: BroadcastChannel | undefined;
let levels: BroadcastChannel | undefined;
let isShared = false;
/** Lines of lower levels are not written; whoever listens hears them all the same. */
let least = levelOfName(threadName());

function threadName(): unknown {
  return "name" in globalThis ? globalThis.name : undefined;
}

/** A Worker hears of its level by its name, `role@level`, so that it holds from its first line on. */
function levelOfName(name: unknown): LogLevel {
  const level = typeof name === "string" ? name.split("@")[1] : undefined;
  return LOG_LEVELS.find((one) => one === level) ?? "debug";
}

/** Whether this thread belongs to an agent: its Workers have a level in their names. */
let isOfAgent = String(threadName()).includes("@");

/** Has this thread log as an agent does. */
export function logAsAgent(): void {
  isOfAgent = true;
}

/** Sets the level of the process: of this thread and of the Workers that run; later ones have theirs by their name. */
export function setLogLevel(level: LogLevel): void {
  least = level;
  levels ??= new BroadcastChannel(LEVEL_CHANNEL); // never closed: the runtime fails others of the thread after that
  levels.postMessage(level);
}

if (isWorker()) {
  new BroadcastChannel(LEVEL_CHANNEL).onmessage = ({ data }: MessageEvent<LogLevel>) => {
    least = data;
  };
}

/** Has whoever listens hear this thread's lines, too: where it is the only one, and does a Worker's work. */
export function shareLog(): void {
  isShared = true;
}

/** Writes lines under the name of a part. */
export function logger(part: string): (line: string, level?: LogLevel) => void {
  return (line, level = "info") => {
    const at = new Date();
    const message: LogLine = { atMs: at.getTime(), level, part, line };
    if (LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(least)) {
      if (isOfAgent) console.log(agentLine(message));
      else console.error(`[${part}] ${timestamp(at)} ${line}`);
    }
    if (!isWorker() && !isShared) return;
    channel ??= new BroadcastChannel(CHANNEL);
    channel.postMessage(message);
  };
}

/** Writes warnings under the name of a part; it takes nothing but the line, so that it can be handed on as a callback. */
export function warner(part: string): (line: string) => void {
  const log = logger(part);
  return (line) => log(line, "warn");
}

/**
 * The lines of this process's Workers from now on, until the walk is left.
 * @param over Ends the walk when it resolves, also while no line comes.
 * @param keptMax Lines kept for a slow reader; the oldest are lost.
 */
export async function* logLines(over: Promise<void>, keptMax = 1024): AsyncGenerator<LogLine> {
  const listening = new BroadcastChannel(CHANNEL);
  const kept: LogLine[] = [];
  let wake = () => {};
  let isOver = false;
  over.then(() => {
    isOver = true;
    wake();
  });
  listening.onmessage = ({ data }: MessageEvent<LogLine>) => {
    if (kept.length >= keptMax) kept.shift();
    kept.push(data);
    wake();
  };
  try {
    while (!isOver) {
      const next = kept.shift();
      if (next) yield next;
      else await new Promise<void>((resolve) => wake = resolve);
    }
  } finally {
    listening.close();
  }
}

/** The supervisor's own lines are few, and a channel there would keep a process alive that has ended its work. */
function isWorker(): boolean {
  return "WorkerGlobalScope" in globalThis;
}

/** Consul's layout, with the levels in one column. */
function agentLine({ atMs, level, part, line }: LogLine): string {
  return `${new Date(atMs).toISOString()} ${`[${level.toUpperCase()}]`.padEnd(7)} ${part}: ${line}`;
}

/** Local time as Go's `log` writes it, in seconds. */
function timestamp(at: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const date = `${at.getFullYear()}/${two(at.getMonth() + 1)}/${two(at.getDate())}`;
  return `${date} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
