/**
 * `muster agent`: a member of a pool, as `consul agent` is one: a client agent by default, a server with `-server`. Signals
 * and exit codes are those of C3.1.
 * @module
 */
import { AGENT_HELP } from "../manual/program_help.ts";
import { apiUrlOf, type NodeConfig } from "../config/config.ts";
import { DataDirectoryError } from "../node/data_directory.ts";
import { Node, NodeFailure } from "../node/node.ts";
import { JoinError } from "../node/pool.ts";
import { readUsers, UsersError } from "../node/users.ts";
import { VERSION } from "../node/version.ts";
import { hasKeyring } from "../../drivers/membership/files.ts";
import { load } from "../../root.ts";
import { logAsAgent, logger, setLogLevel, warner } from "../../base/worker/log.ts";
import { AGENT_FLAGS } from "../config/agent_flags.ts";
import type { Machine } from "../config/addresses.ts";
import { type AgentSetup, agentSetup } from "../config/agent_config.ts";
import { describeFlags, Flags, UsageError } from "../config/flags.ts";
import { named } from "../client/program_name.ts";
import { nodeDefaults, ratioOf } from "../config/serve_config.ts";
import { ConfigError } from "../../base/codec/fields.ts";
import { Settings, SettingsError } from "../config/settings.ts";
import { socketPath } from "../../base/codec/address.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** A graceful leave that takes longer is cut short. */
const LEAVE_MS = 15_000;
const log = logger("agent");

/** Runs the command; resolves to the exit code. @param name By which it was called. */
export async function agent(args: readonly string[], name = "agent"): Promise<number> {
  let flags: Flags;
  let devDirectory = "";
  try {
    flags = Flags.parse(args, AGENT_FLAGS);
    if (flags.bool("dev")) devDirectory = Deno.makeTempDirSync({ prefix: "muster-dev-" });
    // Asked for once: the running process gives up the right to ask.
    const machine = {
      hostname: Deno.hostname(),
      interfaces: Deno.networkInterfaces(),
      atlasToken: Deno.env.get("ATLAS_TOKEN") ?? "",
      kubernetes: {
        host: Deno.env.get("KUBERNETES_SERVICE_HOST") ?? "",
        port: Deno.env.get("KUBERNETES_SERVICE_PORT") ?? "",
      },
    };
    if (flags.rest.length > 0) throw new SettingsError(`Unexpected extra arguments: [${flags.rest.join(" ")}]`);
    return await run({ flags, devDirectory, machine });
  } catch (error) {
    return usage(error, name);
  } finally {
    if (devDirectory !== "") Deno.removeSync(devDirectory, { recursive: true });
  }
}

function usage(error: unknown, name: string): number {
  if (error instanceof UsageError && error.message === "help") {
    console.log(named(AGENT_HELP) + describeFlags(AGENT_FLAGS));
    return 0;
  }
  if (error instanceof UsageError) console.error(`${error.message}\nRun "muster ${name} -help" for the flags.`);
  else if (error instanceof SettingsError) console.error(`==> ${error.message}`);
  else if (isStartFailure(error)) {
    console.error(`==> Error starting agent: ${error.message}`);
  } else throw error;
  return 1;
}

function isStartFailure(error: unknown): error is Error {
  return [ConfigError, DataDirectoryError, NodeFailure, UsersError].some((kind) => error instanceof kind);
}

function setupOf({ flags, devDirectory, machine }: Start): { settings: Settings; setup: AgentSetup } {
  const settings = Settings.load(flags);
  const setup = agentSetup(settings, {
    isDev: flags.bool("dev"),
    standard: nodeDefaults(),
    machine,
    devDirectory,
  });
  const cdcConfig = settings.text("cdc_config");
  if (cdcConfig !== "" && !setup.agent.isServer) throw new SettingsError("-cdc-config is for servers alone");
  return { settings, setup: { ...setup, config: { ...setup.config, cdcConfig, otlp: otlpOf(settings) } } };
}

