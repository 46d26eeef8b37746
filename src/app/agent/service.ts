/**
 * Gossip as its supervisor sees it: opened by a message, in a Worker of its own or, in a client agent, in the process's only
 * thread; there it is also the way to the servers, as it knows them.
 * @module
 */
import type { FromMembership, MembershipConfig, MembershipEvent } from "../../drivers/membership/api.ts";
import { remembersOthers } from "../../drivers/membership/files.ts";
import { refuseCalls, serveCalls } from "../../drivers/membership/calls.ts";
import { Membership } from "../../drivers/membership/membership.ts";
import { logger } from "../../base/worker/log.ts";
import type { WorkerScope } from "../../base/worker/worker_scope.ts";
import { FloodJoin, WAN_PORT_TAG } from "../wan/flood_join.ts";
import type { FromPool, OpenPool, OpenWan, ToPool } from "./api.ts";
import { Relay } from "./relay.ts";
import { ClusterSecret } from "../../drivers/transport/secret.ts";
import { messageOf } from "../../base/codec/error_text.ts";

const log = logger("agent");

const EVENT_NAMES: Readonly<Partial<Record<MembershipEvent["type"], string>>> = {
  "member-join": "EventMemberJoin",
  "member-leave": "EventMemberLeave",
  "member-failed": "EventMemberFailed",
  "member-update": "EventMemberUpdate",
  "member-reap": "EventMemberReap",
};

/** One line for each member, in Serf's words. */
function logEvent(event: MembershipEvent): void {
  if (!("members" in event)) return;
  for (const { name, addr } of event.members) log(`serf: ${EVENT_NAMES[event.type]}: ${name} ${addr}`);
}

/** In a client agent; there is one agent in a thread. */
let relay: Relay | undefined;
let secret: ClusterSecret | undefined;

/** Where news of a pool go. */
interface PoolEvents {
  onEvent(event: MembershipEvent): void;
  onKeys(keys: readonly Uint8Array[]): void;
}

/** Opens a pool, whose members and calls `ports` carry. */
async function openPool(
  config: MembershipConfig,
  ports: readonly MessagePort[],
  { onEvent, onKeys }: PoolEvents,
): Promise<Membership> {
  const clients = new Set<MessagePort>(ports);
  const gossipLog = logger("gossip");
  const membership = await Membership.start(config, {
    onEvent: (event) => {
      logEvent(event);
      onEvent(event);
      const message: FromMembership = { k: "event", event };
      for (const client of clients) client.postMessage(message);
    },
    onKeys,
    log: (line, level) => line.startsWith("EventMember") ? undefined : gossipLog(line, level),
  });
  for (const port of ports) serveCalls(membership, port, clients);
  return membership;
}

/**
 * The pool of all datacenters; undefined where its port is taken and nobody has asked for the pool, nor had this server
 * another one beside it.
 */
async function openWan(
  { config, ports, isRequired }: OpenWan,
  onKeys: PoolEvents["onKeys"],
): Promise<Membership | undefined> {
  try {
    return await openPool(config, ports, { onEvent: () => {}, onKeys });
  } catch (error) {
    const { directory, name } = config;
    if (isRequired || directory !== undefined && remembersOthers(directory, name)) throw error;
    const why = `there is no pool across datacenters (-serf-wan-port): ${messageOf(error)}`;
    log(why, "warn");
    for (const port of ports) refuseCalls(port, why);
    return undefined;
  }
}

async function open({ config, ports, wan: openedWan, relay: options }: OpenPool, tell: Tell): Promise<FromPool> {
  secret = options && ClusterSecret.of(options.clusterSecret);
  relay = options && new Relay(options.port, options.state, { ...options, secret });
  const wan = openedWan && await openWan(openedWan, (keys) => tell({ k: "keys", pool: "wan", keys }));
  const wanTag = wan && { [WAN_PORT_TAG]: String(wan.local.port) };
  let flood: FloodJoin | undefined = undefined;
  let lan: Membership | undefined = undefined;
  lan = await openPool({ ...config, tags: { ...config.tags, ...wanTag } }, ports, {
    onEvent: (event) => {
      if (lan) relay?.setMembers(lan.members());
      if (event.type === "member-join" || event.type === "member-update") flood?.soon();
    },
    onKeys: (keys) => tell({ k: "keys", pool: "lan", keys }),
  });
  relay?.setMembers(lan.members());
  if (wan) flood = new FloodJoin({ lan, wan }, log);
  return { k: "opened" };
}

/** Tells the supervisor. */
type Tell = (message: FromPool) => void;

/** Does what the line says. */
export function serve(line: WorkerScope<ToPool, FromPool>): void {
  line.onmessage = async ({ data }) => {
    if (data.k === "tls") return relay?.renew(data.tls);
    if (data.k === "secret") return secret?.renew(data.texts);
    try {
      line.postMessage(await open(data, (message) => line.postMessage(message)));
    } catch (error) {
      line.postMessage({ k: "failed", message: messageOf(error) });
    }
  };
}
