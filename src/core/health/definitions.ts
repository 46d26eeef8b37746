/**
 * Definitions of services and checks, in one plain form, whether they come from a file of configuration in
 * JSON or HCL, from the body of a request, or from the data directory. Pure.
 *
 * Reading fills in what is not said: the ID of a service or of a node's check is its name; a service's check is
 * `service:ID`, or `service:ID:1`, `:2` … where there are several. Rules are checked in Consul's order and with its words.
 * The target of a check is not looked at: one that cannot be reached, or is no address at all, makes the check critical.
 * @module
 */
import { formatDuration } from "../../base/codec/duration.ts";
import { CHECK_STATUSES, type CheckStatus, isCheckStatus } from "./aggregate.ts";
import { type CheckKind, checkKind, KIND_FIELDS, kindFields } from "./check_kind.ts";
import { DefinitionError, DefinitionFields, malformed } from "./definition_fields.ts";
import { OUTPUT_BYTES } from "./output.ts";

/** A check. */
export interface CheckDefinition {
  /** Unique on its node. */
  readonly id: string;
  /** For people. */
  readonly name: string;
  /** What it is for; may be empty. */
  readonly notes: string;
  /** ID of the service that it belongs to; empty: it is a check of the node. */
  readonly serviceId: string;
  /** Status before the first result; undefined: critical. */
  readonly status: CheckStatus | undefined;
  /** Token with which the catalog is told of it; missing: its service's, or the agent's. */
  readonly token?: string;
  /** What it does. */
  readonly kind: CheckKind;
  /** Time between the end of a run and the next run, at least a second; 0 for kinds that do not run. */
  readonly intervalMs: number;
  /** Time limit of a run. @default {30 s for scripts, 10 s for other kinds} */
  readonly timeoutMs: number;
  /** Consecutive successes before the check is passing; 0 and 1 mean the same. */
  readonly successBeforePassing: number;
  /** Consecutive failures before the check is warning; 0: as `failuresBeforeCritical`. */
  readonly failuresBeforeWarning: number;
  /** Consecutive failures before the check is critical; 0 and 1 mean the same. */
  readonly failuresBeforeCritical: number;
  /** Time that the check is critical before its service is deregistered, at least a minute; 0: it never is. */
  readonly deregisterAfterMs: number;
  /** Bytes of output that are kept. */
  readonly outputBytesMax: number;
}

/** Where a service is for those who use one network. */
export interface ServiceAddress {
  /** IP address or host name. */
  readonly address: string;
  /** 0: it has none. */
  readonly port: number;
}

/** A service. */
export interface ServiceDefinition {
  /** Unique on its agent. */
  readonly id: string;
  /** By which it is found, shared by all its instances. */
  readonly name: string;
  /** What tells its instances apart for those who look for one. */
  readonly tags: readonly string[];
  /** Empty: the address of the node. */
  readonly address: string;
  /** 0: it has none. */
  readonly port: number;
  /** Pairs for those who look for an instance. */
  readonly meta: Readonly<Record<string, string>>;
  /** Weights for SRV records, by the status of the service. @default {1 and 1} */
  readonly weights: { readonly passing: number; readonly warning: number };
  /** Other addresses, by tag. */
  readonly taggedAddresses: Readonly<Record<string, ServiceAddress>>;
  /** Whether tags that others set in the catalog are kept. */
  readonly enableTagOverride: boolean;
  /** Empty for a usual service. */
  readonly kind: string;
  /** Path of a Unix socket instead of address and port; empty: none. */
  readonly socketPath: string;
  /** Token with which the catalog is told of it; missing: the agent's. */
  readonly token?: string;
  /** Its checks; each has its `serviceId`. */
  readonly checks: readonly CheckDefinition[];
}

/** How a definition is read. */
export interface DecodeOptions {
  /** Whether a field that is not known is an error, as in files, and not ignored, as in requests. @default {false} */
  readonly strict?: boolean;
  /**
   * Whether this is an entry of the catalog, which no agent runs: a service has its name in `Service`, a check may be of no
   * kind, have its kind in `Definition`, and have no interval. @default {false}
   */
  readonly isCatalog?: boolean;
  /** Most bytes of output that the agent keeps of a check; a check may ask for less. @default {4096} */
  readonly outputBytesMax?: number;
}

