/**
 * The name server's Worker. It may listen at its own address and ask the upstream servers, and nothing else.
 * @module
 */
import { logger } from "../rpc/log.ts";
import { workerScope } from "../rpc/worker_scope.ts";
import type { FromNameServer, OpenNameServer, ToNameServer } from "./api.ts";
import { CatalogByPort } from "./catalog.ts";
import { NameServer } from "./server.ts";

const scope = workerScope<ToNameServer, FromNameServer>();
const log = logger("dns");

let server: NameServer | undefined;

function open(options: OpenNameServer): void {
  try {
    server = new NameServer(options, new CatalogByPort(options.lookups), log);
    log(`Started DNS server: address=${options.addr} domains=${options.domains.join(",")}`);
    scope.postMessage({ k: "listening" });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    scope.postMessage({ k: "failed", message: `cannot listen on DNS address ${options.addr}: ${why}` });
  }
}

scope.onmessage = ({ data }) => {
  if (data.k === "open") open(data);
  else if (server) server.settings = data.settings;
};
