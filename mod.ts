/**
 * muster: a replicated SQLite database whose nodes find each other.
 *
 * As the main module it runs the command line; imported, it offers the same as functions. The client for programs is client/mod.ts,
 * which needs nothing of this; `connect` is here as well.
 * @module
 */
import { main } from "./src/program/cli/main.ts";

export type { AclSettings, AgentTokenName, DownPolicy } from "./src/app/acl/settings.ts";
export type { DefaultPolicy } from "./src/core/acl/authorizer.ts";
export type { AutopilotConfig } from "./src/app/agent/autopilot.ts";
export type { AgentLimits } from "./src/app/agent/agent.ts";
export type { FileDefinitions } from "./src/app/services/api.ts";
export type { LocalOptions, ScriptPolicy } from "./src/app/services/local_state.ts";
export type { CheckDefinition, ServiceAddress, ServiceDefinition } from "./src/core/health/definitions.ts";
export type { CheckStatus } from "./src/core/health/aggregate.ts";
export type {
  AliasKind,
  CheckKind,
  CheckTls,
  GrpcKind,
  H2PingKind,
  HttpKind,
  IntervalKind,
  NoKind,
  ScriptKind,
  TcpKind,
  TtlKind,
  UdpKind,
} from "./src/core/health/check_kind.ts";
export type { WatchDefinition, WatchHandler } from "./src/program/config/watches.ts";
export type { WatchKeys } from "./src/program/config/watch.ts";
export type { WriteQueueOptions } from "./src/app/database/write_queue.ts";
export { main };
export * from "./client/mod.ts";
export {
  type AgentConfig,
  type AgentTls,
  type AtlasSettings,
  type GossipTuning,
  type NodeConfig,
  type ProviderSettings,
  type RendezvousSettings,
  type WanSettings,
} from "./src/program/config/config.ts";
export type { K8sOptions, MdnsOptions, ProviderOptions } from "./src/core/provider/provider.ts";
export type { Link } from "./src/core/provider/link.ts";
export type { ApiEnvironment } from "./src/drivers/provider/k8s_access.ts";
export { type NameServerSettings } from "./src/api/nameserver/api.ts";
export { type TlsVersion } from "./src/base/net/conn.ts";
export { type LogLevel } from "./src/base/worker/log.ts";
export { type User } from "./src/app/users/user.ts";
export { type Permission, PERMISSIONS } from "./src/app/users/permission.ts";
export { Node, NodeFailure } from "./src/program/node/node.ts";

if (import.meta.main) Deno.exit(await main(Deno.args));
