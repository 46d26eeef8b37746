/**
 * The proxy of the environment for the commands, by the rules of Go, whose library Consul's client uses: `http_proxy`,
 * `https_proxy` and `no_proxy` in either case, and never for this machine itself. The runtime's own rules send requests
 * for loopback addresses, and the token in them, to the proxy.
 * @module
 */
import { isLoopback, parseIp } from "../../base/codec/ip.ts";

/** Variables that the runtime reads by itself; Go knows no `all_proxy`. */
const VARIABLES = ["http_proxy", "https_proxy", "no_proxy", "all_proxy"].flatMap((name) => [name.toUpperCase(), name]);

/** A proxy's address; undefined where the request goes to `url` itself. `variable` gives the environment. */
export function proxyFor(url: URL, variable: (name: string) => string | undefined): string | undefined {
  const either = (name: string) => variable(name.toUpperCase()) || variable(name) || "";
  const proxy = either(url.protocol === "https:" ? "https_proxy" : "http_proxy");
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  if (proxy === "" || host === "localhost" || isLoopback(host)) return undefined;
  const entries = either("no_proxy").split(",").map((entry) => entry.trim().toLowerCase()).filter(Boolean);
  if (entries.some((entry) => isExcepted(entry, host, port))) return undefined;
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(proxy) ? proxy : `http://${proxy}`;
}

/** One entry of `no_proxy`: `*`, an address, a range of them, a domain with or without a dot in front; with a port or not. */
function isExcepted(entry: string, host: string, port: string): boolean {
  if (entry === "*") return true;
  const range = /^([^/]+)\/(\d+)$/.exec(entry);
  if (range) return isWithin(host, range[1], Number(range[2]));
  const [, bracketed, plain, wantedPort] = /^(?:\[(.*)\]|([^:]*))(?::(\d+))?$/.exec(entry) ??
    [undefined, undefined, entry];
  if (wantedPort !== undefined && wantedPort !== port) return false;
  const name = bracketed ?? plain ?? entry;
  const bytes = parseIp(name);
  if (bytes) return parseIp(host)?.join() === bytes.join();
  const domain = name.replace(/^\*\./, ".");
  return domain.startsWith(".") ? host.endsWith(domain) : host === domain || host.endsWith(`.${domain}`);
}

function isWithin(host: string, network: string, bits: number): boolean {
  const [address, base] = [parseIp(host), parseIp(network)];
  if (!address || !base || address.length !== base.length || bits > 8 * base.length) return false;
  return base.every((byte, at) => {
    const mask = 0xff00 >> Math.min(8, Math.max(0, bits - 8 * at)) & 0xff;
    return (byte & mask) === (address[at] & mask);
  });
}

/**
 * Has no request of this process for its own machine go to a proxy, from a Worker either: the store of backups may be
 * there. For before the first request.
 */
export function keepLoopbackDirect(): void {
  if (!VARIABLES.some((name) => Deno.env.get(name))) return;
  const given = Deno.env.get("NO_PROXY") || Deno.env.get("no_proxy") || "";
  Deno.env.set("NO_PROXY", [given, "localhost", "127.0.0.0/8", "::1"].filter((one) => one !== "").join(","));
}

/** A client that uses this proxy, by its URL, or none at all, whatever the environment says. */
export function httpClient(
  proxy: string | Deno.Proxy | undefined,
  identity?: { readonly cert: string; readonly key: string },
): Deno.HttpClient {
  // The runtime reads the variables when a client is made, and has no option to leave them aside.
  const kept = VARIABLES.map((name) => [name, Deno.env.get(name)] as const);
  for (const [name, value] of kept) if (value !== undefined) Deno.env.delete(name);
  try {
    return Deno.createHttpClient({
      ...identity,
      ...(proxy !== undefined && { proxy: typeof proxy === "string" ? { url: proxy } : proxy }),
    });
  } finally {
    for (const [name, value] of kept) if (value !== undefined) Deno.env.set(name, value);
  }
}
