/**
 * The membership Worker: gossip in a thread of its own, so that no statement and no request holds up a probe; in a client
 * agent also the way to the servers, as it knows them. It may use the network and its own directory.
 * @module
 */
import type { FromMembership, MembershipEvent } from "../membership/api.ts";
import { serveCalls } from "../membership/calls.ts";
import { Membership } from "../membership/membership.ts";
import { logger } from "../rpc/log.ts";
import { workerScope } from "../rpc/worker_scope.ts";
import type { FromPool, OpenPool } from "./api.ts";
import { Relay } from "./relay.ts";

const scope = workerScope<OpenPool, FromPool>();
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

async function open({ config, ports, relay: options }: OpenPool): Promise<void> {
  const clients = new Set<MessagePort>(ports);
  const relay = options && new Relay(options.port, options.state, options);
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
    log: (line, level) => line.startsWith("EventMember") ? undefined : gossipLog(line, level),
  });
  relay?.setMembers(membership.members());
  for (const port of ports) serveCalls(membership, port, clients);
  scope.postMessage({ k: "opened" });
}

scope.onmessage = ({ data: { k, config, ports, relay } }) => {
  open({ k, config, ports, ...(relay ? { relay } : {}) }).catch((error) => {
    scope.postMessage({ k: "failed", message: error instanceof Error ? error.message : String(error) });
  });
};
