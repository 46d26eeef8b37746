/**
 * Keeps the catalog in step with what this agent says of itself (C9.8): its description, its services, their checks. Gossip
 * reports that a node is up, the node itself registers the rest.
 *
 * It compares the catalog with its own state at once after a change, when it or a server joins or leaves, and about once a
 * minute, less often in large pools; and writes the differences both ways: what is missing or different is registered, what
 * this agent does not know is deregistered. Two comparisons never overlap, so that an older one cannot undo a newer.
 * What cannot be written is tried again, more and more seldom.
 *
 * A node in the catalog that has this agent's name and another id is another agent's: this one leaves it alone, and says so.
 *
 * Where access control is on, each service is registered with its own token, so that one that is denied does not stop the
 * others: it is logged once with its reason, and tried again like everything else.
 * @module
 */
import { Alarm } from "../../base/worker/alarm.ts";
import type { LogLevel } from "../../base/worker/log.ts";
import { NOT_FOUND_TEXT } from "../../core/acl/resource.ts";
import type { AgentTokens } from "../acl/settings.ts";
import { RefusedError, unwrapped } from "../database/errors.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import type { Agent } from "../agent/agent.ts";
import { type CatalogRow, SERF_HEALTH } from "../agent/catalog.ts";
import { ROWS_MAX } from "../agent/catalog_operations.ts";
import {
  checkRow,
  NameTakenError,
  type NodeRegistration,
  type Registration,
  serviceRow,
} from "../agent/registration.ts";
import { catalogCheck, catalogService } from "./definition_rows.ts";
import { type LocalCheck, type LocalService, type LocalState, SERVERS_OWN } from "./local_state.ts";

const PERIOD_MS = 60_000;
/** Part of the period that is added at random. */
const STAGGER = 0.25;
/** Pools up to this size are looked at once in a period; each doubling of the size adds one. */
const POOL_SIZE = 128;
/** Changes come in groups. */
const GATHER_MS = 20;
const POOL_GATHER_MS = 500;
const RETRY_MS = { first: 250, most: 15_000 };

/** The catalog as an agent reaches it: in its own database, or through a server. Each method rejects with a reason for people. */
export interface CatalogAccess {
  /** An agent as the leader's catalog has it; no node where there is none. */
  agent(name: string): Promise<KnownAgent>;
  register(node: NodeRegistration): Promise<void>;
  /** @param token Empty: none; not looked at where access control is off. */
  registerAll(registration: Registration, token: string): Promise<void>;
  /** Takes out a service, or a check. */
  deregister(
    node: string,
    what: { readonly service: string } | { readonly check: string },
    token: string,
  ): Promise<void>;
}

/** An agent in the catalog. */
export interface KnownAgent {
  readonly node:
    | { readonly id: string; readonly address: string; readonly meta: Readonly<Record<string, string>> }
    | undefined;
  readonly services: readonly CatalogRow[];
  readonly checks: readonly CatalogRow[];
}

/** Dependencies of anti-entropy. */
export interface AntiEntropyParts {
  readonly agent: Agent;
  readonly local: LocalState;
  readonly access: CatalogAccess;
  /** Absent where access control is off. */
  readonly tokens?: AgentTokens | undefined;
  log(line: string, level?: LogLevel): void;
}

/** Keeps the catalog in step with one agent. */
export class AntiEntropy {
  readonly #parts: AntiEntropyParts;
  readonly #alarm = new Alarm(() => this.#run());
  #isBusy = false;
  /** Something changed while it was busy. */
  #isBehind = false;
  #retryMs = RETRY_MS.first;
  #isClosed = false;
  /** What access control denies, with its reason. */
  readonly #denied = new Map<string, string>();
  /** Tokens of services, which end with them. */
  readonly #lastTokens = new Map<string, string>();

