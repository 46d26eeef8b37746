/**
 * Starts Workers: the only `new Worker` of the program.
 * @module
 */
import type { LogLevel } from "../../base/worker/log.ts";
import type { CdcOptions, OtlpOptions, SinkPlans } from "../../drivers/sink/api.ts";
import { permissionsOf, type Role, type Scope } from "./permissions.ts";

/** The modules of the Workers, which no import leads to: whoever compiles the program has to include them. */
export const WORKER_MODULES: Readonly<Record<Role, URL>> = {
  replica: new URL("../../drivers/replica/worker.ts", import.meta.url),
  sqlite: new URL("../../drivers/sqlite/worker.ts", import.meta.url),
  reader: new URL("../../drivers/sqlite/reader_worker.ts", import.meta.url),
  backup: new URL("../../drivers/backup/worker.ts", import.meta.url),
  snapshot: new URL("../../drivers/snapshot/worker.ts", import.meta.url),
  http: new URL("../../api/server/worker.ts", import.meta.url),
  parser: new URL("../../api/rqlite/parser_worker.ts", import.meta.url),
  membership: new URL("../../app/agent/worker.ts", import.meta.url),
  nameserver: new URL("../../api/nameserver/worker.ts", import.meta.url),
  uploader: new URL("../../drivers/uploader/worker.ts", import.meta.url),
  cdc: new URL("../../drivers/sink/worker.ts", import.meta.url),
  otlp: new URL("../../drivers/sink/worker.ts", import.meta.url),
  checks: new URL("../../drivers/checks/worker.ts", import.meta.url),
  watches: new URL("../watches/worker.ts", import.meta.url),
  rendezvous: new URL("../rendezvous/worker.ts", import.meta.url),
  provider: new URL("../../drivers/provider/worker.ts", import.meta.url),
  notifier: new URL("../service_manager/worker.ts", import.meta.url),
  discovery: new URL("../../drivers/discovery/worker.ts", import.meta.url),
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