const NAME_CHARACTERS_MAX = 255;
const NOTES_CHARACTERS_MAX = 4096;
const TAGS_MAX = 256;
/** Whole rules for proxies stand in tags. */
const TAG_CHARACTERS_MAX = 4096;
const CHECKS_MAX = 64;
const META = { pairsMax: 64, keyCharactersMax: 128, valueCharactersMax: 512 };
const PORT_MAX = 65_535;
const WEIGHT_MAX = 65_535;
const COUNT_MAX = 1_000_000;
const INTERVAL_MS_MIN = 1000;
const DEREGISTER_MS_MIN = 60_000;
const TIMEOUT_MS = { script: 30_000, other: 10_000 };
const ANY_ADDRESS = ["0.0.0.0", "::", "[::]"];

/** Fields of Consul's enterprise version. */
const FOREIGN = "namespace partition peer_name";
const SERVICE_FIELDS = {
  known:
    "id name service tags address port meta weights tagged_addresses enable_tag_override kind socket_path token check checks",
  ignored: `${FOREIGN} connect proxy locality ports`,
};
const CHECK_FIELDS = {
  known: "id check_id name notes service_id status interval timeout success_before_passing failures_before_warning " +
    `failures_before_critical deregister_critical_service_after output_max_size definition token ${KIND_FIELDS}`,
  ignored: `${FOREIGN} exposed_port proxy_http proxy_grpc`,
};

/**
 * Reads a service.
 * @throws {DefinitionError} When it cannot be used.
 */
export function decodeService(value: unknown, options: DecodeOptions = {}): ServiceDefinition {
  const { strict = false, isCatalog = false } = options;
  const fields = new DefinitionFields(value, SERVICE_FIELDS, { where: "the service", strict });
  const name = fields.word(isCatalog ? "service" : "name", NAME_CHARACTERS_MAX);
  const id = fields.word("id", NAME_CHARACTERS_MAX) || name;
  const address = fields.word("address", NAME_CHARACTERS_MAX);
  const decoded = {
    id,
    name,
    tags: fields.texts("tags", { countMax: TAGS_MAX, charactersMax: TAG_CHARACTERS_MAX }),
    address,
    port: fields.whole("port", { max: PORT_MAX }),
    meta: metaOf(fields),
    weights: weightsOf(fields, strict, isCatalog),
    taggedAddresses: taggedAddressesOf(fields, strict),
    enableTagOverride: fields.flag("enable_tag_override"),
    kind: fields.word("kind", NAME_CHARACTERS_MAX),
    socketPath: fields.word("socket_path", NOTES_CHARACTERS_MAX),
    ...tokenIn(fields),
  };
  if (name === "") throw new DefinitionError("Missing service name");
  if (ANY_ADDRESS.includes(address)) throw new DefinitionError("Invalid service address");
  return { ...decoded, checks: checksOf(fields, decoded, options) };
}

/**
 * Reads a check that stands by itself; one with a `service_id` belongs to a service all the same.
 * @throws {DefinitionError} When it cannot be used.
 */
export function decodeCheck(value: unknown, options: DecodeOptions = {}): CheckDefinition {
  const check = checkOf(value, "Bad check status", options);
  const name = check.name || (options.isCatalog ? check.id : "");
  if (name === "") throw new DefinitionError("Missing check name");
  return { ...check, id: check.id || name, name };
}

