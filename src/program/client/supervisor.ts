/**
 * Runs a child as a service: starts it, starts it again as its policy says, hands signals on, ends it.
 *
 * On SIGINT or SIGTERM the service is deregistered first. After the drain time, in which clients that have found it before
 * are served to the end, the child gets the signal; it is killed if it does not end in time. When the child has ended,
 * everything that it has started and left behind is ended too, before a restart as well.
 * @module
 */
import { formatDuration } from "../../base/codec/duration.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { pause } from "../../base/worker/backoff.ts";
import { Child, failureOf } from "./child.ts";
import { nextAfter, type RestartPolicy } from "./restart.ts";
import type { ServiceLease } from "./service_lease.ts";
import type { HandedSignals } from "./signals.ts";

/** Time for what a child has left behind. */
const LEFT_MS = 5000;
/** Exit codes of `env` and of shells for a program that is not there, and for one that cannot be run. */
const [NOT_FOUND, NOT_RUN] = [127, 126];

/** What to run, and how. */
export interface Supervision {
  /** A program and its arguments. */
  readonly args: readonly string[];
  /** Added to the environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly restart: RestartPolicy;
  /** Between the deregistration and the signal. */
  readonly drainMs: number;
  /** Between the signal and SIGKILL; 0: it is not killed. */
  readonly killAfterMs: number;
  readonly lease: ServiceLease;
  readonly signals: HandedSignals;
  /** Tells people. */
  readonly say: (words: string) => void;
}

/** Runs the child until it is not to run any more; resolves to the exit code of the last one. */
export async function supervise(what: Supervision): Promise<number> {
  const { restart, lease, signals, say } = what;
  let row = 0;
  while (!signals.isAsked) {
    const startedMs = performance.now();
    const child = started(what);
    if (typeof child === "number") return child;
    signals.child = child;
    lease.up(`process ${child.pid} runs`);
    const end = await Promise.race([child.status, signals.asked]);
    const status = typeof end === "string" ? await ended(child, what) : end;
    const failure = failureOf(status);
    const next = nextAfter({ isFailure: failure !== undefined, ranMs: performance.now() - startedMs, row }, restart);
    const why = failure ?? "exit status 0";
    const words = next.k === "restart" ? `${why}; restart in ${formatDuration(next.delayMs)}` : why;
    if (!signals.isAsked) lease.down(words);
    await child.end(LEFT_MS);
    if (signals.isAsked) return status.code;
    if (next.k === "over") {
      if (next.isLimit) say(`The program has ended: ${why}; not restarted after ${row} restarts in a row`);
      return status.code;
    }
    say(`The program has ended: ${words}`);
    await paused(next.delayMs, signals.asked);
    if (signals.isAsked) return status.code;
    row = next.row;
  }
  return 0;
}

/** The child, or the exit code where it cannot be started. */
function started({ args, env, say }: Supervision): Child | number {
  try {
    return new Child({ args, isShell: false, env, stdin: "null", isGuarded: true });
  } catch (error) {
    say(`Cannot start ${args[0]}: ${messageOf(error)}`);
    return error instanceof Deno.errors.NotFound ? NOT_FOUND : NOT_RUN;
  }
}

/** Ends a child that was asked to; resolves when it has ended. */
async function ended(child: Child, what: Supervision): Promise<Deno.CommandStatus> {
  const { drainMs, killAfterMs, lease, signals, say } = what;
  await Promise.race([lease.end(), signals.hurried, child.status]);
  if (drainMs > 0) {
    say(`Draining: the program is told to end in ${formatDuration(drainMs)}`);
    await paused(drainMs, Promise.race([signals.hurried, child.status]));
  }
  signals.handOn();
  const kill = () => {
    say(`The program has not ended within ${formatDuration(killAfterMs)}: killed`);
    child.signal("SIGKILL");
  };
  const timer = killAfterMs > 0 ? setTimeout(kill, killAfterMs) : undefined;
  const status = await child.status;
  clearTimeout(timer);
  return status;
}

/** Waits, or ends early. */
async function paused(ms: number, early: Promise<unknown>): Promise<void> {
  const over = new AbortController();
  await Promise.race([pause(ms, over.signal), early]);
  over.abort();
}
