/**
 * The command `run`: runs a program as a service of the local agent. The service is there while the program runs and this
 * command renews its lease (`service_lease.ts`); signals, drains and restarts are those of `supervisor.ts`.
 * @module
 */
import { formatDuration } from "../../base/codec/duration.ts";
import { DefinitionError } from "../../core/health/definition_fields.ts";
import { checkIds, decodeService } from "../../core/health/definitions.ts";
import type { ApiError } from "../client/agent_api.ts";
import { CHECK_FORMS, checkFieldsOf } from "../client/check_spec.ts";
import { isRestartReason, RESTART_REASONS, type RestartPolicy } from "../client/restart.ts";
import { leaseId, ServiceLease, type ServiceLeaseSettings } from "../client/service_lease.ts";
import { HandedSignals } from "../client/signals.ts";
import { supervise } from "../client/supervisor.ts";
import { type Flags, UsageError } from "../config/flags.ts";
import {
  type Call,
  type Command,
  CommandError,
  durationFlag,
  intFlag,
  pairsOf,
  textFlag,
  textsFlag,
  told,
} from "../client/command.ts";

/** The least time to live of a lease: a third of it is the time for a request. */
const TTL_MS_MIN = 1000;

const run: Command = {
  name: "run",
  summary: "run a program as a service of the agent",
  usage: "[flags] -name=NAME -- PROGRAM [ARGS...]\n\n" +
    "Starts PROGRAM, registers it as a service and deregisters it when it has ended, however that comes. PROGRAM gets\n" +
    "MUSTER_SERVICE_NAME, MUSTER_SERVICE_ID, MUSTER_SERVICE_PORT and MUSTER_HTTP_ADDR (the agent) in its environment.\n" +
    "On SIGTERM or SIGINT the service is deregistered, and after -drain PROGRAM gets the signal; a second signal ends\n" +
    "the wait. Other signals are handed on. The exit code is that of PROGRAM; 128 and the number of a signal that ends\n" +
    "it.\n\n" +
    "Example:\n  muster run -name=web -port=8080 -check=http:/healthz -drain=5s -- ./web",
  flags: [
    textFlag("name", "Name of the service"),
    textFlag("id", "Its id, unique on the agent (default NAME-PORT; without a port NAME and random digits)"),
    textFlag("address", "Its address, if it is not that of the node"),
    intFlag("port", "Its port"),
    textsFlag("tag", "A tag; repeatable"),
    textsFlag("meta", "key=value; repeatable"),
    textsFlag("check", `A check that the agent is to run; repeatable. One of ${CHECK_FORMS}`),
    durationFlag("interval", "Time between two runs of a check", "10s"),
    durationFlag("timeout", "Time limit of a run of a check", "5s"),
    textFlag("restart", "When to start a program again that has ended: never, on-failure or always", "never"),
    durationFlag("restart-delay", "Time before the first restart; doubles with each, up to 30s", "1s"),
    intFlag("restart-limit", "Restarts in a row, none of which has run for a minute; 0: no limit", 10),
    durationFlag("drain", "Time between the deregistration and the signal to the program"),
    durationFlag("kill-after", "Time between that signal and SIGKILL; 0: no SIGKILL", "30s"),
    durationFlag(
      "ttl",
      "Time after which the service is critical when this command was killed; renewed every third",
      "15s",
    ),
    durationFlag("deregister-after", "Time after that at which the agent deregisters it, at least 1m", "1m"),
  ],
  async run({ flags, args, api }: Call) {
    if (args.length === 0) throw new UsageError("there is no program to run: it follows the flags");
    const settings = { ...definitionsOf(flags), api: api(), ttlMs: flags.durationMs("ttl"), say };
    const restart = restartOf(flags);
    const [drainMs, killAfterMs] = [notBelowZero(flags, "drain"), notBelowZero(flags, "kill-after")];
    const { service } = settings;
    const signals = new HandedSignals();
    try {
      const failed = `Error registering service ${JSON.stringify(service.name)}`;
      const lease = await told(failed, () => ServiceLease.open(settings));
      const env = environmentOf(settings);
      try {
        return await supervise({ args, env, restart, drainMs, killAfterMs, lease, signals, say });
      } finally {
        const failure = await lease.end();
        if (failure) say(leftWords(settings, failure));
      }
    } finally {
      signals.stop();
    }
  },
};

