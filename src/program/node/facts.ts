/**
 * Facts about the machine and the program for `/status`, gathered once before the supervisor drops its permissions.
 * @module
 */
import type { NodeConfig } from "../config/config.ts";
import type { DataDirectory } from "./data_directory.ts";
import { API_VERSION } from "./version.ts";

/** The parts of `/status` that do not change while the node runs. */
export function machineFacts(
  config: NodeConfig,
  directory: Pick<DataDirectory, "path" | "extensions">,
  extensions: readonly string[],
): Record<string, unknown> {
  const { os, arch, target } = Deno.build;
  return {
    build: {
      version: API_VERSION,
      commit: "unknown",
      build_time: "unknown",
      compiler_toolchain: "deno",
      compiler_command: `deno ${Deno.version.deno} ${target}`,
    },
    os: { pid: Deno.pid, ppid: Deno.ppid, page_size: 4096, executable: Deno.execPath(), hostname: Deno.hostname() },
    runtime: {
      GOARCH: arch === "x86_64" ? "amd64" : arch === "aarch64" ? "arm64" : arch,
      GOOS: os,
      GOMAXPROCS: navigator.hardwareConcurrency,
      num_cpu: navigator.hardwareConcurrency,
      version: `deno ${Deno.version.deno} v8 ${Deno.version.v8}`,
    },
    mux: { addr: config.clusterAddr, tls: String(config.nodeCert !== "") },
    network: { interfaces: interfaces() },
    extensions: { dir: directory.extensions, names: extensions.map((path) => path.slice(path.lastIndexOf("/") + 1)) },
    data_directory: directory.path,
  };
}

function interfaces(): Record<string, { addresses: { address: string }[]; hardware_address: string }> {
  const found: Record<string, { addresses: { address: string }[]; hardware_address: string }> = {};
  for (const { name, cidr, mac } of Deno.networkInterfaces()) {
    found[name] ??= { addresses: [], hardware_address: mac };
    found[name].addresses.push({ address: cidr });
  }
  return found;
}