  constructor(parts: AntiEntropyParts) {
    this.#parts = parts;
    const own = parts.agent.options.nodeName;
    parts.agent.pool.onEvent((event) => {
      if (!("members" in event)) return;
      // In a pool of hundreds not every agent may ask for every other one that comes.
      if (event.members.some(({ name, tags }) => name === own || tags.role === "consul")) this.#in(POOL_GATHER_MS);
    });
    parts.local.onChange = (ms) => this.#in(Math.max(ms, GATHER_MS));
    this.soon();
  }

  /** Looks at once. */
  soon(): void {
    this.#in(GATHER_MS);
  }

  /** Looks no more. */
  close(): void {
    this.#isClosed = true;
    this.#alarm.clear();
  }

  #in(ms: number): void {
    if (this.#isClosed) return;
    if (this.#isBusy && ms <= GATHER_MS) this.#isBehind = true;
    this.#alarm.within(ms);
  }

  async #run(): Promise<void> {
    if (this.#isBusy) return this.#in(GATHER_MS);
    this.#isBusy = true;
    this.#isBehind = false;
    let isDone = false;
    try {
      isDone = await this.#sync();
    } catch (error) {
      const level = error instanceof NameTakenError ? "error" : "warn";
      this.#parts.log(`failed to sync remote state: ${messageOf(error)}`, level);
    }
    this.#isBusy = false;
    if (this.#isBehind) return this.soon();
    if (!isDone) return this.#retry();
    this.#retryMs = RETRY_MS.first;
    this.#in(await this.#period());
  }

  #retry(): void {
    this.#in(this.#retryMs * (1 + Math.random() * STAGGER));
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MS.most);
  }

