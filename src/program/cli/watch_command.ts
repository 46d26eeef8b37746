/**
 * The command `watch`: shows a state, or runs a program at each of its changes, with Consul's words and exit codes (C3.10).
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import { formatDuration } from "../../base/codec/duration.ts";
import { follow, type Followed } from "../../app/agent/follow.ts";
import { type AgentApi, SERVER_FLAGS } from "../client/agent_api.ts";
import { Child, failureOf } from "../client/child.ts";
import { askedToEnd } from "../client/signals.ts";
import { boolFlag, type Call, type Command, CommandError, helpOf, textFlag } from "../client/command.ts";
import type { Flags } from "../config/flags.ts";
import { WatchError, type WatchQuery, watchQuery } from "../config/watch.ts";

/** Time that one read waits for a change. */
const WAIT_MS = 60_000;
/** Time that an agent takes beyond that: up to a sixteenth, and what the way takes. */
const LATE_MS = 15_000;
/** Time for a child to end when the command is to end. */
const GRACE_MS = 5000;

const watch: Command = {
  name: "watch",
  summary: "show a state, or run a program whenever it changes",
  usage:
    "[flags] -type=TYPE [CHILD...]\n\nCHILD gets the state as JSON on its standard input, and its index as CONSUL_INDEX: once at the start, then at\n" +
    "each change. Without CHILD the state is printed once.\n\nExamples:\n  muster watch -type=key -key=app/color\n" +
    "  muster watch -type=service -service=web -passingonly=true ./reload.sh",
  flags: [
    textFlag("type", "key, keyprefix, services, nodes, service, checks or event"),
    textFlag("key", "Key; for the type key"),
    textFlag("prefix", "Prefix of keys; for keyprefix"),
    textFlag("service", "Name of a service; for service, and for checks"),
    textFlag("tag", "Tag that an instance must have; for service"),
    textFlag("passingonly", "true: only instances whose checks all pass; for service"),
    textFlag("state", "State of checks: any, passing, warning or critical; for checks"),
    textFlag("name", "Name of events; for event"),
    { ...boolFlag("shell", "Run the child by the shell that SHELL names"), value: "true" },
    ...SERVER_FLAGS,
  ],
  async run({ flags, args, api }: Call) {
    if (flags.string("type") === "") throw new CommandError(`Watch type must be specified\n\n${helpOf(watch)}`);
    const query = queryOf(flags);
    await api().get("/v1/agent/self"); // so that a wrong address is an error, and no reason to wait
    const { asked, stop } = askedToEnd();
    const over = new AbortController();
    asked.then(() => over.abort());
    try {
      for await (const state of states(api(), query, over.signal)) {
        if (args.length === 0) {
          console.log(JSON.stringify(state.value, undefined, 4));
          return 0;
        }
        if (!await handled(state, { args, isShell: flags.bool("shell"), over: over.signal })) return 1;
      }
      return 0;
    } finally {
      stop();
      over.abort();
    }
  },
};

function queryOf(flags: Flags): WatchQuery {
  const passing = flags.string("passingonly");
  if (!["", "1", "t", "true", "0", "f", "false"].includes(passing.toLowerCase())) {
    throw new CommandError(`Failed to parse passingonly flag: invalid value ${JSON.stringify(passing)}`);
  }
  const names = ["type", "key", "prefix", "service", "tag", "state", "name", "datacenter"];
  const given = names.map((name) => [name, flags.string(name) || undefined] as const);
  try {
    return watchQuery({
      ...Object.fromEntries(given),
      stale: flags.bool("stale") || undefined,
      passingonly: passing === "" ? undefined : ["1", "t", "true"].includes(passing.toLowerCase()),
    });
  } catch (error) {
    if (error instanceof WatchError) throw new CommandError(error.message);
    throw error;
  }
}

/** The states of a watch. */
function states(api: AgentApi, query: WatchQuery, signal: AbortSignal): AsyncGenerator<Followed> {
  return follow({
    signal,
    isUnordered: query.isEvent,
    async ask(known) {
      const waiting = `${query.target.includes("?") ? "&" : "?"}index=${known}&wait=${WAIT_MS / 1000}s`;
      const target = known === "0" ? query.target : query.target + waiting;
      const { index, text } = await api.askState(target, { signal, timeoutMs: WAIT_MS + LATE_MS });
      return { index, value: query.shown(text, known) };
    },
    onError: (error, pauseMs) => {
      console.error(`Watch errored: ${messageOf(error)}; retry in ${formatDuration(pauseMs)}`);
    },
  });
}

/** How a program is run for a state. */
interface Handling {
  readonly args: readonly string[];
  readonly isShell: boolean;
  /** Ends the program. */
  readonly over: AbortSignal;
}

/** Runs the program for a state; whether that went well. */
async function handled({ index, value }: Followed, { args, isShell, over }: Handling): Promise<boolean> {
  const stdin = new TextEncoder().encode(`${JSON.stringify(value)}\n`);
  let child: Child;
  try {
    child = new Child({ args, isShell, env: { CONSUL_INDEX: index }, stdin });
  } catch (error) {
    console.error(`Error starting handler: ${messageOf(error)}`);
    return false;
  }
  const onOver = () => child.end(GRACE_MS);
  over.addEventListener("abort", onOver);
  const failure = failureOf(await child.status);
  over.removeEventListener("abort", onOver);
  if (over.aborted) return true;
  if (failure !== undefined) console.error(`Error executing handler: ${failure}`);
  return failure === undefined;
}

/** The command of this file. */
export const WATCH_COMMANDS: readonly Command[] = [watch];
