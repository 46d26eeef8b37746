/**
 * The Worker that announces an agent at a rendezvous, or is one: it listens at its own address, and asks the agent's API and
 * the rendezvous that the operator names, wherever they are. It reads and runs nothing.
 * @module
 */
import { RendezvousHandler } from "../../api/rendezvous/handler.ts";
import { splitAddress } from "../../base/codec/address.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { logger } from "../../base/worker/log.ts";
import { workerScope } from "../../base/worker/worker_scope.ts";
import { announce } from "./announcer.ts";
import type { FromRendezvous, RendezvousConfig, ToRendezvous } from "./api.ts";
import { KvRegistry } from "./registry.ts";

const scope = workerScope<ToRendezvous, FromRendezvous>();
const log = logger("agent");
const over = new AbortController();
let announcing: Promise<void> | undefined;

/** Listens; a request is bounded by the handler, and its connection by the runtime. */
function serve({ addr, cert, key }: RendezvousConfig, url: string): void {
  const handler = new RendezvousHandler(new KvRegistry(url), (line) => log(line, "warn"));
  const { hostname, port } = splitAddress(addr);
  Deno.serve({
    hostname,
    port,
    ...(cert === "" ? {} : { cert, key }),
    signal: over.signal,
    onListen: () => log(`rendezvous: listening at ${cert === "" ? "http" : "https"}://${addr}`),
    onError: () => new Response("internal error\n", { status: 500 }),
  }, (request, { remoteAddr }) => handler.handle(request, remoteAddr.hostname, performance.now()));
}

scope.onmessage = async ({ data }) => {
  switch (data.k) {
    case "serve":
      try {
        serve(data.config, data.url);
      } catch (error) {
        scope.postMessage({
          k: "failed",
          message: `rendezvous: cannot listen at ${data.config.addr}: ${messageOf(error)}`,
        });
      }
      break;
    case "announce":
      announcing = announce({
        atlas: data.atlas,
        self: data.self,
        signal: over.signal,
        onMembers: (others) => scope.postMessage({ k: "members", others }),
        log,
      });
      break;
    case "close":
      over.abort();
      await announcing;
      scope.postMessage({ k: "closed" });
  }
};
