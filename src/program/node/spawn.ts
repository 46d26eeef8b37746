/**
 * Starts Workers: the only `new Worker` of the program.
 * @module
 */
import type { LogLevel } from "../../base/worker/log.ts";
import type { CdcOptions, OtlpOptions, SinkPlans } from "../../drivers/sink/api.ts";
import { moduleAt } from "../../root.ts";
import { permissionsOf, type Role, type Scope } from "./permissions.ts";

/** The modules of the Workers, which no import leads to: whoever compiles the program has to include them. */
export const WORKER_MODULES: Readonly<Record<Role, URL>> = {
  replica: moduleAt("src/drivers/replica/worker"),
  sqlite: moduleAt("src/drivers/sqlite/worker"),
  reader: moduleAt("src/drivers/sqlite/reader_worker"),
  backup: moduleAt("src/drivers/backup/worker"),
  snapshot: moduleAt("src/drivers/snapshot/worker"),
  http: moduleAt("src/api/server/worker"),
  parser: moduleAt("src/api/rqlite/parser_worker"),
  membership: moduleAt("src/app/agent/worker"),
  nameserver: moduleAt("src/api/nameserver/worker"),
  uploader: moduleAt("src/drivers/uploader/worker"),
  cdc: moduleAt("src/drivers/sink/worker"),
  otlp: moduleAt("src/drivers/sink/worker"),
  checks: moduleAt("src/drivers/checks/worker"),
  watches: moduleAt("src/program/watches/worker"),
  rendezvous: moduleAt("src/program/rendezvous/worker"),
  provider: moduleAt("src/drivers/provider/worker"),
  notifier: moduleAt("src/program/service_manager/worker"),
  discovery: moduleAt("src/drivers/discovery/worker"),
};

/** Starts the Worker of `role`; `onDeath` is told when it ends by an error; see rpc/log.ts for `logLevel`. */
export function spawn(role: Role, scope: Scope, onDeath: (message: string) => void, logLevel?: LogLevel): Worker {
  const worker = new Worker(WORKER_MODULES[role], {
    type: "module",
    name: logLevel === undefined ? role : `${role}@${logLevel}`,
    deno: { permissions: permissionsOf(role, scope) },
  });
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    onDeath(`the ${role} Worker died: ${event.message}`);
  });
  return worker;
}

/** The lines of HTTP to what delivers for it, and how it is to. */
export interface SinkLines {
  readonly cdc?: { readonly port: MessagePort; readonly options: CdcOptions };
  readonly otlp?: { readonly port: MessagePort; readonly options: OtlpOptions };
}

/** Starts the Workers that deliver to sinks. */
export function sinkLines(plans: SinkPlans | undefined, start: (role: "cdc" | "otlp") => Worker): SinkLines {
  const { cdc, otlp } = plans ?? {};
  return {
    ...(cdc ? { cdc: { port: lineTo(start("cdc"), { sink: cdc.sink }), options: cdc.options } } : {}),
    ...(otlp ? { otlp: { port: lineTo(start("otlp"), { sink: otlp.sink }), options: otlp.options } } : {}),
  };
}

/** The other end of a line to a Worker, which gets its own end with its first message. */
export function lineTo(worker: Worker, message: Readonly<Record<string, unknown>> = {}): MessagePort {
  const { port1, port2 } = new MessageChannel();
  worker.postMessage({ ...message, port: port1 }, [port1]);
  return port2;
}
