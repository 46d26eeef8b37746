/**
 * HCL, as far as Consul's configuration files use it.
 * @module
 */

/** Placeholder until the parser is in. */
export function parseHcl(_text: string): unknown {
  throw new SyntaxError("HCL is not supported yet");
}
