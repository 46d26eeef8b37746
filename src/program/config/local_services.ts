/**
 * The services and checks in an agent's files of configuration, and how they are run (C5.3, C5.4).
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import { type CheckDefinition, decodeCheck, decodeService, isScript } from "../../core/health/definitions.ts";
import { OUTPUT_BYTES } from "../../core/health/output.ts";
import type { ScriptPolicy } from "../../app/services/local_state.ts";
import type { AgentConfig } from "./config.ts";
import { type Settings, SettingsError } from "./settings.ts";

const UPDATE_INTERVAL_MS = 300_000;
const OUTPUT_BYTES_MAX = 64 * 1024;

/**
 * Reads them.
 * @throws {SettingsError} When one cannot be used.
 */
export function localServices(settings: Settings): AgentConfig["local"] {
  const outputBytesMax = settings.number("check_output_max_size", OUTPUT_BYTES);
  if (outputBytesMax < 1 || outputBytesMax > OUTPUT_BYTES_MAX) {
    throw new SettingsError(`check_output_max_size must be from 1 to ${OUTPUT_BYTES_MAX}`);
  }
  const options = { strict: true, outputBytesMax };
  const files = {
    services: settings.objects("service", "services").map((one) =>
      decoded("service", () => decodeService(one, options))
    ),
    checks: settings.objects("check", "checks").map((one) => decoded("check", () => decodeCheck(one, options))),
  };
  const scripts = scriptPolicy(settings);
  checkScripts([...files.services.flatMap(({ checks }) => checks), ...files.checks], scripts);
  checkIds("service", files.services);
  checkIds("check", [...files.services.flatMap(({ checks }) => checks), ...files.checks]);
  return {
    options: {
      scripts,
      outputBytesMax,
      discardsOutput: settings.flag("discard_check_output", false),
      updateIntervalMs: settings.durationMs("check_update_interval", UPDATE_INTERVAL_MS),
    },
    files,
  };
}

function decoded<T>(what: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    throw new SettingsError(`invalid ${what} definition: ${messageOf(error)}`);
  }
}

function scriptPolicy(settings: Settings): ScriptPolicy {
  if (settings.flag("enable_script_checks", false)) return "all";
  return settings.flag("enable_local_script_checks", false) ? "local" : "none";
}

function checkScripts(checks: readonly CheckDefinition[], scripts: ScriptPolicy): void {
  const script = checks.find(isScript);
  if (!script || scripts !== "none") return;
  throw new SettingsError(
    `Failed to register check '${script.name}': Scripts are disabled on this agent; to enable, configure ` +
      "'enable_script_checks' or 'enable_local_script_checks' to true",
  );
}

/** Of two with one id one would be lost. */
function checkIds(what: string, all: readonly { readonly id: string }[]): void {
  const seen = new Set<string>();
  for (const { id } of all) {
    if (seen.has(id)) throw new SettingsError(`two ${what} definitions have the id ${JSON.stringify(id)}`);
    seen.add(id);
  }
}
