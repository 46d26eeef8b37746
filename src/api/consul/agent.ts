/**
 * `/v1/agent`: this agent and the gossip pool as it sees it (C7.1). Needs no leader and no server.
 * @module
 */
import type { MemberRecord } from "../../drivers/membership/api.ts";
import { LOG_LEVELS, type LogLine, logLines } from "../../base/worker/log.ts";
import { type PoolClient, PoolError } from "../../drivers/membership/client.ts";
import type { Fields } from "./filter.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import type { TlsFacts } from "../../app/agent/agent.ts";
import { needsOf } from "../../core/acl/resource.ts";
import { visible } from "../acl/allowed.ts";
import { agentOf, type AgentParts, type ConsulParts, localOf } from "./parts.ts";
import { agentStats, apiVersion, buildOf, type StatsParts } from "./stats.ts";
import { chosen, DONE, v1Json } from "./respond.ts";
import { coordJson } from "./show.ts";
import { joinAddress, splitAddress } from "../../base/codec/address.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** Numbers of the states of a member (C7.1.2). */
const STATUS_NUMBERS: Readonly<Record<MemberRecord["status"], number>> = { alive: 1, leaving: 2, left: 3, failed: 4 };

/** Fields of a member that a filter may name. */
const MEMBER_FIELDS: Fields = {
  Name: "text",
  Addr: "text",
  Port: "number",
  Tags: "map",
  Status: "number",
  ProtocolMin: "number",
  ProtocolMax: "number",
  ProtocolCur: "number",
  DelegateMin: "number",
  DelegateMax: "number",
  DelegateCur: "number",
};

/** A member as the API shows it. */
export function memberJson(member: MemberRecord): Record<string, unknown> {
  return {
    Name: member.name,
    Addr: member.addr,
    Port: member.port,
    Tags: member.tags,
    Status: STATUS_NUMBERS[member.status],
    ProtocolMin: member.protocolMin,
    ProtocolMax: member.protocolMax,
    ProtocolCur: member.protocolCur,
    DelegateMin: member.delegateMin,
    DelegateMax: member.delegateMax,
    DelegateCur: member.delegateCur,
  };
}

/** `GET /v1/agent/self`. */
export async function self(request: HttpRequest, parts: StatsParts): Promise<HttpResponse> {
  const { options, pool } = agentOf(parts);
  const [members, coordinate] = await Promise.all([pool.members(), pool.call("coordinate", {})]);
  const own = members.find(({ name }) => name === options.nodeName);
  return v1Json({
    Config: {
      Datacenter: options.datacenter,
      PrimaryDatacenter: options.datacenter,
      NodeName: options.nodeName,
      NodeID: options.nodeId,
      Server: options.isServer,
      Revision: "",
      Version: apiVersion(own),
      BuildDate: "",
    },
    DebugConfig: debugConfig(parts, apiVersion(own)),
    Coord: coordinate && coordJson(coordinate),
    Member: own && memberJson(own),
    Stats: await agentStats(parts),
    Meta: options.meta,
  }, request);
}

/** What clients read of an agent's configuration. */
function debugConfig(parts: StatsParts, version: string): Record<string, unknown> {
  const { options: { tls, datacenter, nodeName, nodeId, isServer, bootstrap, meta, acl, wan } } = agentOf(parts);
  const { hostname, port } = splitAddress(parts.options.clusterAddr);
  const checks = localOf(parts).options;
  return {
    ACLsEnabled: acl !== undefined,
    AdvertiseAddrLAN: hostname,
    AdvertiseAddrWAN: wan?.host ?? hostname,
    Bootstrap: bootstrap,
    CheckOutputMaxSize: checks.outputBytesMax,
    CheckUpdateInterval: `${checks.updateIntervalMs / 1000}s`,
    ConnectEnabled: false,
    Datacenter: datacenter,
    EnableLocalScriptChecks: checks.scripts !== "none",
    EnableRemoteScriptChecks: checks.scripts === "all",
    NodeID: nodeId,
    NodeMeta: meta,
    NodeName: nodeName,
    PrimaryDatacenter: datacenter,
    SerfAdvertiseAddrLAN: `tcp://${joinAddress(hostname, port)}`,
    ...(wan ? { SerfAdvertiseAddrWAN: `tcp://${joinAddress(wan.host, wan.port)}` } : {}),
    SerfPortLAN: port,
    SerfPortWAN: wan?.port ?? -1,
    ServerMode: isServer,
    ServerPort: port,
    TLS: { HTTPS: tlsJson(tls.https), InternalRPC: tlsJson(tls.calls) },
    Version: version,
  };
}

/** `GET /v1/agent/version`. */
export async function version(request: HttpRequest, parts: StatsParts): Promise<HttpResponse> {
  const { options, pool } = agentOf(parts);
  const own = (await pool.members()).find(({ name }) => name === options.nodeName);
  return v1Json({ SHA: "", BuildDate: "", HumanVersion: buildOf(own), FIPS: "" }, request);
}

/** Paths of the mesh, as Consul answers them where it is off. */
export function mesh(): HttpResponse {
  throw new HttpError(500, "Connect must be enabled in order to use this endpoint");
}

/** As Consul has it: the paths of files, and never a key. */
function tlsJson(facts: TlsFacts): Record<string, unknown> {
  return {
    CAFile: facts.caPath,
    CAPath: "",
    CertFile: facts.certFile,
    CipherSuites: [],
    KeyFile: facts.certFile === "" ? "" : "hidden",
    TLSMinVersion: facts.minVersion.replace(".", "_"),
    VerifyIncoming: facts.verifiesIncoming,
    VerifyOutgoing: facts.verifiesOutgoing,
    VerifyServerHostname: facts.verifiesName,
  };
}

