/**
 * muster: a replicated SQLite database whose nodes find each other.
 *
 * As the main module it runs the command line; imported, it offers the same as functions.
 * @module
 */
import { main } from "./src/cli/main.ts";

export { main };
export { type AgentConfig, type GossipTuning, type NodeConfig } from "./src/node/config.ts";
export { type NameServerSettings } from "./src/nameserver/api.ts";
export { type LogLevel } from "./src/rpc/log.ts";
export { Node, NodeFailure } from "./src/node/node.ts";

if (import.meta.main) Deno.exit(await main(Deno.args));
