/**
 * `muster serve`: a node that serves SQL.
 * @module
 */
import { SERVE_HELP } from "../manual/program_help.ts";
import { describeFlags, Flags, UsageError } from "../config/flags.ts";
import { configOf } from "../config/serve_config.ts";
import { SERVE_FLAGS } from "../config/serve_flags.ts";
import { apiUrlOf, configFault, type NodeConfig } from "../config/config.ts";
import { newClusterFault } from "../../drivers/cluster/new_cluster.ts";
import { ExtensionsError, isThere, readExtensions } from "../node/extensions.ts";
import { DataDirectoryError, isNewDirectory } from "../node/data_directory.ts";
import { Node, NodeFailure } from "../node/node.ts";
import { load } from "../../root.ts";
import { logger, warner } from "../../base/worker/log.ts";
import { joinAuthorizationOf, readUsers, UsersError } from "../node/users.ts";
import { keepLoopbackDirect } from "../client/proxy.ts";
import { versionLine } from "../node/version.ts";

/** Runs the command; resolves to the exit code. */
export async function serve(args: readonly string[]): Promise<number> {
  let flags: Flags;
  try {
    flags = Flags.parse(args, SERVE_FLAGS);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    if (error.message === "help") {
      console.error(SERVE_HELP + describeFlags(SERVE_FLAGS));
      return 0;
    }
    console.error(`${error.message}\nRun "muster serve -help" for the flags.`);
    return 2;
  }
  if (flags.bool("version")) {
    console.error(versionLine());
    return 0;
  }
  const fault = argumentFault(flags);
  if (fault !== undefined) {
    console.error(fault);
    return 2;
  }
  const lack = surroundingsFault(flags);
  if (lack !== undefined) {
    console.error(`fatal: ${lack}`);
    return 1;
  }
  let config: NodeConfig;
  try {
    config = configOf(flags);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`fatal: ${error.message}`);
    return 2;
  }
  const wrong = configFault(config) ?? lonelyFault(config);
  if (wrong !== undefined) {
    console.error(`fatal: ${wrong}`);
    return 2;
  }
  return await run(config);
}

/** Why a node without data cannot become part of a cluster; one that is in a cluster needs none of these flags. */
function lonelyFault(config: NodeConfig): string | undefined {
  if (!isNewDirectory(config.dataDirectory)) return undefined;
  const hasEntry = config.join.length > 0 || config.discoMode !== "";
  const fault = newClusterFault({ ...config, hasEntry });
  return fault && `clustering failure: ${fault}`;
}

function argumentFault(flags: Flags): string | undefined {
  for (const name of ["raft-reap-node-timeout", "raft-reap-read-only-node-timeout"]) {
    if (flags.has(name) && flags.durationMs(name) <= 0) return `fatal: -${name} must be greater than 0`;
  }
  for (const name of ["db-max-steps", "db-max-temp-size", "write-queue-capacity", "write-queue-batch-size"]) {
    if (flags.int(name) <= 0) return `fatal: -${name} must be greater than 0`;
  }
  if (flags.int("db-max-ro-conns") < 0) return "fatal: -db-max-ro-conns must not be negative";
  const [directory, ...others] = flags.rest;
  if (directory === undefined) return "fatal: data directory path is required, for example: muster serve data";
  if (others.length > 0) {
    const advice = others[0].startsWith("-") ? ": flags go before it" : "";
    return `arguments after data directory (${directory}) are not accepted (${others.join(" ")})${advice}`;
  }
  return undefined;
}

/** What the flags name and this machine does not have, or does not let the process use. */
function surroundingsFault(flags: Flags): string | undefined {
  const library = flags.string("sqlite-library");
  // The writer would be refused it, with the runtime's own message.
  if (library !== "" && Deno.permissions.querySync({ name: "ffi", path: library }).state !== "granted") {
    return `-sqlite-library: the runtime may not load "${library}": start it with --allow-ffi="${library}"`;
  }
  const absent = flags.list("extensions-path").find((path) => !isThere(path));
  return absent === undefined ? undefined : `extension path does not exist: ${absent}`;
}

