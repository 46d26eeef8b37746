/**
 * Parameters of Consul's HTTP API from a request's path and query, and the errors for invalid ones. Pure.
 * @module
 */

const WAIT_MS_DEFAULT = 5 * 60_000;
const WAIT_MS_MAX = 10 * 60_000;
const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** An error with the text that Consul gives. */
export class ConsulError extends Error {
  /** Of the answer. */
  readonly status: number;
  /** Of the answer, beside its type. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, text: string, headers: Readonly<Record<string, string>> = {}) {
    super(text);
    this.status = status;
    this.headers = headers;
  }
}

/** The path still percent-encoded. One that is not clean is answered by a redirect, as Go's router does. */
export function parseTarget(target: string): { path: string; query: URLSearchParams } {
  const at = target.indexOf("?");
  const path = at === -1 ? target : target.slice(0, at);
  const search = at === -1 ? "" : target.slice(at);
  const clean = cleanPath(path);
  if (clean !== path) throw new ConsulError(301, "", { Location: clean + search });
  return { path, query: new URLSearchParams(search) };
}

function cleanPath(path: string): string {
  const parts: string[] = [];
  const given = path.split("/");
  for (const part of given) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  const isFolder = ["", ".", ".."].includes(given[given.length - 1]);
  return `/${parts.join("/")}${isFolder && parts.length > 0 ? "/" : ""}`;
}

/** The key that the rest of a path stands for. */
export function decodeKey(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ConsulError(400, `Cannot decode the path: ${text}`);
  }
}

/** A number of 64 bits. */
export function parseUnsigned(text: string): bigint {
  if (/^\d+$/.test(text) && BigInt(text) < 2n ** 64n) return BigInt(text);
  throw new ConsulError(500, `strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`);
}

/** The index to wait for; 0 for none. */
export function parseIndex(text: string | null): bigint {
  if (text === null || text === "") return 0n;
  if (/^\d+$/.test(text)) return BigInt(text);
  throw new ConsulError(400, "Invalid index");
}

/** Milliseconds of a duration as Go writes it, such as `1m30s`; 0 and less stand for the default. */
export function parseWait(text: string | null): number {
  if (text === null || text === "") return WAIT_MS_DEFAULT;
  if (!/^[+-]?(0|((\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h))+)$/.test(text)) throw new ConsulError(400, "Invalid wait time");
  const parts = [...text.matchAll(/([\d.]+)([a-zµ]+)/g)];
  const ms = parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNIT_MS[unit], 0);
  return ms === 0 || text.startsWith("-") ? WAIT_MS_DEFAULT : Math.min(ms, WAIT_MS_MAX);
}