  async #period(): Promise<number> {
    const { length } = await this.#parts.agent.pool.members().catch(() => []);
    const scale = 1 + Math.max(0, Math.ceil(Math.log2(Math.max(1, length) / POOL_SIZE)));
    return PERIOD_MS * scale * (1 + Math.random() * STAGGER);
  }

  /** Whether the catalog now says what this agent says. */
  async #sync(): Promise<boolean> {
    const { agent: { options: { nodeName, nodeId } }, access } = this.#parts;
    let found: KnownAgent | undefined;
    await this.#unlessDenied("the agent's token", async () => void (found = await access.agent(nodeName)));
    const known = found;
    const node = known?.node;
    if (!known || !node) { // the leader registers it first
      if (known && this.#parts.tokens) {
        this.#noteDenied("node", "the agent's token may not read it: see acl.tokens.agent");
      }
      return false;
    }
    this.#denied.delete("node");
    if (node.id !== nodeId) {
      expectNoNamesake(known, nodeName);
      return false; // the leader gives this agent the place of one that is gone
    }
    const isNodeDone = await this.#unlessDenied("node info", () => this.#syncNode(node));
    const isGone = await this.#deregister(known);
    const isThere = await this.#register(known);
    return isNodeDone && isGone && isThere;
  }

  /** Whether access control let it be done. */
  async #unlessDenied(what: string, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      this.#denied.delete(what);
      return true;
    } catch (thrown) {
      const error = unwrapped(thrown);
      const why = error instanceof RefusedError ? error.why : undefined;
      if (why?.k !== "denied" && why?.k !== "gone") throw thrown;
      this.#noteDenied(what, why.k === "denied" ? why.text : NOT_FOUND_TEXT);
      return false;
    }
  }

  /** Logs a denial once. */
  #noteDenied(what: string, reason: string): void {
    if (this.#denied.get(what) === reason) return;
    this.#denied.set(what, reason);
    this.#parts.log(`update blocked by ACLs: ${what}: ${reason}`, "warn");
  }

  /** The token for a service. */
  #tokenOfService({ definition: { token }, source }: Pick<LocalService, "definition" | "source">): string {
    const { tokens } = this.#parts;
    if (!tokens) return "";
    return token ?? ((source === "file" ? tokens.of("config_file_service_registration") : "") || tokens.of("default"));
  }

  /** The token for checks without a service that is registered with them. */
  #tokenOfCheck({ definition: { token, serviceId }, source }: Pick<LocalCheck, "definition" | "source">): string {
    const { tokens, local } = this.#parts;
    if (!tokens) return "";
    const service = serviceId === "" ? undefined : local.services.get(serviceId);
    if (token !== undefined) return token;
    return service
      ? this.#tokenOfService(service)
      : source === "file"
      ? tokens.of("config_file_service_registration") || tokens.forAgent
      : tokens.forAgent;
  }

  async #syncNode(node: NonNullable<KnownAgent["node"]>): Promise<void> {
    const { agent: { options: { nodeName: name, nodeId: id, meta } }, access } = this.#parts;
    const own = Object.entries(node.meta).filter(([key]) => !key.startsWith("consul-"));
    const isSame = own.length === Object.keys(meta).length && own.every(([key, value]) => meta[key] === value);
    if (!isSame) await access.register({ name, id, address: node.address, taggedAddresses: undefined, meta });
  }

  /** Takes out what this agent does not know. */
  async #deregister({ services, checks }: KnownAgent): Promise<boolean> {
    const { agent: { options: { nodeName } }, access, local, log } = this.#parts;
    const gone = services.map(({ id }) => String(id)).filter((id) => id !== SERVERS_OWN && !local.services.has(id));
    const own = this.#parts.tokens?.forAgent ?? "";
    let isDone = true;
    for (const service of gone) {
      const token = this.#lastTokens.get(service) ?? own;
      const isGone = await this.#unlessDenied(`service=${service}`, async () => {
        try {
          await access.deregister(nodeName, { service }, token);
        } catch (error) {
          if (token === own || !(unwrapped(error) instanceof RefusedError)) throw error;
          await access.deregister(nodeName, { service }, own); // its own token may be gone as well
        }
      });
      if (isGone) {
        this.#lastTokens.delete(service);
        log(`Deregistered service: service=${service}`);
      }
      isDone &&= isGone;
    }
    for (const { id, service_id: service } of checks) {
      const check = String(id);
      const isOthers = check === SERF_HEALTH || service === SERVERS_OWN;
      if (isOthers || local.checks.has(check) || gone.includes(String(service))) continue;
      const token = this.#lastTokens.get(String(service)) ?? own;
      const isGone = await this.#unlessDenied(`check=${check}`, () => access.deregister(nodeName, { check }, token));
      if (isGone) log(`Deregistered check: check=${check}`);
      isDone &&= isGone;
    }
    return isDone;
  }

  /** Writes what is missing or different. */
  async #register(known: KnownAgent): Promise<boolean> {
    const { local, log, tokens } = this.#parts;
    let isDone = true;
    if (tokens) {
      for (const service of local.services.values()) {
        this.#lastTokens.set(service.definition.id, this.#tokenOfService(service));
      }
    }
    const services = [...local.services.values()].filter((service) => !this.#isKnownService(service, known.services));
    const checks = [...local.checks.values()].filter((check) => !this.#isKnownCheck(check, known.checks));
    for (const part of parted(services, checks, tokens ? 1 : ROWS_MAX)) {
      const isWritten = await this.#unlessDenied(nameOf(part), () => this.#registerPart(part));
      isDone &&= isWritten;
      if (!isWritten) continue;
      for (const { definition: { id } } of part.services) log(`Synced service: service=${id}`);
      for (const { definition: { id }, output } of part.checks) {
        local.noteSynced(id, output);
        log(`Synced check: check=${id}`, "debug");
      }
    }
    return isDone;
  }

  async #registerPart({ services, checks }: Part): Promise<void> {
    const [service, check] = [services.at(0), checks.at(0)];
    const token = service ? this.#tokenOfService(service) : check ? this.#tokenOfCheck(check) : "";
    await this.#registerAll({
      services: services.map(({ definition }) => catalogService(definition)),
      checks: checks.map((check) => catalogCheck(check.definition, check)),
    }, token);
  }

  async #registerAll(rows: Pick<Registration, "services" | "checks">, token: string): Promise<void> {
    const { agent: { options: { nodeName: name, nodeId: id } }, access } = this.#parts;
    const node = { name, id, address: "", taggedAddresses: undefined, meta: {} };
    await access.registerAll({ node, skipsNode: true, ...rows }, token);
  }

  /** Whether the catalog has a service as it is. Its tags may be others' to set. */
  #isKnownService({ definition }: LocalService, rows: readonly CatalogRow[]): boolean {
    const { agent: { options: { nodeName } }, local } = this.#parts;
    const row = rows.find(({ id }) => id === definition.id);
    if (!row) return false;
    const tags: string[] = JSON.parse(String(row.tags));
    const takesTags = definition.enableTagOverride && JSON.stringify(tags) !== JSON.stringify(definition.tags);
    if (takesTags) local.adoptTags(definition.id, tags);
    const own = catalogService(takesTags ? { ...definition, tags } : definition);
    return isSameRow(serviceRow(nodeName, own), row);
  }

  /** Whether the catalog has a check as it is, or with an output that is new enough. */
  #isKnownCheck(check: LocalCheck, rows: readonly CatalogRow[]): boolean {
    const { agent: { options: { nodeName } }, local } = this.#parts;
    const { definition } = check;
    const row = rows.find(({ id }) => id === definition.id);
    if (!row) return false;
    const name = local.services.get(definition.serviceId)?.definition.name ?? "";
    const { output, ...rest } = checkRow(nodeName, catalogCheck(definition, check), name);
    return isSameRow(rest, row) && (output === row.output || !local.isOutputDue(check));
  }
}

