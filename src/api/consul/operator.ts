/**
 * `/v1/status` and `/v1/operator`: the Raft cluster and the keys of the pool (C7.7).
 * @module
 */
import { DecodeError } from "../../base/codec/cursor.ts";
import {
  AUTOPILOT_ENTRY,
  type AutopilotConfig,
  autopilotConfig,
  autopilotJson,
  serversHealth,
} from "../../app/agent/autopilot.ts";
import type { CatalogRow } from "../../app/agent/catalog.ts";
import type { KeyResult } from "../../drivers/membership/api.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import { type HttpRequest, textOf } from "../http/request.ts";
import { poolProblem } from "./agent.ts";
import { fieldNames, withNames } from "./body.ts";
import { bodyOf } from "./body.ts";
import { DONE, elsewhere, operate, v1Json } from "./respond.ts";
import { changeKeys, type KeyAction, type KeyChange } from "../../app/wan/wan_operations.ts";
import { ForwardError } from "../../app/database/errors.ts";
import { datacenterMap, isOutdated } from "./near.ts";
import { agentOf, type OperateParts } from "./parts.ts";

/** `GET /v1/status/leader`: its cluster address, empty where none is known. */
export async function statusLeader(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  const done = await operate(request, parts, "raftPeers", {});
  return { ...v1Json(done.result.leader, request), ...elsewhere(done) };
}

/** `GET /v1/status/peers`: cluster addresses of the voters. */
export async function statusPeers(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  const done = await operate(request, parts, "raftPeers", {});
  return { ...v1Json(done.result.voters, request), ...elsewhere(done) };
}

/** `GET /v1/operator/raft/configuration`, `?stale`. */
export async function raftConfiguration(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  const done = await operate(request, parts, "raftConfiguration", { isStale: request.params.has("stale") });
  const { servers, index } = done.result;
  const shown = {
    Servers: servers.map(({ id, name, addr, isLeader, isVoter, lastIndex }) => ({
      ID: id,
      Node: name ?? "(unknown)",
      Address: addr,
      Leader: isLeader,
      Voter: isVoter,
      ProtocolVersion: "3",
      LastIndex: lastIndex,
    })),
    Index: index,
  };
  return { ...v1Json(shown, request), ...elsewhere(done) };
}

const AT_ONCE = { consistency: "default", index: 0, waitMs: 0 } as const;

/** The settings about servers, and the row that they stand in. */
async function autopilotOf(
  request: HttpRequest,
  parts: OperateParts,
): Promise<{ config: AutopilotConfig; row: CatalogRow | undefined }> {
  const query = { k: "configEntry", ...AUTOPILOT_ENTRY } as const;
  const { result: { rows: [[row]] } } = await operate(request, parts, "configRead", { query, ...AT_ONCE });
  const { autopilot } = agentOf(parts).options;
  return { config: row ? autopilotConfig(JSON.parse(String(row.body))) : autopilot, row };
}

/** `GET /v1/operator/autopilot/configuration`. */
export async function autopilotConfiguration(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  const { config, row } = await autopilotOf(request, parts);
  const indices = { CreateIndex: Number(row?.create_index ?? 1), ModifyIndex: Number(row?.modify_index ?? 1) };
  return v1Json({ ...autopilotJson(config), ...indices }, request);
}

/** `PUT /v1/operator/autopilot/configuration`, `?cas=`: what the body does not name stays. */
export async function setAutopilotConfiguration(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  const cas = request.params.get("cas");
  if (cas !== undefined && !/^\d{1,15}$/.test(cas)) throw new HttpError(400, "Invalid cas: expected a whole number");
  const { config: before, row } = await autopilotOf(request, parts);
  let config: AutopilotConfig;
  try {
    config = autopilotConfig(bodyOf(request), before);
  } catch (error) {
    if (error instanceof DecodeError) throw new HttpError(400, `Error parsing autopilot config: ${error.message}`);
    throw error;
  }
  // Without an entry there is the standard, whose index is 1.
  const expected = cas === "1" && !row ? "0" : cas;
  const body = JSON.stringify(autopilotJson(config));
  const done = await operate(request, parts, "configPut", { ...AUTOPILOT_ENTRY, body, cas: expected });
  return { ...v1Json(done.result.isDone, request), ...elsewhere(done) };
}

/** `GET /v1/operator/autopilot/health`: 429 unless all servers are well. */
export async function autopilotHealth(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  const [done, { config }] = await Promise.all([
    operate(request, parts, "raftHealth", {}),
    autopilotOf(request, parts),
  ]);
  const { term } = done.result;
  const members = await agentOf(parts).pool.members();
  const { servers, isWell, tolerance } = serversHealth(done.result.servers, members, config);
  const shown = servers.map(({ id, name, addr, isLeader, isVoter, lastIndex, lastContactMs, member, isWell }) => ({
    ID: id,
    Name: name ?? "(unknown)",
    Address: addr,
    SerfStatus: member?.status ?? "none",
    Version: (member?.tags.build ?? "").split(":")[0],
    Leader: isLeader,
    LastContact: lastContactMs === undefined ? "0s" : `${lastContactMs}ms`,
    LastTerm: term,
    LastIndex: lastIndex,
    Healthy: isWell,
    Voter: isVoter,
  }));
  const body = { Healthy: isWell, FailureTolerance: tolerance, Servers: shown };
  return { ...v1Json(body, request), status: isWell ? 200 : 429, ...elsewhere(done) };
}

