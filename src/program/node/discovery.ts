/**
 * Reads what discovery needs from outside, before the process gives up the rights to do so: the configuration's file or
 * text, environment variables, certificates and tokens in files. The Worker gets the texts and may read nothing.
 * @module
 */
import type { DiscoveryOptions } from "../../drivers/discovery/api.ts";
import { discoveryOptions, MODES } from "../../drivers/discovery/config.ts";
import { ConfigError, expandVariables } from "../../base/codec/fields.ts";

export { ConfigError };
import { splitAddress } from "../../base/codec/address.ts";
import type { NodeConfig } from "../config/config.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { readTextFile, systemCertificates, variable } from "../config/outside.ts";

const FILE_BYTES_MAX = 4 * 1024 * 1024;

/**
 * The way of discovery that a configuration asks for; undefined for none.
 * @throws {ConfigError} When it cannot be used.
 */
export function readDiscovery(config: NodeConfig, warn: (line: string) => void): DiscoveryOptions | undefined {
  const mode = MODES.find((one) => one === config.discoMode);
  if (mode === undefined) return undefined;
  const options = discoveryOptions({
    mode,
    key: config.discoKey,
    text: expandVariables(fileOrText(config.discoConfig), variable),
    clusterPort: splitAddress(config.clusterAddr).port,
  }, {
    variable,
    file: readFile,
    directory: readDirectory,
    systemCertificates: () => systemCertificates(variable("SSL_CERT_FILE") ?? ""),
    warn,
  });
  warnOfOldRuntime(options, warn);
  return options;
}

/** Tried on Deno 2.7.11: its `node:https` disregards the other name, and takes no certificate that it cannot verify. */
function warnOfOldRuntime(options: DiscoveryOptions, warn: (line: string) => void): void {
  const servers = "endpoints" in options ? options.endpoints : "server" in options ? [options.server] : [];
  const [major, minor] = Deno.version.deno.split(".").map(Number);
  const isOld = major < 2 || major === 2 && minor < 9;
  if (isOld && servers.some(({ tls }) => tls?.insecure || tls?.serverName)) {
    warn(
      `Deno ${Deno.version.deno} can neither skip the check of a certificate nor check it against another name: 2.9 can`,
    );
  }
}

function fileOrText(config: string): string {
  try {
    if (config !== "" && Deno.statSync(config).isFile) return readFile(config, "-disco-config");
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    // no such file: it is the text itself
  }
  return config;
}

function readFile(path: string, forKey: string): string {
  return readTextFile(path, { forKey, bytesMax: FILE_BYTES_MAX });
}

function readDirectory(path: string, forKey: string): string[] {
  try {
    return [...Deno.readDirSync(path)].filter(({ isDirectory }) => !isDirectory)
      .map(({ name }) => readFile(`${path}/${name}`, forKey))
      .filter((text) => text.includes("-----BEGIN CERTIFICATE-----"));
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`Cannot read ${path} (${forKey}): ${messageOf(error)}`);
  }
}
