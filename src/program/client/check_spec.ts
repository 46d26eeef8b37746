/**
 * Checks as one word of a command line: `http:/healthz`, `tcp`, `ttl:30s`. Pure.
 * @module
 */
import { joinAddress } from "../../base/codec/address.ts";
import { parseDuration } from "../../base/codec/duration.ts";
import { UsageError } from "../config/flags.ts";

/** The forms, for help and errors. */
export const CHECK_FORMS = "http:/PATH, https:/PATH, http://HOST:PORT/PATH, tcp, tcp:HOST:PORT, grpc, " +
  "grpc:HOST:PORT[/SERVICE], ttl:TIME";

/** The service that is checked. */
export interface Checked {
  /** Where the agent reaches it. */
  readonly host: string;
  /** 0: it has none. */
  readonly port: number;
  /** Between two runs, as a duration. */
  readonly interval: string;
  /** Limit of a run, as a duration. */
  readonly timeout: string;
}

/**
 * The fields of a check's definition.
 * @throws {UsageError} When it has none of the forms, or names no port and the service has none.
 */
export function checkFieldsOf(spec: string, checked: Checked): Record<string, unknown> {
  const { interval, timeout } = checked;
  const colon = spec.indexOf(":");
  const [kind, rest] = colon < 0 ? [spec, ""] : [spec.slice(0, colon), spec.slice(colon + 1)];
  switch (kind) {
    case "http":
    case "https":
      return { http: urlOf(spec, rest, checked), interval, timeout };
    case "tcp":
      return { tcp: targetOf(spec, rest, checked), interval, timeout };
    case "grpc":
      return { grpc: targetOf(spec, rest, checked), interval, timeout };
    case "ttl":
      if ((parseDuration(rest) ?? 0) <= 0) throw refused(spec, "expected a time, such as ttl:30s");
      return { ttl: rest };
    default:
      throw refused(spec, `expected ${CHECK_FORMS}`);
  }
}

function urlOf(spec: string, rest: string, checked: Checked): string {
  const isWhole = rest.startsWith("//");
  if (!rest.startsWith("/")) throw refused(spec, "expected a path or a URL, such as http:/healthz");
  const url = isWhole ? spec : `${spec.slice(0, -rest.length)}//${ownTarget(spec, checked)}${rest}`;
  if (!URL.canParse(url)) throw refused(spec, "it is no URL");
  return url;
}

/** `HOST:PORT` of a check, and what of gRPC follows it. */
function targetOf(spec: string, rest: string, checked: Checked): string {
  if (rest === "") return ownTarget(spec, checked);
  const [address] = rest.split("/");
  const port = /^(?:\[[^\]]+\]|[^:]+):(\d{1,5})$/.exec(address)?.[1];
  if (port === undefined || Number(port) > 65_535) {
    throw refused(spec, `expected HOST:PORT, such as ${spec.split(":")[0]}:localhost:9000`);
  }
  return rest;
}

function ownTarget(spec: string, { host, port }: Checked): string {
  if (port === 0) throw refused(spec, "the service has no port; say which by -port");
  return joinAddress(host, port);
}

function refused(spec: string, why: string): UsageError {
  return new UsageError(`invalid value "${spec}" for flag -check: ${why}`);
}
