/**
 * Gossip as its supervisor sees it: opened by a message, in a Worker of its own or, in a client agent, in the process's only
 * thread; there it is also the way to the servers, as it knows them.
 * @module
 */
import type { FromMembership, MembershipEvent } from "../../drivers/membership/api.ts";
import { serveCalls } from "../../drivers/membership/calls.ts";
import { Membership } from "../../drivers/membership/membership.ts";
import { logger } from "../../base/worker/log.ts";
import type { WorkerScope } from "../../base/worker/worker_scope.ts";
import type { FromPool, OpenPool, ToPool } from "./api.ts";
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

async function open(
  { config, ports, relay: options }: OpenPool,
  onKeys: (keys: readonly Uint8Array[]) => void,
): Promise<FromPool> {
  const clients = new Set<MessagePort>(ports);
  secret = options && ClusterSecret.of(options.clusterSecret);
  relay = options && new Relay(options.port, options.state, { ...options, secret });
  const onEvent = (event: MembershipEvent) => {
    logEvent(event);
    if (membership) relay?.setMembers(membership.members());
    const message: FromMembership = { k: "event", event };
    for (const client of clients) client.postMessage(message);
  };
  let membership: Membership | undefined = undefined;
  const gossipLog = logger("gossip");
  membership = await Membership.start(config, {
    onEvent,
    onKeys,
    log: (line, level) => line.startsWith("EventMember") ? undefined : gossipLog(line, level),
  });
  relay?.setMembers(membership.members());
  for (const port of ports) serveCalls(membership, port, clients);
  return { k: "opened" };
}

/** Does what the line says. */
export function serve(line: WorkerScope<ToPool, FromPool>): void {
  line.onmessage = async ({ data }) => {
    if (data.k === "tls") return relay?.renew(data.tls);
    if (data.k === "secret") return secret?.renew(data.texts);
    try {
      line.postMessage(await open(data, (keys) => line.postMessage({ k: "keys", keys })));
    } catch (error) {
      line.postMessage({ k: "failed", message: messageOf(error) });
    }
  };
}
