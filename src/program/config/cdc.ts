/**
 * Reads what change data capture needs from outside, before the process gives up the rights to do so.
 * @module
 */
import { ConfigError } from "../../base/codec/fields.ts";
import type { CdcPlan } from "../../drivers/cdc/api.ts";
import { cdcPlan } from "../../drivers/cdc/config.ts";
import type { NodeConfig } from "./config.ts";
import { readTextFile } from "./outside.ts";

const FILE_BYTES_MAX = 1024 * 1024;

/**
 * The plan that a configuration asks for.
 * @throws {ConfigError} When it cannot be used.
 */
export function readCdc(
  { cdcConfig, isVoter }: Pick<NodeConfig, "cdcConfig" | "isVoter">,
  warn: (line: string) => void,
): CdcPlan {
  if (!isVoter) throw new ConfigError("CDC cannot be enabled on non-voting nodes");
  const file = (path: string, forKey: string) => readTextFile(path, { forKey, bytesMax: FILE_BYTES_MAX });
  return cdcPlan(cdcConfig, { file, warn });
}
