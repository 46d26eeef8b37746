/**
 * The Worker that looks up members to join, and answers others that look for this agent. It has the network and nothing
 * else: what files hold comes with each call.
 * @module
 */
import { Callee } from "../../base/worker/channel.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { logger } from "../../base/worker/log.ts";
import { workerScope } from "../../base/worker/worker_scope.ts";
import { Announcement } from "../../core/provider/mdns.ts";
import type { Announce, FromProvider, ProviderMethods, ToProvider } from "./api.ts";
import { listPods } from "./k8s.ts";
import { lookUpMdns } from "./mdns_lookup.ts";
import { answerOn } from "./mdns_responder.ts";

const scope = workerScope<ToProvider, FromProvider>();
const log = logger("agent");
/** Keys of what this agent announces. */
const own = new Set<string>();

const callee = new Callee<ProviderMethods>(scope, {
  k8s: ({ options, access }) => listPods(options, access),
  mdns: ({ options, links }) => lookUpMdns(options, { links, own }),
});

/** A link that cannot be listened to leaves the others, and this agent's own questions. */
async function announce({ self, services, links }: Announce): Promise<void> {
  const announcements = services.map((service) => new Announcement(self, service));
  for (const { key } of announcements) own.add(key);
  await Promise.all(links.map(async (link) => {
    try {
      await answerOn(link, announcements, (line) => log(line, "warn"));
      log(`mdns: answering on ${link.name}`);
    } catch (error) {
      log(`mdns: cannot listen on ${link.name}, so others do not find this agent: ${messageOf(error)}`, "error");
    }
  }));
}

scope.onmessage = ({ data }) => {
  if (data.k === "announce") announce(data);
  else callee.take(data);
};
