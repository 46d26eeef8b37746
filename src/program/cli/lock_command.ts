/**
 * The command `lock`: runs a program while it holds a lock, or a slot of a semaphore, with Consul's words and exit codes
 * (C3.10, C10.1).
 *
 * Two programs do not run under one lock at a time: one whose lock is lost, or may be, is told to end at once and killed
 * after {@linkcode GRACE_MS}; that is before its session can end, see `lease.ts`.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import { ApiError, SERVER_FLAGS } from "../client/agent_api.ts";
import { Child, failureOf } from "../client/child.ts";
import {
  boolFlag,
  type Call,
  type Command,
  CommandError,
  durationFlag,
  intFlag,
  textFlag,
  told,
} from "../client/command.ts";
import { fenceToken } from "../client/fence.ts";
import { GRACE_MS, Lease } from "../client/lease.ts";
import { type Claim, claimOf, LockError } from "../client/lock.ts";
import { askedToEnd } from "../client/signals.ts";

/** Everything that the command goes by. */
interface Run {
  readonly call: Call;
  readonly claim: Claim;
  readonly lease: Lease;
  readonly child: readonly string[];
  /** Resolves when a signal asks the command to end. */
  readonly asked: Promise<Deno.Signal>;
  /** Tells with `-verbose`. */
  readonly say: (words: string) => void;
}

const lock: Command = {
  name: "lock",
  summary: "run a program while holding a lock",
  usage:
    "[flags] PREFIX CHILD...\n\nWaits for the lock PREFIX/.lock, and runs CHILD while it is held: by the shell, unless -shell=false. A CHILD\n" +
    "whose lock is lost gets SIGTERM, and SIGKILL 5 s later.\n\nExample:\n  muster lock jobs/report ./report.sh",
  flags: [
    boolFlag("child-exit-code", "Exit 2 if the child fails"),
    intFlag("n", "How many may hold it at a time; more than one makes it a semaphore", 1),
    intFlag(
      "monitor-retry",
      "Errors of the agent in a row, a second apart, that do not count as the loss of the lock",
      3,
    ),
    textFlag("name", "Name of the session"),
    boolFlag("pass-stdin", "Give the child this command's standard input"),
    { ...boolFlag("shell", "Run the child by the shell that SHELL names"), value: "true" },
    durationFlag("timeout", "Time to wait for the lock; 0: for ever"),
    durationFlag("try", "Older name of -timeout"),
    boolFlag("verbose", "Tell what happens"),
    ...SERVER_FLAGS,
  ],
  async run(call: Call) {
    const { flags, args, api } = call;
    const limit = flags.int("n");
    if (limit <= 0) throw new CommandError("Lock holder limit must be positive");
    const [given, ...child] = args;
    const prefix = (given ?? "").replace(/^\/+|\/+$/g, "");
    if (prefix === "" || child.length === 0) throw new CommandError("Key prefix and child command must be specified");
    if (flags.durationMs("timeout") < 0) throw new CommandError("Timeout must be positive");
    const retries = flags.int("monitor-retry");
    if (retries < 0) throw new CommandError("Number for 'monitor-retry' must be >= 0");
    await api().get("/v1/agent/self");
    const dc = flags.string("datacenter");
    const datacenter = dc === "" ? "" : `dc=${encodeURIComponent(dc)}`;
    const say = (words: string) => flags.bool("verbose") && console.log(words);
    say(
      limit === 1
        ? `Setting up lock at path: ${prefix}/.lock`
        : `Setting up semaphore (limit ${limit}) at prefix: ${prefix}`,
    );
    const claim = claimOf({ api: api(), prefix, limit, datacenter, retries });
    const name = flags.string("name") || `Consul lock for '${child.join(" ")}' at '${prefix}'`;
    const query = datacenter === "" ? "" : `?${datacenter}`;
    const settings = { name, ...claim.session, query };
    const lease = await told("Lock acquisition failed: failed to create session", () => Lease.create(api(), settings));
    const { asked, stop } = askedToEnd();
    try {
      return await hold({ call, claim, lease, child, asked, say });
    } finally {
      stop();
      await lease.end();
    }
  },
};

