/**
 * The version of this program.
 * @module
 */
import config from "../../../deno.json" with { type: "json" };

/** Version as `v0.1.0`. */
export const VERSION: string = `v${config.version}`;

/** One line for `muster version` and `-version`. */
export function versionLine(): string {
  const { os, arch } = Deno.build;
  return `muster ${VERSION} ${os} ${arch} deno ${Deno.version.deno} (compatible with rqlite v10)`;
}
