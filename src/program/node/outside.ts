/**
 * Files and environment variables that configurations refer to, read before the process gives up the rights to do so.
 * @module
 */
import { ConfigError } from "../../base/codec/fields.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** An environment variable; undefined where there is none, or the name cannot be one. */
export function variable(name: string): string | undefined {
  return /^[^=\0]+$/.test(name) ? Deno.env.get(name) : undefined;
}

/**
 * The text of a file of at most `bytesMax`.
 * @param forKey The flag or key that names it, for people.
 * @throws {ConfigError} When it cannot be read, or is longer.
 */
export function readTextFile(path: string, { forKey, bytesMax }: { forKey: string; bytesMax: number }): string {
  try {
    const { size } = Deno.statSync(path);
    if (size > bytesMax) throw new Error(`it is longer than ${bytesMax} bytes`);
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw new ConfigError(`Cannot read ${path} (${forKey}): ${messageOf(error)}`);
  }
}
