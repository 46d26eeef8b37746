/**
 * The services and checks of this agent, which is the one that knows the truth about them (C5.5, C9.8): from files of
 * configuration, or from requests. What came by a request is kept by the {@linkcode DefinitionStore} before it is
 * answered, and forgotten there before a deregistration is: no service comes back that was deregistered.
 *
 * Statuses come from the runner of checks, from requests (TTL), from other services (alias), and from maintenance mode.
 * Whoever registers again keeps the statuses of the checks that he registers again, so that none blinks.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import type { LogLevel } from "../../base/worker/log.ts";
import { SERF_HEALTH } from "../agent/catalog.ts";
import { Waits } from "../agent/waits.ts";
import {
  aggregateStatus,
  type CheckStatus,
  isMaintenance,
  NODE_MAINTENANCE,
  SERVICE_MAINTENANCE_PREFIX,
} from "../../core/health/aggregate.ts";
import {
  type CheckDefinition,
  decodeCheck,
  decodeService,
  definitionText,
  isScript,
  type ServiceDefinition,
} from "../../core/health/definitions.ts";
import { cutOutput } from "../../core/health/output.ts";

/** Where a definition comes from: a file of configuration, or a request. */
export type Source = "file" | "request";

/** A service of this agent. */
export interface LocalService {
  /** Without its checks, which are among all checks. */
  readonly definition: ServiceDefinition;
  readonly source: Source;
}

/** A check of this agent. */
export interface LocalCheck {
  readonly definition: CheckDefinition;
  readonly source: Source;
  readonly status: CheckStatus;
  readonly output: string;
  /** Since when it has been critical, on the monotonic clock; undefined: it is not. */
  readonly criticalSinceMs: number | undefined;
  /** Since when its output differs from what the catalog was told, which may wait; undefined: it does not. */
  readonly outputSinceMs: number | undefined;
}

/** What is kept of one service or check. */
export type KeptKind = "services" | "checks" | "states";

/** Keeps definitions, and the states of TTL checks, over restarts. Each method resolves when it is on disk. */
export interface DefinitionStore {
  keep(kind: KeptKind, id: string, text: string): Promise<void>;
  forget(kind: KeptKind, id: string): Promise<void>;
}

/** Runs the checks that have an interval. */
export interface CheckRunner {
  start(check: CheckDefinition, initial: { readonly status: CheckStatus; readonly output: string }): void;
  stop(id: string): void;
}

/** Which scripts may run as checks: none, those from files, or all. */
export type ScriptPolicy = "none" | "local" | "all";

/** Settings of an agent's own services. */
export interface LocalOptions {
  /** Which scripts may run. */
  readonly scripts: ScriptPolicy;
  /** Bytes that are kept of the output of a check. @default {4096} */
  readonly outputBytesMax: number;
  /** Whether outputs are thrown away. @default {false} */
  readonly discardsOutput: boolean;
  /** How long a mere change of output may wait before the catalog hears of it. @default {300000} */
  readonly updateIntervalMs: number;
}

/** Dependencies of the state. */
export interface LocalStateParts {
  readonly options: LocalOptions;
  readonly nodeName: string;
  readonly store: DefinitionStore;
  readonly runner: CheckRunner;
  /** The worst status of a service, or of a node, that is not this agent's; undefined: it is not known. */
  remoteStatus(node: string, service: string): Promise<CheckStatus | undefined>;
  log(line: string, level?: LogLevel): void;
  /** How often critical checks are looked at that end their service. @default {30000} */
  readonly scanMs?: number;
}

/** There is no service or check of this id. */
export class UnknownIdError extends Error {
  /** Always `UnknownIdError`. */
  override readonly name = "UnknownIdError";
}

/** What was asked for cannot be done; the message says why. */
export class LocalRefusal extends Error {
  /** Always `LocalRefusal`. */
  override readonly name = "LocalRefusal";
}

/** ID of the service that stands for a server of the cluster. */
export const SERVERS_OWN = "consul";
/** Services, and checks, of one agent. */
const COUNT_MAX = 10_000;
const SCAN_MS = 30_000;
/** How often aliases of other agents' services are looked at. */
const ALIAS_MS = 10_000;
const NO_REASON = "Maintenance mode is enabled for this {}, but no reason was provided. " +
  "This is a default message.";
