/**
 * The calls of other Workers, through their ports.
 * @module
 */
import { PortStream } from "../../base/net/byte_stream.ts";
import { Callee, type Methods } from "../../base/worker/channel.ts";
import type { FromMembership, MembershipMethods, ToMembership } from "./api.ts";
import type { Membership } from "./membership.ts";

function methodsOf(membership: Membership, tell: (message: FromMembership) => void): Methods<MembershipMethods> {
  const nothing = async (work: void | Promise<void>) => {
    await work;
    return null;
  };
  return {
    members: () => membership.members(),
    join: ({ addresses, replay }) => membership.join(addresses, { replay }),
    leave: () => nothing(membership.leave()),
    forceLeave: ({ name, prune }) => nothing(membership.forceLeave(name, { prune })),
    setTags: ({ tags }) => nothing(membership.setTags(tags)),
    fireEvent: ({ name, payload, coalesce }) => nothing(membership.fireEvent(name, payload, { coalesce })),
    query: (options, { ref }) =>
      nothing(membership.query(options, (answer) => tell({ k: "query-answer", ref, answer }))),
    respond: ({ ref, payload }) => nothing(membership.respond(ref, payload)),
    keysInstall: (request) => membership.keys("install", request),
    keysUse: (request) => membership.keys("use", request),
    keysRemove: (request) => membership.keys("remove", request),
    keysList: (request) => membership.keys("list", request),
    stats: () => membership.stats(),
    coordinate: ({ name }) => membership.coordinate(name) ?? null,
    coordinates: () => membership.coordinates(),
    close: () => nothing(membership.close()),
  };
}

/** Answers every call that comes through `port` by an error: there is no pool behind it. */
export function refuseCalls(port: MessagePort, why: string): void {
  port.onmessage = ({ data }: MessageEvent<ToMembership>) => {
    if (data.k !== "call") return;
    const answer: FromMembership = { k: "answer", ref: data.ref, error: why };
    port.postMessage(answer);
  };
}

/**
 * Answers the calls that come through `port`, and through the ports of further clients that it brings.
 * @param clients Ports that are told of events; further ones are added.
 */
export function serveCalls(membership: Membership, port: MessagePort, clients: Set<MessagePort>): void {
  const tell = (message: FromMembership) => port.postMessage(message);
  const callee = new Callee(port, methodsOf(membership, tell));
  port.onmessage = ({ data }: MessageEvent<ToMembership>) => {
    if (data.k === "stream") return membership.serveStream(new PortStream(data.port), data.remote);
    if (data.k === "client") {
      clients.add(data.port);
      return serveCalls(membership, data.port, clients);
    }
    callee.take(data);
  };
  tell({ k: "open", local: membership.local });
}
