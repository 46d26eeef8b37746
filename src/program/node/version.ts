/**
 * The version of this program.
 * @module
 */
import config from "../../../deno.json" with { type: "json" };

/** Version as `v0.1.0`. */
export const VERSION: string = `v${config.version}`;

/**
 * What clients of rqlite are told, which look at the major and minor number: the rqlite whose API this is, and the version
 * of muster.
 */
export const API_VERSION = `v10.6.0 (muster ${config.version})`;

/** One line for `muster version` and `-version`. */
export function versionLine(): string {
  const { os, arch } = Deno.build;
  return `muster ${VERSION} ${os} ${arch} deno ${Deno.version.deno} (compatible with rqlite v10)`;
}