const log = logger("muster");

/** Runs a node until a signal or a failure. */
async function run(config: NodeConfig): Promise<number> {
  let node: Node;
  keepLoopbackDirect();
  // Only where it is asked for: what reads its configuration takes several MB of memory.
  const discovery = config.discoMode === ""
    ? undefined
    : await load<typeof import("../node/discovery.ts")>("src/program/node/discovery");
  const usesUploads = config.autoBackup !== "" || config.autoRestore !== "";
  const uploads = usesUploads ? await load<typeof import("../node/uploads.ts")>("src/program/node/uploads") : undefined;
  const usesSinks = config.cdcConfig !== "" || config.otlp.endpoint !== "";
  const sinks = usesSinks ? await load<typeof import("../config/sinks.ts")>("src/program/config/sinks") : undefined;
  try {
    const users = await readUsers(config.authFile);
    const joinAuthorization = joinAuthorizationOf(config.joinAs, users);
    if (config.joinAs !== "" && joinAuthorization === "") {
      log(`-join-as ${config.joinAs}: the auth file has no such user, this node joins without credentials`, "warn");
    }
    const read = {
      discovery: discovery?.readDiscovery(config, warner("disco")),
      uploads: uploads?.readUploads(config, warner("uploader")),
      sinks: sinks?.readSinks(config, warner("cdc")),
      users,
      joinAuthorization,
      extensions: await readExtensions(config.extensionsPath),
    };
    node = await Node.start(config, read, log);
  } catch (error) {
    const isForeseen = error instanceof DataDirectoryError || error instanceof NodeFailure ||
      error instanceof UsersError || error instanceof ExtensionsError ||
      error instanceof Error && error.name === "ConfigError";
    if (!isForeseen) throw error;
    console.error(`fatal: ${error.message}`);
    return 1;
  }
  Deno.addSignalListener("SIGHUP", () => reload(node, config));
  const signal = untilSignal();
  try {
    const first = await Promise.race([node.clustered().then(() => "clustered" as const), signal]);
    if (first === "clustered") {
      const [host, port] = splitLast(config.httpAdvertisedAddr);
      const url = apiUrlOf(config);
      const scheme = url.startsWith("https:") ? " -s https" : ""; // the client's own is http
      log(`node HTTP API available at ${url}`);
      log(
        `connect with any rqlite client, for example: rqlite${scheme} -H ${host} -p ${port}, or curl ${url}/status` +
          (config.console ? `; or open ${url}/console/ in a browser` : ""),
      );
    }
    const name = await Promise.race([signal, node.failed()]);
    log(`received ${name}: shutting down (again: at once)`);
    await Promise.race([node.shutdown(), untilSignal()]);
    log("muster server stopped");
    return 0;
  } catch (error) {
    if (!(error instanceof NodeFailure)) throw error;
    console.error(`fatal: ${error.message}`);
    return error.exitCode;
  }
}

/** Reads again what may change while a node runs: the auth file. */
async function reload(node: Node, { authFile }: NodeConfig): Promise<void> {
  try {
    const users = await readUsers(authFile);
    if (users) node.setUsers(users);
    log(
      users ? `read ${authFile} again: ${users.length} users` : "received SIGHUP: there is no auth file to read again",
    );
  } catch (error) {
    if (!(error instanceof UsersError)) throw error;
    log(`the users stay as they were: ${error.message}`, "error");
  }
}

function splitLast(addr: string): [string, string] {
  const colon = addr.lastIndexOf(":");
  return [addr.slice(0, colon), addr.slice(colon + 1)];
}

/** Resolves to the name of the next signal that asks the process to end. */
function untilSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      const heard = () => {
        Deno.removeSignalListener(name, heard);
        resolve(name);
      };
      Deno.addSignalListener(name, heard);
    }
  });
}