/** `DELETE /v1/operator/raft/peer?id=` or `?address=`. */
export async function raftRemovePeer(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  const id = request.params.get("id") ?? "";
  const addr = request.params.get("address") ?? "";
  if (id === "" && addr === "") {
    const text = "Must specify either ?id with the server's ID or ?address with IP:port of peer to remove";
    throw new HttpError(400, text);
  }
  if (id !== "" && addr !== "") throw new HttpError(400, "Must specify only one of ?id or ?address");
  return { ...DONE, ...elsewhere(await operate(request, parts, "raftRemovePeer", { id, addr })) };
}

/** `POST /v1/operator/raft/transfer-leader`, `?id=`. */
export async function raftTransfer(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  const done = await operate(request, parts, "raftTransfer", { to: request.params.get("id") ?? "" });
  return { ...v1Json({ Success: true }, request), ...elsewhere(done) };
}

/** Methods of `/v1/operator/keyring`. */
const KEY_METHODS: Readonly<Record<string, KeyAction>> = { GET: "list", POST: "install", PUT: "use", DELETE: "remove" };

/** A pool of gossip with keys. */
interface KeyPool {
  readonly isWan: boolean;
  readonly datacenter: string;
}

/**
 * `/v1/operator/keyring`: GET lists, POST installs, PUT uses, DELETE removes; the pools are asked by gossip: that of all
 * datacenters, those of each, or with `local-only` that of this one. The first comes first, so that a key that cannot be
 * installed there is in no other.
 */
export async function keyring(request: HttpRequest, parts: OperateParts): Promise<HttpResponse> {
  const { options } = agentOf(parts);
  const relay = request.params.get("relay-factor") ?? "0";
  if (!/^[0-5]$/.test(relay)) throw new HttpError(400, "Error parsing relay factor: expected 0 to 5");
  const action = KEY_METHODS[request.method] ?? "list";
  const change = { action, key: action === "list" ? "" : keyOf(request), relayFactor: Number(relay) };
  const isLocal = request.params.has("local-only") && request.params.get("local-only") !== "false";
  const others = isLocal ? [] : await otherDatacenters(request, parts);
  const own = { isWan: false, datacenter: options.datacenter };
  const pools: KeyPool[] = [
    ...(isLocal ? [] : [{ ...own, isWan: true }]),
    own,
    ...others.map((datacenter) => ({ isWan: false, datacenter })),
  ];
  const lists: unknown[] = [];
  for (const { isWan, datacenter } of pools) {
    const done = await keysOf(request, parts, { isWan, datacenter }, change);
    if (!done) continue;
    const { keys, primaryKeys, members } = accepted(done);
    const one = { WAN: isWan, Datacenter: datacenter, Segment: "" };
    lists.push({ ...one, Keys: keys, PrimaryKeys: primaryKeys, NumNodes: members });
  }
  return action === "list" ? v1Json(lists, request) : DONE;
}

async function otherDatacenters(request: HttpRequest, parts: OperateParts): Promise<string[]> {
  try {
    const own = agentOf(parts).options.datacenter;
    return (await datacenterMap(request, parts)).map(({ name }) => name).filter((name) => name !== own);
  } catch (error) {
    if (knowsNoOther(error)) return [];
    throw error;
  }
}

/** Whether a client agent has no server, or one of an earlier version: it changes the keys of its own pool. */
function knowsNoOther(error: unknown): boolean {
  return error instanceof ForwardError && error.code === "no_servers" || isOutdated(error);
}

/** Changes the keys of a pool, here where this agent is in it; undefined where there is no such pool. */
async function keysOf(
  request: HttpRequest,
  parts: OperateParts,
  { isWan, datacenter }: KeyPool,
  change: Omit<KeyChange, "pool">,
): Promise<KeyResult | undefined> {
  const { pool, options } = agentOf(parts);
  try {
    if (!isWan && datacenter === options.datacenter) return await changeKeys(pool, change);
    const params: KeyChange = { pool: isWan ? "wan" : "lan", ...change };
    return (await operate(request, parts, "keyring", params, { datacenter })).result.done;
  } catch (error) {
    if (isWan && knowsNoOther(error)) return undefined;
    throw poolProblem(error);
  }
}

function keyOf(request: HttpRequest): string {
  let key: unknown;
  try {
    ({ Key: key } = Object(withNames(JSON.parse(textOf(request.body)), fieldNames("Key"))));
  } catch {
    // reported below
  }
  if (typeof key !== "string") throw new HttpError(400, `Request decode failed: expected {"Key":"BASE64"}`);
  return key;
}

/** An operation on keys counts when every member did it. */
function accepted(result: KeyResult): KeyResult {
  if (result.failures === 0 && result.responses >= result.members) return result;
  const said = Object.entries(result.messages).map(([name, text]) => `${name}: ${text}`).join("; ");
  const count = `${result.responses - result.failures} of ${result.members} nodes did it`;
  throw new HttpError(500, said === "" ? count : `${count}: ${said}`);
}