const EXPIRED = "TTL expired";

/** The state of one agent. */
export class LocalState {
  /** Called when the catalog is to hear of something, in `ms` milliseconds. */
  onChange: (ms: number) => void = () => {};
  readonly #parts: LocalStateParts;
  readonly #services = new Map<string, LocalService>();
  readonly #checks = new Map<string, LocalCheck>();
  /** Of TTL checks. */
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  /** Requests that wait for a change of the services. */
  readonly #waits = new Waits();
  readonly #scans: ReturnType<typeof setInterval>[];
  /** Keeping and forgetting happens in the order of the changes. */
  #storing: Promise<unknown> = Promise.resolve();

  constructor(parts: LocalStateParts) {
    this.#parts = parts;
    this.#scans = [
      setInterval(() => this.#endCritical(), parts.scanMs ?? SCAN_MS),
      setInterval(() => this.#updateAliases(true), ALIAS_MS),
    ];
    for (const scan of this.#scans) Deno.unrefTimer(Number(scan));
  }

  /** Settings. */
  get options(): LocalOptions {
    return this.#parts.options;
  }

  /** By id. */
  get services(): ReadonlyMap<string, LocalService> {
    return this.#services;
  }

  /** By id. */
  get checks(): ReadonlyMap<string, LocalCheck> {
    return this.#checks;
  }

  /** The checks of a service, and with `ofNode` those of the node. */
  checksOf(serviceId: string, { ofNode = false } = {}): LocalCheck[] {
    return [...this.#checks.values()].filter(({ definition }) =>
      definition.serviceId === serviceId || ofNode && definition.serviceId === ""
    );
  }

  /**
   * Registers a service, or changes it.
   * @param replacesChecks Whether checks of it that are not named again go.
   * @throws {LocalRefusal} When a check of it may not run, or there are too many.
   */
  async addService(service: ServiceDefinition, source: Source, { replacesChecks = false } = {}): Promise<void> {
    if (service.id === SERVERS_OWN) throw reserved("service", service.id);
    for (const check of service.checks) this.#expectAllowed(check, source);
    if (this.#services.size >= COUNT_MAX && !this.#services.has(service.id)) throw tooMany("services");
    const kept = this.checksOf(service.id).filter(({ definition: { id } }) => !isMaintenance(id));
    const named = new Set(service.checks.map(({ id }) => id));
    const gone = replacesChecks ? kept.filter(({ definition: { id } }) => !named.has(id)) : [];
    if (source === "request") {
      await this.#keep("services", service.id, definitionText({ ...service, checks: [] }));
      for (const check of service.checks) await this.#keep("checks", check.id, definitionText(check));
    }
    this.#services.set(service.id, { definition: { ...service, checks: [] }, source });
    for (const check of service.checks) this.#putCheck(check, source);
    for (const { definition: { id } } of gone) await this.#dropCheck(id);
    this.#changed();
  }

  /**
   * Takes a service out, with its checks.
   * @throws {UnknownIdError} When there is none.
   */
  async removeService(id: string): Promise<void> {
    if (!this.#services.has(id)) {
      throw new UnknownIdError(
        `Unknown service ID ${JSON.stringify(id)}. Ensure that the service ID is passed, not the service name.`,
      );
    }
    this.#services.delete(id);
    const checks = this.checksOf(id);
    for (const { definition } of checks) this.#forgetCheck(definition.id);
    this.#changed();
    await this.#forget("services", id);
    for (const { definition } of checks) await this.#forgetKept(definition);
  }

  /**
   * Registers a check, or changes it.
   * @throws {UnknownIdError} When its service is not there.
   * @throws {LocalRefusal} When it may not run, or there are too many.
   */
  async addCheck(check: CheckDefinition, source: Source): Promise<void> {
    this.#expectAllowed(check, source);
    if (check.serviceId !== "" && !this.#services.has(check.serviceId)) {
      throw new UnknownIdError(`ServiceID ${JSON.stringify(check.serviceId)} does not exist`);
    }
    if (this.#checks.size >= COUNT_MAX && !this.#checks.has(check.id)) throw tooMany("checks");
    if (source === "request") await this.#keep("checks", check.id, definitionText(check));
    this.#putCheck(check, source);
    this.#changed();
  }

  /**
   * Takes a check out.
   * @throws {UnknownIdError} When there is none.
   */
  async removeCheck(id: string): Promise<void> {
    if (!this.#checks.has(id)) throw unknownCheck(id);
    await this.#dropCheck(id);
    this.#changed();
  }

  /** Takes services and checks from files in the place of those that came from files before (C5.5). */
  async replaceFromFiles(services: readonly ServiceDefinition[], checks: readonly CheckDefinition[]): Promise<void> {
    const named = new Set(services.map(({ id }) => id));
    for (const [id, { source }] of this.#services) {
      if (source === "file" && !named.has(id)) await this.removeService(id);
    }
    for (const service of services) {
      await this.#tryFromFile(() => this.addService(service, "file", { replacesChecks: true }));
    }
    const known = new Set([...services.flatMap((service) => service.checks), ...checks].map(({ id }) => id));
    for (const [id, { source }] of this.#checks) if (source === "file" && !known.has(id)) await this.removeCheck(id);
    for (const check of checks) await this.#tryFromFile(() => this.addCheck(check, "file"));
  }

  /** One that cannot be used stays out, and is named. */
  async #tryFromFile(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#parts.log(`a definition is left out: ${messageOf(error)}`, "error");
    }
  }

  /** Takes back what was kept; the files of configuration win. */
  restore(
    kept: {
      readonly services: readonly string[];
      readonly checks: readonly string[];
      readonly states: readonly string[];
    },
  ): void {
    const each = (texts: readonly string[], take: (text: string) => void) => {
      for (const text of texts) {
        try {
          take(text);
        } catch (error) {
          this.#parts.log(`a kept definition is left out: ${messageOf(error)}`, "error");
        }
      }
    };
    const { outputBytesMax } = this.#parts.options;
    each(kept.services, (text) => {
      const service = decodeService(JSON.parse(text), { outputBytesMax });
      if (!this.#services.has(service.id)) this.#services.set(service.id, { definition: service, source: "request" });
    });
    const states = new Map<string, { status: CheckStatus; output: string; expiresMs: number }>();
    each(kept.states, (text) => {
      const { id, status, output, expiresMs } = JSON.parse(text);
      if (Number(expiresMs) > Date.now()) states.set(String(id), { status, output: String(output), expiresMs });
    });
    each(kept.checks, (text) => {
      const isOfMaintenance = text.includes("_maintenance");
      const check = decodeCheck(JSON.parse(text), { outputBytesMax, isCatalog: isOfMaintenance });
      if (this.#checks.has(check.id)) return;
      if (check.serviceId !== "" && !this.#services.has(check.serviceId)) return;
      this.#expectAllowed(check, "request");
      const state = states.get(check.id);
      this.#putCheck(check, "request", state, state && Math.max(1, state.expiresMs - Date.now()));
    });
    this.#changed();
  }

  /**
   * Updates a TTL check.
   * @throws {UnknownIdError} When there is no such check.
   * @throws {LocalRefusal} When it is none.
   */
  update(id: string, status: CheckStatus, output: string): void {
    const check = this.#checks.get(id);
    if (!check) throw unknownCheck(id);
    const { definition } = check;
    if (definition.kind.k !== "ttl") {
      throw new LocalRefusal(`CheckID ${JSON.stringify(id)} does not have associated TTL`);
    }
    const { ttlMs } = definition.kind;
    this.#expireIn(id, ttlMs);
    this.setStatus(id, status, cutOutput(output, definition.outputBytesMax));
    const text = JSON.stringify({ id, status, output: this.#checks.get(id)?.output, expiresMs: Date.now() + ttlMs });
    this.#keep("states", id, text).catch((error) =>
      this.#parts.log(`the state of check ${id} cannot be kept: ${messageOf(error)}`, "warn")
    );
  }

  /** A result of the runner, or of another source. */
  setStatus(id: string, status: CheckStatus, output: string): void {
    const check = this.#checks.get(id);
    if (!check) return; // it ended meanwhile
    const { options, log } = this.#parts;
    const kept = options.discardsOutput ? "" : output;
    if (check.status === status && check.output === kept) return;
    const isOutputAlone = check.status === status;
    const isFirst = check.output === ""; // of which nobody has seen one yet: it does not wait
    const now = performance.now();
    this.#checks.set(id, {
      ...check,
      status,
      output: kept,
      criticalSinceMs: status === "critical" ? check.criticalSinceMs ?? now : undefined,
      outputSinceMs: !isOutputAlone ? undefined : isFirst ? -Infinity : check.outputSinceMs ?? now,
    });
    if (isOutputAlone) return this.onChange(isFirst ? 0 : options.updateIntervalMs);
    if (status !== "passing") log(`Check is now ${status}: check=${id}`, "warn");
    this.#updateAliases(false);
    this.#changed();
  }

  /** Whether the catalog is to hear of a new output now. */
  isOutputDue({ outputSinceMs }: LocalCheck): boolean {
    return outputSinceMs !== undefined && performance.now() - outputSinceMs >= this.#parts.options.updateIntervalMs;
  }

  /** The catalog has this output of a check. */
  noteSynced(id: string, output: string): void {
    const check = this.#checks.get(id);
    if (check?.output === output) this.#checks.set(id, { ...check, outputSinceMs: undefined });
  }

  /** Tags that others have set in the catalog (C9.8). */
  adoptTags(id: string, tags: readonly string[]): void {
    const service = this.#services.get(id);
    if (service) this.#services.set(id, { ...service, definition: { ...service.definition, tags } });
  }

  /**
   * Puts a service, or with an empty id the node, into maintenance mode, or takes it out.
   * @throws {UnknownIdError} When there is no such service.
   */
  async setMaintenance(serviceId: string, { isOn, reason }: { isOn: boolean; reason: string }): Promise<void> {
    const service = this.#services.get(serviceId);
    if (serviceId !== "" && !service) {
      throw new UnknownIdError(`No service registered with ID ${JSON.stringify(serviceId)}`);
    }
    const id = serviceId === "" ? NODE_MAINTENANCE : SERVICE_MAINTENANCE_PREFIX + serviceId;
    const what = serviceId === "" ? "Node" : "Service";
    if (!isOn) {
      if (this.#checks.has(id)) await this.#dropCheck(id);
      return this.#changed();
    }
    if (this.#checks.has(id)) return;
    const check = decodeCheck({
      id,
      name: `${what} Maintenance Mode`,
      notes: reason || NO_REASON.replace("{}", what.toLowerCase()),
      service_id: serviceId,
      status: "critical",
    }, { isCatalog: true });
    await this.#keep("checks", id, definitionText(check));
    this.#putCheck(check, "request");
    this.#changed();
  }

  /**
   * Resolves at a change of services or checks, after `ms`, or when the wait is `over`.
   * @throws {TooManyWaitError} When as many wait as may.
   */
  async untilChange(ms: number, over?: Promise<void>): Promise<void> {
    await this.#waits.until(ms, over);
  }

  /** Ends all timers. */
  close(): void {
    for (const scan of this.#scans) clearInterval(scan);
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #expectAllowed(check: CheckDefinition, source: Source): void {
    const { scripts } = this.#parts.options;
    if (check.id === SERF_HEALTH) throw reserved("check", check.id);
    if (!isScript(check) || scripts === "all" || scripts === "local" && source === "file") return;
    throw new LocalRefusal(
      source === "file"
        ? "Scripts are disabled on this agent; to enable, configure 'enable_script_checks' or " +
          "'enable_local_script_checks' to true"
        : "Scripts are disabled on this agent from remote calls; to enable, configure 'enable_script_checks' to true",
    );
  }

  /** A check takes its place, with the status of the one before it. */
  #putCheck(
    definition: CheckDefinition,
    source: Source,
    state?: { readonly status: CheckStatus; readonly output: string },
    ttlMs?: number,
  ): void {
    const before = state ?? this.#checks.get(definition.id);
    const status = before?.status ?? definition.status ?? "critical";
    const output = before?.output ?? "";
    const known = this.#checks.get(definition.id);
    this.#checks.set(definition.id, {
      definition,
      source,
      status,
      output,
      criticalSinceMs: status === "critical" ? known?.criticalSinceMs ?? performance.now() : undefined,
      outputSinceMs: undefined,
    });
    const { kind, id } = definition;
    if (kind.k === "ttl") this.#expireIn(id, ttlMs ?? kind.ttlMs);
    else if (kind.k === "alias") this.#updateAliases(true);
    else if (definition.intervalMs > 0) this.#parts.runner.start(definition, { status, output });
  }

  #expireIn(id: string, ms: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.set(
      id,
      setTimeout(() => {
        const output = this.#checks.get(id)?.output ?? "";
        const isSaid = output.startsWith(EXPIRED);
        const text = output === "" ? EXPIRED : `${EXPIRED} (last output before timeout follows): ${output}`;
        this.setStatus(id, "critical", isSaid ? output : text);
      }, ms),
    );
  }

  /** Ends a check here; what is kept of it stays. */
  #forgetCheck(id: string): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.#checks.delete(id);
    this.#parts.runner.stop(id);
  }

  async #dropCheck(id: string): Promise<void> {
    const check = this.#checks.get(id);
    this.#forgetCheck(id);
    if (check) await this.#forgetKept(check.definition);
  }

  async #forgetKept({ id, kind }: CheckDefinition): Promise<void> {
    await this.#forget("checks", id);
    if (kind.k === "ttl") await this.#forget("states", id);
  }

  #keep(kind: KeptKind, id: string, text: string): Promise<void> {
    return this.#inOrder(() => this.#parts.store.keep(kind, id, text));
  }