/** Decoded as far as that goes without the service; ID and name may be empty. */
function checkOf(value: unknown, badStatus: string, options: DecodeOptions): CheckDefinition {
  const { strict = false, isCatalog = false, outputBytesMax = OUTPUT_BYTES } = options;
  const where = "the check";
  const outer = new DefinitionFields(value, CHECK_FIELDS, { where, strict });
  const fields = isCatalog && outer.has("definition")
    ? new DefinitionFields(outer.value("definition"), CHECK_FIELDS, { where: "the definition of the check", strict })
    : outer;
  const status = outer.word("status", NAME_CHARACTERS_MAX);
  const kind = checkKind(fields);
  const asked = fields.whole("output_max_size", { min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER });
  const [before, count] = [fields.durationMs("deregister_critical_service_after"), { max: COUNT_MAX }];
  const check = {
    id: outer.word("id", NAME_CHARACTERS_MAX) || outer.word("check_id", NAME_CHARACTERS_MAX),
    name: outer.word("name", NAME_CHARACTERS_MAX),
    notes: outer.text("notes", NOTES_CHARACTERS_MAX),
    serviceId: outer.word("service_id", NAME_CHARACTERS_MAX),
    ...tokenIn(outer),
    status: statusOf(status, badStatus),
    kind,
    ...timesOf(fields, kind, isCatalog),
    successBeforePassing: fields.whole("success_before_passing", count),
    failuresBeforeWarning: fields.whole("failures_before_warning", count),
    failuresBeforeCritical: fields.whole("failures_before_critical", count),
    deregisterAfterMs: before > 0 ? Math.max(DEREGISTER_MS_MIN, before) : 0,
    outputBytesMax: asked > 0 ? Math.min(asked, outputBytesMax) : outputBytesMax,
  };
  if (asked < 0) throw new DefinitionError("Invalid check: MaxOutputMaxSize must be positive");
  if (check.failuresBeforeWarning > check.failuresBeforeCritical) {
    throw new DefinitionError("Invalid check: FailuresBeforeWarning can't be higher than FailuresBeforeCritical");
  }
  return check;
}

/** With which the catalog is told of it. */
function tokenIn(fields: DefinitionFields): { readonly token?: string } {
  const token = fields.word("token", NAME_CHARACTERS_MAX);
  return token === "" ? {} : { token };
}

function statusOf(text: string, badStatus: string): CheckStatus | undefined {
  if (text === "") return undefined;
  if (!isCheckStatus(text)) throw new DefinitionError(badStatus);
  return text;
}

function timesOf(
  fields: DefinitionFields,
  kind: CheckKind,
  isCatalog: boolean,
): { intervalMs: number; timeoutMs: number } {
  const [interval, timeout] = [fields.durationMs("interval"), fields.durationMs("timeout")];
  if (interval > 0 && kind.k === "ttl") {
    throw new DefinitionError("Invalid check: Interval and TTL cannot both be specified");
  }
  if (kind.k === "none" && !isCatalog) throw new DefinitionError("Invalid check: TTL must be > 0 for TTL checks");
  const runs = kind.k !== "ttl" && kind.k !== "alias" && kind.k !== "none";
  if (runs && interval <= 0 && !isCatalog) {
    throw new DefinitionError(
      "Invalid check: Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks",
    );
  }
  const standard = kind.k === "script" ? TIMEOUT_MS.script : TIMEOUT_MS.other;
  return {
    intervalMs: runs && interval > 0 ? Math.max(INTERVAL_MS_MIN, interval) : 0,
    timeoutMs: timeout > 0 ? timeout : standard,
  };
}

/** The checks of a service; an empty object stands for none, as in Consul. */
function checksOf(
  fields: DefinitionFields,
  service: { readonly id: string; readonly name: string },
  options: DecodeOptions,
): CheckDefinition[] {
  const given = [...fields.objects("check"), ...fields.objects("checks")].filter((one) =>
    one !== null && (typeof one !== "object" || Object.keys(one).length > 0)
  );
  if (given.length > CHECKS_MAX) throw malformed(`Expected the service to have at most ${CHECKS_MAX} checks`);
  const badStatus = `Status for checks must ${CHECK_STATUSES.map((status) => `'${status}'`).join(", ")}`;
  const checks = given.map((one) => checkOf(one, badStatus, options));
  const ids = checkIds({ id: service.id, checks });
  if (new Set(ids).size < ids.length) throw new DefinitionError("Invalid check: two checks of the service have one ID");
  return checks.map((check, at) => ({
    ...check,
    id: ids[at],
    name: check.name || `Service '${service.name}' check`,
    serviceId: service.id,
  }));
}

/** IDs of the checks of a service, in their order: their own, and for those that have none one that follows from the service's. */
export function checkIds(
  { id, checks }: { readonly id: string; readonly checks: readonly { readonly id: string }[] },
): string[] {
  const numbered = (at: number) => checks.length > 1 ? `service:${id}:${at + 1}` : `service:${id}`;
  return checks.map((check, at) => check.id || numbered(at));
}

/** Whether the check runs a program, which the agent has to allow. */
export function isScript({ kind }: CheckDefinition): boolean {
  return kind.k === "script";
}