/**
 * What is registered by this agent's name is another agent's, and so is not for this one to change.
 * @throws {NameTakenError} When that one is alive.
 */
function expectNoNamesake({ node, checks }: KnownAgent, name: string): void {
  const isAlive = checks.some(({ id, status }) => id === SERF_HEALTH && status === "passing");
  if (!node || !isAlive) return;
  throw new NameTakenError(
    `Node name ${name} is reserved by node ${node.id} (${node.address}), which is alive: nothing of this agent is in ` +
      "the catalog; start it with another -node, or stop that one",
  );
}

/** What one registration writes. */
interface Part {
  readonly services: LocalService[];
  readonly checks: LocalCheck[];
}

/**
 * Services and checks in as few registrations as their limit allows. A service comes with its checks: without them everybody
 * would be sent to an instance that may not serve yet.
 */
function parted(services: readonly LocalService[], checks: readonly LocalCheck[], servicesMax: number): Part[] {
  const parts: Part[] = [];
  let part: Part | undefined;
  const add = (service: LocalService | undefined, some: readonly LocalCheck[]) => {
    const isAlone = servicesMax === 1; // with a token of its own
    if (!part || isAlone || part.services.length >= servicesMax || part.checks.length + some.length > ROWS_MAX) {
      part = { services: [], checks: [] };
      parts.push(part);
    }
    if (service) part.services.push(service);
    part.checks.push(...some);
  };
  const ids = new Set(services.map(({ definition }) => definition.id));
  const byService = Map.groupBy(checks, ({ definition: { serviceId } }) => ids.has(serviceId) ? serviceId : "");
  for (const service of services) add(service, byService.get(service.definition.id) ?? []);
  for (const check of byService.get("") ?? []) add(undefined, [check]);
  return parts;
}

/** What a registration is about, for the log. */
function nameOf({ services, checks }: Part): string {
  const [service, check] = [services.at(0), checks.at(0)];
  return service ? `service=${service.definition.id}` : `check=${check?.definition.id}`;
}

/** Whether a row of the catalog has these values; names of nodes in whatever case. */
function isSameRow({ node: _, ...wanted }: Readonly<Record<string, string | bigint>>, row: CatalogRow): boolean {
  return Object.entries(wanted).every(([column, value]) => String(row[column]) === String(value));
}