  #forget(kind: KeptKind, id: string): Promise<void> {
    return this.#inOrder(() => this.#parts.store.forget(kind, id));
  }

  #inOrder(work: () => Promise<void>): Promise<void> {
    const done = this.#storing.then(work);
    this.#storing = done.catch(() => {}); // whoever asked for it hears of it
    return done;
  }

  #changed(): void {
    this.#waits.wake();
    this.onChange(0);
  }

  /** Deregisters services that were critical for longer than they wanted to be (C5.4). */
  async #endCritical(): Promise<void> {
    const now = performance.now();
    const ended = new Set<string>();
    for (const { definition: { serviceId, deregisterAfterMs }, criticalSinceMs } of this.#checks.values()) {
      const isOver = criticalSinceMs !== undefined && deregisterAfterMs > 0 &&
        now - criticalSinceMs > deregisterAfterMs;
      if (isOver && serviceId !== "") ended.add(serviceId);
    }
    for (const id of ended) {
      this.#parts.log(`Check for service has been critical for too long; deregistering service: service=${id}`, "warn");
      await this.removeService(id).catch((error) => this.#parts.log(messageOf(error), "warn"));
    }
  }

  /** The checks that have the status of others. */
  async #updateAliases(withRemote: boolean): Promise<void> {
    for (const { definition: { id, kind } } of [...this.#checks.values()]) {
      if (kind.k !== "alias") continue;
      const isLocal = kind.node === "" || kind.node.toLowerCase() === this.#parts.nodeName.toLowerCase();
      if (!isLocal && !withRemote) continue;
      const status = isLocal
        ? this.#localStatus(kind.service, id)
        : await this.#parts.remoteStatus(kind.node, kind.service).catch(() => undefined);
      if (status === undefined) {
        this.setStatus(id, "critical", `Unable to find the aliased ${kind.service === "" ? "node" : "service"}`);
      } else this.setStatus(id, status, status === "passing" ? "All checks passing." : `Aliased check is ${status}.`);
    }
  }

  /** The worst status of the checks of a service and of the node, this alias aside. */
  #localStatus(service: string, aliasId: string): CheckStatus | undefined {
    if (service !== "" && !this.#services.has(service)) return undefined;
    const checks = this.checksOf(service, { ofNode: true }).filter(({ definition: { id } }) => id !== aliasId);
    const worst = aggregateStatus(checks.map(({ definition: { id }, status }) => ({ id, status })));
    return worst === "maintenance" ? "critical" : worst;
  }
}

function unknownCheck(id: string): UnknownIdError {
  return new UnknownIdError(
    `Unknown check ID ${JSON.stringify(id)}. Ensure that the check ID is passed, not the check name.`,
  );
}

/** What the leader keeps in the catalog is nobody else's to say. */
function reserved(what: string, id: string): LocalRefusal {
  return new LocalRefusal(`the ${what} ID ${JSON.stringify(id)} is the cluster's own: use another one`);
}

function tooMany(what: string): LocalRefusal {
  return new LocalRefusal(`this agent has ${COUNT_MAX} ${what}, and cannot have more`);
}