/** Where metrics and traces are pushed to. */
function otlpOf(settings: Settings): NodeConfig["otlp"] {
  const text = (key: string) => settings.text(`otlp.${key}`);
  return {
    endpoint: text("endpoint"),
    intervalMs: settings.durationMs("otlp.interval", nodeDefaults().otlp.intervalMs),
    traceRatio: ratioOf(text("trace_sample_ratio") || "0"),
    tracesSql: settings.flag("otlp.trace_sql", false),
    isInsecure: settings.flag("otlp.insecure", false),
    skipsVerification: settings.flag("otlp.no_verify", false),
    caCert: text("ca_cert"),
    cert: text("cert"),
    key: text("key"),
  };
}

/** Flags and surroundings from the start of the process. */
interface Start {
  readonly flags: Flags;
  readonly devDirectory: string;
  readonly machine: Machine;
}

async function run(start: Start): Promise<number> {
  const { settings, setup } = setupOf(start);
  const { config } = setup;
  logAsAgent();
  setLogLevel(setup.agent.logLevel);
  for (const warning of setup.warnings) log(warning, "warn");
  console.log("==> Starting Muster agent...");
  if (isFile(config.dataDirectory)) throw new SettingsError(`data_dir "${config.dataDirectory}" is not a directory`);
  // Loaded where it is asked for: it takes memory.
  const usesSinks = config.cdcConfig !== "" || config.otlp.endpoint !== "";
  const sinks = usesSinks ? await load<typeof import("../config/sinks.ts")>("src/program/config/sinks") : undefined;
  const inputs = { users: await readUsers(config.authFile), sinks: sinks?.readSinks(config, warner("agent")) };
  const node = await Node.start(config, inputs, log);
  console.log(banner(node.id, setup));
  const pidFile = settings.text("pid_file");
  node.onReload = () => reload(node, start, config.authFile);
  const stopReloading = onSignal("SIGHUP", () => node.onReload().catch(() => {})); // it has said why
  try {
    if (pidFile !== "") writePidFile(pidFile); // now that nobody else has the data directory
    return await live(node, config, setup);
  } finally {
    stopReloading();
    if (pidFile !== "") removeQuietly(pidFile);
  }
}

/** From the start to the end, whichever way it comes. */
async function live(node: Node, config: NodeConfig, { agent: { isServer } }: AgentSetup): Promise<number> {
  const signal = nextSignal();
  try {
    const joined = node.join().then(() => new Promise<never>(() => {}));
    log("Consul agent running!");
    const place = apiUrlOf(config) || config.httpAddrs[0] || "no address: -http-port=-1";
    if (isServer) node.clustered().then(() => log(`SQL and HTTP at ${place}`), () => {});
    const end = await Promise.race([signal, node.failed(), joined, node.left().then(() => "leave" as const)]);
    return await stop(node, end, config);
  } catch (error) {
    if (error instanceof JoinError) {
      log(error.message, "error");
      await node.shutdown();
      return 1;
    }
    if (!(error instanceof NodeFailure)) throw error;
    console.error(`==> Error starting agent: ${error.message}`);
    return error.exitCode;
  }
}

async function stop(node: Node, end: string, { agent }: NodeConfig): Promise<number> {
  const leaves = end === "SIGINT" ? !agent?.skipLeaveOnInterrupt : end === "SIGTERM" ? agent?.leaveOnTerminate : false;
  if (end !== "leave") log(`Caught signal: ${end}`);
  if (end !== "leave" && !leaves) {
    log("Graceful shutdown disabled. Exiting");
    await Promise.race([node.shutdown(), nextSignal()]);
    return 1;
  }
  if (end === "leave") log("Graceful exit completed");
  const code = end === "leave" ? 0 : await leave(node);
  await Promise.race([node.shutdown(), nextSignal()]);
  log(`Exit code: code=${code}`);
  return code;
}

