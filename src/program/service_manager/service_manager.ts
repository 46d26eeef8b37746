/**
 * What systemd, which started this process with `Type=notify`, is told of it (sd_notify(3)): that it is ready, that it stops, what
 * it is, and, with `WatchdogSec=`, at half of that time that its Workers answer.
 * @module
 */
import type { Activity } from "../../base/shared/activity.ts";
import type { NodeState } from "../../base/shared/node_state.ts";
import type { FromNotifier, ToNotifier } from "./api.ts";
import { addressOf, notifier } from "./notifier.ts";
import { Watchdog, WATCHED, type Watched, writerPatience } from "./watchdog.ts";

/** What the process's environment says of the service manager. */
export interface ManagerFacts {
  /** Address of its socket; empty where there is none. */
  readonly path: string;
  /** Time within which its watchdog wants to be fed; 0: it has none for this process. */
  readonly watchdogMs: number;
}

/** Reads the environment, while this may be done. */
export function managerFacts(get: (name: string) => string | undefined, pid: number): ManagerFacts {
  const path = get("NOTIFY_SOCKET") ?? "";
  const forPid = get("WATCHDOG_PID") ?? "";
  const watchdogMs = Number(get("WATCHDOG_USEC") ?? "") / 1000;
  const isMeant = path !== "" && (forPid === "" || forPid === String(pid));
  return { path, watchdogMs: isMeant && watchdogMs > 0 && Number.isFinite(watchdogMs) ? watchdogMs : 0 };
}

/** A line to the Worker that sends. */
export interface NotifierLine {
  /** Sends to it. */
  postMessage(message: ToNotifier): void;
  /** Hears from it. */
  addEventListener(type: "message", listener: (event: MessageEvent<FromNotifier>) => void): void;
}

/** The service manager, if there is one. To be made while the environment may be read. */
export class ServiceManager {
  readonly #facts: ManagerFacts;
  /** For a socket to send from; removed by the sender. */
  readonly #directory: string;
  readonly #log: (line: string) => void;
  /** Present where the service manager has one for this process. */
  readonly #watchdog: Watchdog | undefined;
  #tell: (text: string) => void = () => {};
  #state: NodeState | undefined;

  constructor(log: (line: string) => void, facts = managerFacts((name) => Deno.env.get(name), Deno.pid)) {
    const { path, watchdogMs } = facts;
    this.#facts = facts;
    this.#log = log;
    this.#directory = path === "" ? "" : Deno.makeTempDirSync({ prefix: "muster-notify-" });
    if (watchdogMs > 0) this.#watchdog = new Watchdog({ intervalMs: watchdogMs / 2, feed: () => this.#feed(), log });
  }

  /** What the Worker that sends may reach: a socket, and a directory. */
  get reach(): { readonly sockets: readonly string[]; readonly directory: string } {
    const { path } = this.#facts;
    return { sockets: path === "" ? [] : [addressOf(path), `${this.#directory}/socket`], directory: this.#directory };
  }

  /**
   * Opens the line to the service manager. A failure is logged: nothing else depends on it.
   * @param spawn Starts the Worker that sends. @default {it is done in this thread}
   */
  open(state: NodeState, spawn: (() => NotifierLine) | undefined): void {
    const { path } = this.#facts;
    if (path === "") return;
    this.#state = state;
    const report = ({ message }: FromNotifier) =>
      this.#log(`the service manager at ${path} cannot be told: ${message}`);
    const send = spawn ? senderOf(spawn(), report) : notifier(report);
    send({ k: "open", path, directory: this.#directory });
    this.#tell = (text) => send({ k: "tell", text });
  }

  /** Has the watchdog starve when a Worker hangs, if it is one of those that must answer; `activity` is the writer's. */
  watch(role: string, worker: Watched, activity: Activity): void {
    if (WATCHED.has(role)) {
      this.#watchdog?.watch(role, worker, role === "sqlite" ? writerPatience(activity) : undefined);
    }
  }

  /** Tells that the process is ready; the watchdog is fed from then on. */
  tellReady(): void {
    this.#tell(`READY=1\nSTATUS=${statusOf(this.#state)}\n`);
    const watchdog = this.#watchdog;
    if (watchdog) Deno.unrefTimer(Number(setInterval(() => watchdog.beat(), this.#facts.watchdogMs / 2)));
  }

  /** Tells that the process has begun to stop. */
  tellStopping(): void {
    this.#tell("STOPPING=1\nSTATUS=stopping\n");
  }

  #feed(): void {
    this.#tell(`WATCHDOG=1\nSTATUS=${statusOf(this.#state)}\n`);
  }
}

function senderOf(worker: NotifierLine, report: (message: FromNotifier) => void): (message: ToNotifier) => void {
  worker.addEventListener("message", ({ data }) => report(data));
  return (message) => worker.postMessage(message);
}

/** What `systemctl status` shows. */
function statusOf(state: NodeState | undefined): string {
  if (!state?.isOpen) return "running";
  if (!state.leaderKnown) return "waiting for a leader";
  return state.isLeader ? "leader" : "follower";
}
