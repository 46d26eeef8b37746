/**
 * The membership Worker: gossip in a thread of its own, so that no statement and no request holds up a probe. It may use
 * the network and its own directory.
 * @module
 */
import { logger } from "../rpc/log.ts";
import { workerScope } from "../rpc/worker_scope.ts";
import type { FromMembership, OpenMembership } from "./api.ts";
import { Membership } from "./membership.ts";
import { serveCalls } from "./calls.ts";

workerScope<OpenMembership, never>().onmessage = async ({ data: { config, port } }) => {
  const clients = new Set([port]);
  const tell = (message: FromMembership) => {
    for (const client of clients) client.postMessage(message);
  };
  const membership = await Membership.start(config, {
    onEvent: (event) => tell({ k: "event", event }),
    log: logger("gossip"),
  });
  serveCalls(membership, port, clients);
};
