/**
 * `PUT /v1/catalog/register` and `/deregister` (spec/consul.md 7.2): nodes, with what describes them, written by hand or by
 * their agents. What a live agent or gossip says comes back by itself.
 * @module
 */
import { type CatalogWrite, remove, upsert } from "../../core/catalog/catalog.ts";
import { SERF_HEALTH } from "../../app/agent/catalog.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import { type HttpRequest, type Services, textOf } from "../http/request.ts";
import { agentOf } from "./agent.ts";
import { toLeader, v1Json } from "./respond.ts";

const META_PAIRS_MAX = 64;
/** Bytes of a key or value, of a name, an address or an id: what is in the catalog goes to every node, and into memory. */
const META_CHARS_MAX = 512;
const NAME_CHARS_MAX = 255;
// deno-lint-ignore no-control-regex -- control characters are what it looks for
const CONTROL = /[\x00-\x1f\x7f]/;

/** A body of JSON, as texts and objects by name. */
function bodyOf(request: HttpRequest): Record<string, unknown> {
  let body: unknown;
  try {
    body = JSON.parse(textOf(request.body));
  } catch (error) {
    throw new HttpError(400, `Request decode failed: ${error instanceof Error ? error.message : error}`);
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new HttpError(400, "Request decode failed: expected an object");
  }
  return Object.fromEntries(Object.entries(body));
}

function text(body: Record<string, unknown>, name: string): string {
  const value = body[name];
  if (value === undefined || value === null) return "";
  if (typeof value !== "string") throw new HttpError(400, `Request decode failed: expected "${name}" to be a text`);
  if (value.length > NAME_CHARS_MAX || CONTROL.test(value)) {
    const most = `at most ${NAME_CHARS_MAX} characters, none of them a control character`;
    throw new HttpError(400, `Request decode failed: expected "${name}" to have ${most}`);
  }
  return value;
}

function texts(body: Record<string, unknown>, name: string): Record<string, string> {
  const value = body[name] ?? {};
  const entries = typeof value === "object" && value !== null ? Object.entries(value) : [];
  if (!entries.every(([, one]) => typeof one === "string")) {
    throw new HttpError(400, `Request decode failed: expected "${name}" to hold texts by name`);
  }
  if (entries.length > META_PAIRS_MAX) throw new HttpError(400, `Invalid ${name}: more than ${META_PAIRS_MAX} pairs`);
  if (entries.some(([key, one]) => key.length > META_CHARS_MAX || String(one).length > META_CHARS_MAX)) {
    throw new HttpError(400, `Invalid ${name}: a key or value is longer than ${META_CHARS_MAX} characters`);
  }
  return Object.fromEntries(entries.map(([key, one]) => [key, String(one)]));
}

/** There is one datacenter. */
function checkDatacenter(body: Record<string, unknown>, services: Services): void {
  const asked = text(body, "Datacenter").toLowerCase();
  if (asked !== "" && asked !== agentOf(services).options.datacenter) throw new HttpError(500, "No path to datacenter");
}

/** `PUT /v1/catalog/register`; services and checks are not supported yet. */
export async function register(request: HttpRequest, services: Services): Promise<HttpResponse> {
  const body = bodyOf(request);
  const name = text(body, "Node");
  const address = text(body, "Address");
  if (name === "") throw new HttpError(500, "Must provide node");
  if (address === "") throw new HttpError(500, "Must provide address if SkipNodeUpdate is not set");
  for (const key of ["Service", "Check", "Checks"]) {
    if (body[key] !== undefined && body[key] !== null) {
      throw new HttpError(501, `registering a ${key} is not supported yet`);
    }
  }
  checkDatacenter(body, services);
  if (!services.state.isLeader) return await toLeader(request, services);
  const { datacenter } = agentOf(services).options;
  const { rows: [[known], [alive]] } = await services.catalog.read([], [
    { sql: "SELECT * FROM _muster_nodes WHERE name = ?", positional: [name] },
    {
      sql: `SELECT 1 FROM _muster_checks WHERE node = ? AND id = '${SERF_HEALTH}' AND status = 'passing'`,
      positional: [name],
    },
  ]);
  const id = text(body, "ID");
  if (alive && id !== "" && known?.id !== id) {
    const holder = `node ${known?.id} with name ${known?.name} (${known?.address})`;
    throw new HttpError(500, `Node name ${name} is reserved by ${holder}`);
  }
  const own: Record<string, string> = known ? JSON.parse(String(known.meta)) : {};
  const kept = Object.entries(own).filter(([key]) => key.startsWith("consul-"));
  const family = address.includes(":") ? "ipv6" : "ipv4";
  const tagged = { lan: address, [`lan_${family}`]: address, ...texts(body, "TaggedAddresses") };
  const isWhereItWas = known?.address === address && body.TaggedAddresses === undefined;
  await services.catalog.write([upsert("nodes", ["name"], {
    name,
    id: id || String(known?.id ?? ""),
    address,
    datacenter,
    tagged_addresses: isWhereItWas ? String(known.tagged_addresses) : sortedJson(tagged),
    meta: sortedJson({ ...texts(body, "NodeMeta"), ...Object.fromEntries(kept) }),
  })]);
  return v1Json(true, request);
}

/** `PUT /v1/catalog/deregister`: a node with all that belongs to it, one of its services, or one of its checks. */
export async function deregister(request: HttpRequest, services: Services): Promise<HttpResponse> {
  const body = bodyOf(request);
  const node = text(body, "Node");
  const [service, check] = [text(body, "ServiceID"), text(body, "CheckID")];
  if (node === "") throw new HttpError(500, "Must provide node");
  checkDatacenter(body, services);
  if (!services.state.isLeader) return await toLeader(request, services);
  await services.catalog.write(removals(node, service, check));
  return v1Json(true, request);
}

function removals(node: string, service: string, check: string): CatalogWrite[] {
  if (service !== "") {
    return [remove("services", { node, id: service }), remove("checks", { node, service_id: service })];
  }
  if (check !== "") return [remove("checks", { node, id: check })];
  return [remove("services", { node }), remove("checks", { node }), remove("nodes", { name: node })];
}

/** The same text for the same pairs, in whatever order they come. */
export function sortedJson(pairs: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.fromEntries(Object.entries(pairs).sort(([a], [b]) => (a < b ? -1 : 1))));
}
