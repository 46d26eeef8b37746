/**
 * Network addresses as text. Pure.
 * @module
 */

/**
 * Splits `host:port`; IPv6 addresses stand in brackets.
 * @throws {RangeError} When it is not of that form.
 */
export function splitAddress(addr: string): { readonly hostname: string; readonly port: number } {
  const colon = addr.lastIndexOf(":");
  const port = Number(addr.slice(colon + 1));
  if (colon < 0 || addr.slice(colon + 1) === "" || !Number.isInteger(port) || port < 0 || port > 65535) {
    throw new RangeError(`Cannot use "${addr}" as an address: expected host:port`);
  }
  const [, bracketed, plain] = /^(?:\[([^[\]]*)\]|([^[\]]*))$/.exec(addr.slice(0, colon)) ?? [];
  const hostname = bracketed ?? plain;
  if (hostname === undefined) throw new RangeError(`Cannot use "${addr}" as an address: expected host:port`);
  return { hostname: hostname === "" ? "0.0.0.0" : hostname, port };
}

/** Path of the Unix socket in `unix://PATH`; undefined for an address of another kind. */
export function socketPath(addr: string): string | undefined {
  return addr.startsWith("unix://") ? addr.slice("unix://".length) : undefined;
}

/** The text of an address: the inverse of {@linkcode splitAddress}. */
export function joinAddress(hostname: string, port: number): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}
