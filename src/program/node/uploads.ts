/**
 * Reads what automatic backups and the restore need from outside, before the process gives up the rights to do so: the files that
 * `-auto-backup` and `-auto-restore` name, environment variables, the key of a service account. The Worker gets the values and
 * may read nothing of that.
 * @module
 */
import type { BackupPlan, RestorePlan } from "../../drivers/uploader/api.ts";
import { backupPlan, type PlanParts, reachOf, restorePlan } from "../../drivers/uploader/config.ts";
import { ConfigError } from "../../base/codec/fields.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import type { NodeConfig } from "../config/config.ts";
import { readTextFile, variable } from "../config/outside.ts";

const FILE_BYTES_MAX = 1024 * 1024;

/** What is to be done, and what it takes. */
export interface UploadPlans {
  readonly backup: BackupPlan | undefined;
  readonly restore: RestorePlan | undefined;
  /** What the Worker may reach. */
  readonly reach: ReturnType<typeof reachOf>;
}

/**
 * The plans that a configuration asks for.
 * @throws {ConfigError} When one cannot be used.
 */
export function readUploads(
  { autoBackup, autoRestore }: Pick<NodeConfig, "autoBackup" | "autoRestore">,
  warn: (line: string) => void,
): UploadPlans {
  const parts: PlanParts = { variable, file: readFile, warn };
  const backup = autoBackup === "" ? undefined : backupPlan(readFile(autoBackup, "-auto-backup"), parts);
  const restore = autoRestore === "" ? undefined : restorePlan(readFile(autoRestore, "-auto-restore"), parts);
  if (backup?.destination.type === "file") makeDirectory(backup.destination.directory);
  const reached = [backup?.destination, restore?.source].filter((one) => one !== undefined).map(reachOf);
  const reach = {
    net: reached.flatMap(({ net }) => net),
    directories: reached.flatMap(({ directories }) => directories),
  };
  return { backup, restore, reach };
}

function readFile(path: string, forKey: string): string {
  return readTextFile(path, { forKey, bytesMax: FILE_BYTES_MAX });
}

function makeDirectory(path: string): void {
  try {
    Deno.mkdirSync(path, { recursive: true, mode: 0o750 });
  } catch (error) {
    throw new ConfigError(`Cannot make the directory ${path} (-auto-backup: sub: dir): ${messageOf(error)}`);
  }
}