function metaOf(fields: DefinitionFields): Record<string, string> {
  const pairs = fields.entries("meta");
  const refused = (what: string) => new DefinitionError(`Invalid Service Meta: ${what}`);
  if (pairs.length > META.pairsMax) {
    throw refused(`Node metadata cannot contain more than ${META.pairsMax} key/value pairs`);
  }
  return Object.fromEntries(pairs.map(([key, value]) => {
    if (typeof value !== "string") throw malformed('Expected "meta" of the service to hold strings by name');
    const fault = key === ""
      ? "Key cannot be blank"
      : key.length > META.keyCharactersMax
      ? `Key is too long (limit: ${META.keyCharactersMax} characters)`
      : !/^[\w-]+$/.test(key)
      ? "Key contains invalid characters"
      : value.length > META.valueCharactersMax
      ? `Value is too long (limit: ${META.valueCharactersMax} characters)`
      : undefined;
    if (fault !== undefined) {
      throw refused(`Couldn't load metadata pair ('${key.slice(0, 64)}', '${value.slice(0, 64)}'): ${fault}`);
    }
    return [key, value];
  }));
}

/** The catalog's clients in Go send zeros where no weights were set. */
function weightsOf(fields: DefinitionFields, strict: boolean, isCatalog: boolean): ServiceDefinition["weights"] {
  const given = fields.value("weights") ?? {};
  const weights = new DefinitionFields(given, { known: "passing warning", ignored: "" }, {
    where: "the weights of the service",
    strict,
  });
  const passing = weights.whole("passing", { min: isCatalog ? 0 : 1, max: WEIGHT_MAX, otherwise: 1 });
  const warning = weights.whole("warning", { max: WEIGHT_MAX, otherwise: 1 });
  return passing > 0 ? { passing, warning } : { passing: 1, warning: Math.max(1, warning) };
}

function taggedAddressesOf(fields: DefinitionFields, strict: boolean): Record<string, ServiceAddress> {
  const entries = fields.entries("tagged_addresses");
  if (entries.length > META.pairsMax) throw malformed(`Expected at most ${META.pairsMax} tagged addresses`);
  return Object.fromEntries(entries.map(([tag, value]) => {
    if (tag.length > NAME_CHARACTERS_MAX) throw malformed("Expected tagged addresses to have shorter names");
    const where = `the tagged address "${tag.slice(0, 64)}"`;
    const one = new DefinitionFields(value, { known: "address port", ignored: "" }, { where, strict });
    return [tag, { address: one.word("address", NAME_CHARACTERS_MAX), port: one.whole("port", { max: PORT_MAX }) }];
  }));
}

/** The JSON that {@linkcode decodeService} or {@linkcode decodeCheck} reads the same definition from, for the disk. */
export function definitionText(definition: ServiceDefinition | CheckDefinition): string {
  return JSON.stringify("checks" in definition ? serviceFields(definition) : checkFields(definition));
}

function serviceFields(service: ServiceDefinition): Record<string, unknown> {
  const { id, name, tags, address, port, meta, weights, kind } = service;
  return {
    id,
    name,
    tags,
    address,
    port,
    meta,
    weights,
    tagged_addresses: service.taggedAddresses,
    enable_tag_override: service.enableTagOverride,
    kind,
    socket_path: service.socketPath,
    ...(service.token === undefined ? {} : { token: service.token }),
    checks: service.checks.map(checkFields),
  };
}

function checkFields(check: CheckDefinition): Record<string, unknown> {
  const { id, name, notes, status, kind, intervalMs } = check;
  const { ttl, ...fields } = kindFields(kind);
  return {
    id,
    name,
    notes,
    service_id: check.serviceId,
    ...(check.token === undefined ? {} : { token: check.token }),
    status, // left out where there is none
    ...fields,
    ...(typeof ttl === "number" && { ttl: formatDuration(ttl) }),
    ...(intervalMs > 0 && { interval: formatDuration(intervalMs) }),
    timeout: formatDuration(check.timeoutMs),
    success_before_passing: check.successBeforePassing,
    failures_before_warning: check.failuresBeforeWarning,
    failures_before_critical: check.failuresBeforeCritical,
    ...(check.deregisterAfterMs > 0 && { deregister_critical_service_after: formatDuration(check.deregisterAfterMs) }),
    output_max_size: check.outputBytesMax,
  };
}