async function hold(run: Run): Promise<number> {
  const { call: { flags }, claim, lease, say } = run;
  say("Attempting lock acquisition");
  const isWanted = await acquire(run);
  let code = 0;
  const over = new AbortController();
  try {
    if (isWanted) code = await whileHeld(run, over.signal);
    else console.error("Shutdown triggered during lock acquisition");
  } finally {
    over.abort();
  }
  await released("Lock release failed", () => claim.release(lease));
  const isGone = await released("Lock cleanup failed", () => claim.cleanUp());
  say(isGone ? "Cleanup succeeded" : "Cleanup aborted, lock in use");
  if (!isWanted) return 1;
  return flags.bool("child-exit-code") ? code : 0;
}

/**
 * Waits for the lock.
 * @returns Whether it is still wanted.
 * @throws {CommandError} When it is not held.
 */
async function acquire({ call: { flags }, claim, lease, asked }: Run): Promise<boolean> {
  const giveUp = new AbortController();
  let isAsked = false;
  asked.then(() => {
    isAsked = true;
    giveUp.abort();
  });
  const timeoutMs = flags.durationMs("timeout") || flags.durationMs("try");
  const timer = timeoutMs > 0 ? setTimeout(() => giveUp.abort(), timeoutMs) : undefined;
  let isHeld: boolean;
  try {
    isHeld = await claim.acquire(lease, AbortSignal.any([giveUp.signal, lease.lost]));
  } catch (error) {
    if (error instanceof LockError || error instanceof ApiError) {
      throw new CommandError(`Lock acquisition failed: ${error.message}`);
    }
    throw error;
  } finally {
    clearTimeout(timer);
  }
  if (lease.lost.aborted) throw new CommandError("Lock acquisition failed: the session is lost");
  if (!isHeld) throw new CommandError("Shutdown triggered or timeout during lock acquisition");
  return !isAsked;
}

/** Runs the child until it ends, or must end; resolves to 2 if it failed by itself. */
async function whileHeld(run: Run, over: AbortSignal): Promise<number> {
  const { call: { flags }, claim, lease, child: args, say } = run;
  const isLost = new Promise<"lost">((resolve) => {
    const lose = () => resolve("lost");
    if (lease.lost.aborted) lose();
    lease.lost.addEventListener("abort", lose);
    claim.lost(lease, over).then(lose, lose); // where it fails, nobody watches over the lock
  });
  const stdin = flags.bool("pass-stdin") ? "inherit" : "null";
  say("Starting handler");
  let child: Child;
  try {
    child = new Child({
      args,
      isShell: flags.bool("shell"),
      env: { CONSUL_LOCK_HELD: "true", ...await fenceOf(run) },
      stdin,
      isGuarded: true,
    });
  } catch (error) {
    console.error(`Error starting handler: ${messageOf(error)}`);
    return 2;
  }
  const end = await Promise.race([child.status, isLost, run.asked]);
  if (typeof end === "object") {
    const failure = failureOf(end);
    if (failure !== undefined) console.error(`Error running handler: ${failure}`);
    say("Child terminated, releasing lock");
    return failure === undefined ? 0 : 2;
  }
  // Said in any case: a program that is ended without a word is a riddle.
  if (end === "lost") console.error("Lock lost, killing child");
  else say("Shutdown triggered, killing child");
  say(`Terminating child pid ${child.pid}`);
  const isKilled = await child.end(GRACE_MS);
  say(isKilled ? `Killing child pid ${child.pid}` : "Child terminated");
  return 0;
}

/** What a program needs to have its writes refused once the lock is lost. */
async function fenceOf({ call, claim: { fencedKey } }: Run): Promise<Record<string, string>> {
  if (fencedKey === undefined) return {};
  const token = await fenceToken(call.api(), fencedKey);
  return token === undefined ? {} : { MUSTER_LOCK_KEY: fencedKey, MUSTER_LOCK_TOKEN: token };
}

async function released<T>(prefix: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof LockError || error instanceof ApiError) throw new CommandError(`${prefix}: ${error.message}`);
    throw error;
  }
}

/** The command of this file. */
export const LOCK_COMMANDS: readonly Command[] = [lock];
