/**
 * The name server for its supervisor, which opens, reconfigures and closes it by messages. It runs in a Worker of its
 * own or inside another one.
 * @module
 */
import { logger } from "../../base/worker/log.ts";
import type { FromNameServer, OpenNameServer, ToNameServer } from "./api.ts";
import { CatalogByPort } from "./catalog.ts";
import { NameServer } from "./server.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** The line to the supervisor: a Worker's scope, or a port. */
export interface NameServerLine {
  onmessage: ((event: MessageEvent<ToNameServer>) => void) | null;
  postMessage(message: FromNameServer): void;
}

const log = logger("dns");

/** Does what the line says. */
export function serveNames(line: NameServerLine): void {
  let server: NameServer | undefined;
  line.onmessage = ({ data }) => {
    if (data.k === "open") server = open(data, line);
    else if (data.k === "serve") server?.start();
    else if (data.k === "close") server?.close();
    else if (server) server.settings = data.settings;
  };
}

function open(options: OpenNameServer, line: NameServerLine): NameServer | undefined {
  try {
    const server = new NameServer(options, new CatalogByPort(options.lookups), log);
    log(`Started DNS server: address=${options.addrs.join(",")} domains=${options.domains.join(",")}`);
    line.postMessage({ k: "listening" });
    return server;
  } catch (error) {
    line.postMessage({ k: "failed", message: messageOf(error) });
    return undefined;
  }
}