/** `GET /v1/agent/members`. */
export async function members(
  request: HttpRequest,
  parts: AgentParts & Pick<ConsulParts, "access">,
): Promise<HttpResponse> {
  const { pool, wan } = agentOf(parts);
  const all = await (asksForWan(request) ? wan?.members() ?? [] : pool.members());
  const { some, headers } = await visible(request, parts, all, ({ name }) => needsOf("node", "read", name));
  return { ...v1Json(chosen(some.map(memberJson), request, MEMBER_FIELDS), request), headers };
}

function asksForWan({ params }: HttpRequest): boolean {
  return params.has("wan") && params.get("wan") !== "0";
}

/** The pool that is asked for: of the datacenter, or with `?wan` that of the servers of all. */
function poolAskedFor(request: HttpRequest, parts: AgentParts): PoolClient {
  const { pool, wan, options } = agentOf(parts);
  if (!asksForWan(request)) return pool;
  if (wan) return wan;
  throw new HttpError(
    500,
    options.isServer
      ? "There is no pool across datacenters: ports.serf_wan is -1"
      : "Must be a server to join WAN cluster",
  );
}

/** `PUT /v1/agent/join/ADDR`. */
export async function join(
  request: HttpRequest,
  parts: Pick<ConsulParts, "agent" | "log">,
  address: string,
): Promise<HttpResponse> {
  const pool = poolAskedFor(request, parts);
  if (address === "") throw new HttpError(400, "Missing address to join");
  if (!/^[\x21-\x7e]{1,300}$/.test(address)) {
    throw new HttpError(400, "Invalid address to join: expected IP, host or host:port");
  }
  const kind = asksForWan(request) ? "WAN" : "LAN";
  parts.log(`(${kind}) joining: ${kind.toLowerCase()}_addresses=[${address}]`);
  const { joined, errors } = await pool.call("join", { addresses: [address] });
  if (joined === 0) throw new HttpError(500, errors.join("; "));
  parts.log(`(${kind}) joined: number_of_nodes=${joined}`);
  return DONE;
}

/** `PUT /v1/agent/leave`: answered when the others were told; then the process ends. */
export async function leave(_request: HttpRequest, parts: AgentParts): Promise<HttpResponse> {
  await agentOf(parts).askSupervisor("leave");
  return DONE;
}

/** `PUT /v1/agent/reload`. */
export async function reload(_request: HttpRequest, parts: AgentParts): Promise<HttpResponse> {
  try {
    await agentOf(parts).askSupervisor("reload");
    return DONE;
  } catch (error) {
    throw new HttpError(500, messageOf(error));
  }
}

/** `PUT /v1/agent/force-leave/NAME`, `?prune`. */
export async function forceLeave(request: HttpRequest, parts: AgentParts, name: string): Promise<HttpResponse> {
  const pool = poolAskedFor(request, parts);
  const known = (await pool.members()).some((member) => member.name === name);
  if (!known) throw new HttpError(500, `agent: No node found with name '${name}'`);
  const prune = request.params.has("prune");
  await pool.call("forceLeave", { name, prune });
  if (!asksForWan(request)) await forceLeaveWan(parts, { name, prune });
  return DONE;
}

/** As in Consul, a server that is declared left is so in the pool of all datacenters as well, where this agent is in it. */
async function forceLeaveWan(parts: AgentParts, { name, prune }: { name: string; prune: boolean }): Promise<void> {
  const { wan, options } = agentOf(parts);
  const members = await wan?.members().catch(() => []) ?? []; // there may be no such pool
  const there = `${name}.${options.datacenter}`;
  if (members.some((member) => member.name === there)) await wan?.call("forceLeave", { name: there, prune });
}

/** `GET /v1/agent/monitor`, `?loglevel=`, `?logjson`: the log as it comes. */
export function monitor(request: HttpRequest): HttpResponse {
  const level = (request.params.get("loglevel") ?? "info").toLowerCase().replace(/^err$/, "error");
  const least = LOG_LEVELS.findIndex((one) => one === (level === "trace" ? "debug" : level));
  if (least < 0) throw new HttpError(400, `Unknown log level: ${level}`);
  const render = request.params.has("logjson") ? jsonLine : textLine;
  return {
    status: 200,
    body: "",
    contentType: "text/plain; charset=utf-8",
    stream: { pieces: (over) => monitored(least, render, over) },
  };
}

async function* monitored(
  least: number,
  render: (line: LogLine) => string,
  over: Promise<void>,
): AsyncGenerator<string> {
  for await (const line of logLines(over)) if (LOG_LEVELS.indexOf(line.level) >= least) yield render(line);
}

function textLine({ atMs, level, part, line }: LogLine): string {
  return `${new Date(atMs).toISOString()} ${`[${level.toUpperCase()}]`.padEnd(7)} ${part}: ${line}\n`;
}

function jsonLine({ atMs, level, part, line }: LogLine): string {
  const at = new Date(atMs).toISOString();
  return `${JSON.stringify({ "@level": level, "@message": line, "@module": part, "@timestamp": at })}\n`;
}

/** Converts a refusal of the pool to an HTTP error. */
export function poolProblem(error: unknown): unknown {
  return error instanceof PoolError ? new HttpError(500, error.message) : error;
}