async function leave(node: Node): Promise<number> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = await Promise.race([
    node.leave().then(() => "left" as const, (error) => `the leave failed: ${error.message}`),
    nextSignal().then(() => "Caught second signal, Exiting"),
    new Promise<string>((resolve) => timer = setTimeout(() => resolve("Timeout on graceful leave. Exiting"), LEAVE_MS)),
  ]);
  clearTimeout(timer);
  if (end !== "left") {
    log(end, "error");
    return 1;
  }
  log("Graceful exit completed");
  return 0;
}

/** Takes into use what may change while the agent runs. */
async function reload(node: Node, start: Start, authFile: string): Promise<void> {
  try {
    const { setup } = setupOf(start);
    const users = await readUsers(authFile);
    for (const warning of setup.warnings) log(warning, "warn");
    node.reload(setup.agent);
    if (users) node.setUsers(users);
    log("Configuration reloaded: DNS, log_level, node_meta, tokens and the auth file; everything else needs a restart");
  } catch (error) {
    log(`reload failed, the old settings stay: ${messageOf(error)}`, "error");
    throw error;
  }
}

function banner(nodeId: string, { agent, config }: AgentSetup): string {
  const portOf = (addr: string | undefined) => addr === undefined ? "-1" : addr.slice(addr.lastIndexOf(":") + 1);
  const isPort = (addr: string) => socketPath(addr) === undefined;
  const hostOf = (addr: string) => isPort(addr) ? addr.slice(0, addr.lastIndexOf(":")) : addr;
  const addrs = [config.httpAddrs, config.httpsAddrs, agent.dnsAddrs].find((list) => list.length > 0) ?? [];
  const lines: [string, string][] = [
    ["Version", `'${VERSION}'`],
    ["Build Date", "''"],
    ["Node ID", `'${nodeId}'`],
    ["Node name", `'${agent.nodeName}'`],
    ["Datacenter", `'${agent.datacenter}' (Segment: '${agent.isServer ? "<all>" : ""}')`],
    ["Server", `${agent.isServer} (Bootstrap: ${agent.bootstrap})`],
    [
      "Client Addr",
      `[${addrs.map(hostOf).join(" ")}] (HTTP: ${portOf(config.httpAddrs.find(isPort))}, HTTPS: ${
        portOf(config.httpsAddrs[0])
      }, gRPC: -1, gRPC-TLS: -1, DNS: ${portOf(agent.dnsAddrs[0])})`,
    ],
    [
      "Cluster Addr",
      `${hostOf(config.clusterAdvertisedAddr)} (LAN: ${agent.gossipPort}, WAN: ${agent.wan?.port ?? -1})`,
    ],
    ["Gossip Encryption", String(agent.encryptionKey !== "" || hasKeyring(`${config.dataDirectory}/gossip`))],
    ["Auto-Encrypt-TLS", "false"],
  ];
  const width = Math.max(...lines.map(([name]) => name.length)) + 5;
  const text = lines.map(([name, value]) => `${name.padStart(width)}: ${value}`).join("\n");
  return `${text}\n\n==> Log data will now stream in as it occurs:\n`;
}

/** Resolves to the name of the next signal that asks the process to end. */
function nextSignal(): Promise<"SIGINT" | "SIGTERM"> {
  return new Promise((resolve) => {
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      const stop = onSignal(name, () => {
        stop();
        resolve(name);
      });
    }
  });
}

function onSignal(name: Deno.Signal, heard: () => void): () => void {
  Deno.addSignalListener(name, heard);
  return () => Deno.removeSignalListener(name, heard);
}

function writePidFile(path: string): void {
  try {
    Deno.writeTextFileSync(path, `${Deno.pid}\n`);
  } catch (error) {
    throw new SettingsError(`Cannot write the pid file ${path}: ${messageOf(error)}`);
  }
}

function isFile(path: string): boolean {
  try {
    return !Deno.statSync(path).isDirectory;
  } catch {
    return false; // it will be made, or the attempt says why not
  }
}

function removeQuietly(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // somebody else did
  }
}
