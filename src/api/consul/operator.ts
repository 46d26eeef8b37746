/**
 * `/v1/status` and `/v1/operator`: the Raft cluster and the keys of the pool (C7.7).
 * @module
 */
import type { CoreStatus } from "../../core/raft/effects.ts";
import type { KeyResult } from "../../drivers/membership/api.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import { type HttpRequest, textOf } from "../http/request.ts";
import { agentOf, poolProblem } from "./agent.ts";
import { DONE, toLeader, v1Json } from "./respond.ts";
import type { ConsulParts } from "./parts.ts";

const TRANSFER_TIMEOUT_MS = 10_000;

/** `GET /v1/status/leader`: its cluster address, empty where none is known. */
export function statusLeader(request: HttpRequest, { replica }: ConsulParts): HttpResponse {
  return v1Json(replica.leader?.addr ?? "", request);
}

/** `GET /v1/status/peers`: cluster addresses of the voters. */
export function statusPeers(request: HttpRequest, { replica }: ConsulParts): HttpResponse {
  return v1Json(replica.members.filter(({ role }) => role === "voter").map(({ addr }) => addr), request);
}

/** `GET /v1/operator/raft/configuration`, `?stale`. */
export async function raftConfiguration(request: HttpRequest, parts: ConsulParts): Promise<HttpResponse> {
  if (!parts.state.isLeader && !request.params.has("stale")) return await toLeader(request, parts);
  const [{ core: value }, members] = await Promise.all([
    parts.replica.call("status", {}),
    agentOf(parts).pool.members(),
  ]);
  const core = value as CoreStatus; // the replica's own word
  const names = new Map(members.map(({ name, tags }) => [tags.id, name]));
  const matches = new Map(core.progress.map(({ id, match }) => [id, match]));
  return v1Json({
    Servers: core.config.members.map(({ id, addr, role }) => ({
      ID: id,
      Node: names.get(id) ?? "(unknown)",
      Address: addr,
      Leader: id === core.leader,
      Voter: role === "voter",
      ProtocolVersion: "3",
      LastIndex: id === core.id ? core.last.index : matches.get(id) ?? 0,
    })),
    Index: core.config.at,
  }, request);
}

/** `DELETE /v1/operator/raft/peer?id=` or `?address=`. */
export async function raftRemovePeer(request: HttpRequest, parts: ConsulParts): Promise<HttpResponse> {
  const id = request.params.get("id") ?? "";
  const address = request.params.get("address") ?? "";
  if (id === "" && address === "") {
    const text = "Must specify either ?id with the server's ID or ?address with IP:port of peer to remove";
    throw new HttpError(400, text);
  }
  if (id !== "" && address !== "") throw new HttpError(400, "Must specify only one of ?id or ?address");
  if (!parts.state.isLeader) return await toLeader(request, parts);
  const member = parts.replica.members.find((one) => id !== "" ? one.id === id : one.addr === address);
  if (!member) {
    const asked = id !== "" ? `id "${id}"` : `address "${address}"`;
    throw new HttpError(500, `${asked} was not found in the Raft configuration`);
  }
  await parts.replica.call("remove", { id: member.id, timeoutMs: TRANSFER_TIMEOUT_MS });
  return DONE;
}

/** `POST /v1/operator/raft/transfer-leader`, `?id=`. */
export async function raftTransfer(request: HttpRequest, parts: ConsulParts): Promise<HttpResponse> {
  if (!parts.state.isLeader) return await toLeader(request, parts);
  const to = request.params.get("id");
  await parts.replica.call("transfer", { ...(to ? { to } : {}), timeoutMs: TRANSFER_TIMEOUT_MS });
  return v1Json({ Success: true }, request);
}

/** `/v1/operator/keyring`: GET lists, POST installs, PUT uses, DELETE removes; the pool is asked by gossip. */
export async function keyring(request: HttpRequest, parts: ConsulParts): Promise<HttpResponse> {
  const { pool, options } = agentOf(parts);
  const relay = request.params.get("relay-factor") ?? "0";
  if (!/^[0-5]$/.test(relay)) throw new HttpError(400, "Error parsing relay factor: expected 0 to 5");
  const relayFactor = Number(relay);
  try {
    if (request.method === "GET") {
      const { keys, primaryKeys, members } = accepted(await pool.call("keysList", { relayFactor }));
      const one = { WAN: false, Datacenter: options.datacenter, Segment: "" };
      return v1Json([{ ...one, Keys: keys, PrimaryKeys: primaryKeys, NumNodes: members }], request);
    }
    const params = { key: keyOf(request), relayFactor };
    const method = request.method === "POST" ? "keysInstall" : request.method === "PUT" ? "keysUse" : "keysRemove";
    accepted(await pool.call(method, params));
    return DONE;
  } catch (error) {
    throw poolProblem(error);
  }
}

function keyOf(request: HttpRequest): string {
  let key: unknown;
  try {
    ({ Key: key } = JSON.parse(textOf(request.body)));
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