/** To standard error, which the program has too. */
function say(words: string): void {
  console.error(`muster run: ${words}`);
}

/** What is to be known where the agent could not be told of the end. */
function leftWords({ service, lease }: ServiceLeaseSettings, { message }: ApiError): string {
  const itself = `the agent itself does once the lease was critical for ${formatDuration(lease.deregisterAfterMs)}`;
  return `Cannot deregister service ${JSON.stringify(service.id)}, which ${itself}: ${message}`;
}

/** The service with its checks, and its lease. */
function definitionsOf(flags: Flags): Pick<ServiceLeaseSettings, "service" | "lease"> {
  const [name, port, address] = [flags.string("name"), flags.int("port"), flags.string("address")];
  if (name === "") throw new UsageError("the service has no name: give it one by -name");
  if (flags.durationMs("ttl") < TTL_MS_MIN) throw invalid(flags, "ttl", `at least ${formatDuration(TTL_MS_MIN)}`);
  if (flags.durationMs("deregister-after") <= 0) throw invalid(flags, "deregister-after", "a time above 0");
  const id = flags.string("id") || (port === 0 ? `${name}-${randomDigits()}` : `${name}-${port}`);
  const checked = {
    host: address || "localhost",
    port,
    interval: flags.string("interval"),
    timeout: flags.string("timeout"),
  };
  const checks = flags.all("check").map((spec) => ({ id: "", ...checkFieldsOf(spec, checked) }));
  const ids = checkIds({ id, checks });
  const lease = {
    id: leaseId(id),
    name: `Lease of ${id}`,
    notes: "Renewed by muster run while the program runs",
    ttl: flags.string("ttl"),
    deregister_critical_service_after: flags.string("deregister-after"),
  };
  const meta = pairsOf(flags, "meta");
  const all = [lease, ...checks.map((check, at) => ({ ...check, id: ids[at] }))];
  try {
    const service = decodeService({ id, name, address, port, tags: flags.all("tag"), meta, checks: all });
    const [first, ...others] = service.checks;
    return { service: { ...service, checks: others }, lease: first };
  } catch (error) {
    if (error instanceof DefinitionError) throw new CommandError(`Error: ${error.message}`);
    throw error;
  }
}

/** Enough that no two services of an agent share them. */
function randomDigits(): string {
  return crypto.getRandomValues(new Uint8Array(4)).toHex();
}

function restartOf(flags: Flags): RestartPolicy {
  const [reason, delayMs, limit] = [
    flags.string("restart"),
    flags.durationMs("restart-delay"),
    flags.int("restart-limit"),
  ];
  if (!isRestartReason(reason)) throw invalid(flags, "restart", RESTART_REASONS.join(", "));
  if (delayMs <= 0) throw invalid(flags, "restart-delay", "a time above 0");
  if (limit < 0) throw invalid(flags, "restart-limit", "a number of at least 0");
  return { reason, delayMs, limit };
}

function notBelowZero(flags: Flags, name: string): number {
  const ms = flags.durationMs(name);
  if (ms < 0) throw invalid(flags, name, "a time of at least 0");
  return ms;
}

function invalid(flags: Flags, name: string, expected: string): UsageError {
  return new UsageError(`invalid value "${flags.string(name)}" for flag -${name}: expected ${expected}`);
}

/** What the program is told; libraries for Consul find the agent, too. */
function environmentOf({ service, api }: ServiceLeaseSettings): Record<string, string> {
  return {
    MUSTER_SERVICE_NAME: service.name,
    MUSTER_SERVICE_ID: service.id,
    ...(service.port > 0 && { MUSTER_SERVICE_PORT: String(service.port) }),
    MUSTER_HTTP_ADDR: api.address,
    CONSUL_HTTP_ADDR: api.address,
  };
}

/** The command of this file. */
export const RUN_COMMANDS: readonly Command[] = [run];
