/**
 * The providers of retry_join and their keys, which are those of Consul's (hashicorp/go-discover). Pure.
 * @module
 */
import { parseDuration } from "../../base/codec/duration.ts";
import { isProviderString, parsePairs, ProviderError } from "./provider_string.ts";

/** Members of one network, asked by multicast DNS (RFC 6762); this agent answers others that ask. */
export interface MdnsOptions {
  /** Always `mdns`. */
  readonly provider: "mdns";
  /** The entry as it was given: it has no secrets. */
  readonly text: string;
  /** Name of the service (RFC 6763 §7). @default {"_muster._tcp"} */
  readonly service: string;
  /** Domain of the service. @default {"local"} */
  readonly domain: string;
  /** Longest time to wait for answers. @default {5000} */
  readonly timeoutMs: number;
  /** Whether IPv6 addresses are taken, and preferred to IPv4. @default {true} */
  readonly v6: boolean;
  /** Whether IPv4 addresses are taken. @default {true} */
  readonly v4: boolean;
}

/** Members in pods, listed by the API of Kubernetes. */
export interface K8sOptions {
  /** Always `k8s`. */
  readonly provider: "k8s";
  /** The entry as it was given: it has no secrets. */
  readonly text: string;
  /** Namespace of the pods. @default {"default"} */
  readonly namespace: string;
  /** As of `kubectl get pods -l`; empty: all. */
  readonly labelSelector: string;
  /** As of `kubectl get pods --field-selector`; empty: all. */
  readonly fieldSelector: string;
  /** Path of the file with the way to the API; empty: the service account of the pod that this runs in. */
  readonly kubeconfig: string;
  /** Whether the addresses and ports are those of the hosts, not of the pods. @default {false} */
  readonly hostNetwork: boolean;
}

/** How members are looked up. */
export type ProviderOptions = MdnsOptions | K8sOptions;

const KEYS = {
  mdns: ["service", "domain", "timeout", "v6", "v4"],
  k8s: ["namespace", "label_selector", "field_selector", "kubeconfig", "host_network"],
} as const;
const TIMEOUT_MS = { standard: 5000, least: 100, most: 60_000 };
const DNS_NAME = /^[\w-]{1,63}(\.[\w-]{1,63}){0,8}\.?$/;
/** Name of a namespace: a label (RFC 1123). */
const NAMESPACE = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Reads an entry of retry_join; undefined where it is an address.
 * @throws {ProviderError} When provider or key are not known, or a value cannot be used.
 */
export function parseProvider(text: string): ProviderOptions | undefined {
  if (!isProviderString(text)) return undefined;
  const pairs = parsePairs(text);
  const name = pairs.get("provider") ?? "";
  if (name !== "mdns" && name !== "k8s") {
    throw new ProviderError(
      `provider "${name}" is not supported: known are ${Object.keys(KEYS).join(", ")}; or give addresses or names of ` +
        "members (a DNS name may stand for many)",
    );
  }
  const known: readonly string[] = ["provider", ...KEYS[name]];
  const unknown = [...pairs.keys()].find((key) => !known.includes(key));
  if (unknown !== undefined) {
    throw new ProviderError(`provider "${name}" has no key "${unknown}": known are ${KEYS[name].join(", ")}`);
  }
  return name === "mdns" ? mdnsOptions(text, pairs) : k8sOptions(text, pairs);
}

type Pairs = ReadonlyMap<string, string>;

function mdnsOptions(text: string, pairs: Pairs): MdnsOptions {
  const timeout = pairs.get("timeout");
  const timeoutMs = timeout === undefined ? TIMEOUT_MS.standard : parseDuration(timeout) ?? 0;
  if (timeoutMs < TIMEOUT_MS.least || timeoutMs > TIMEOUT_MS.most) {
    throw new ProviderError("timeout must be a duration from 100ms to 60s");
  }
  const [v6, v4] = [truth(pairs, "v6", true), truth(pairs, "v4", true)];
  if (!v6 && !v4) throw new ProviderError("v6 and v4 cannot both be false");
  return {
    provider: "mdns",
    text,
    service: dnsName(pairs, "service", "_muster._tcp"),
    domain: dnsName(pairs, "domain", "local"),
    timeoutMs,
    v6,
    v4,
  };
}

function k8sOptions(text: string, pairs: Pairs): K8sOptions {
  const namespace = pairs.get("namespace") ?? "default";
  if (!NAMESPACE.test(namespace)) throw new ProviderError("namespace must be the name of one namespace");
  return {
    provider: "k8s",
    text,
    namespace,
    labelSelector: pairs.get("label_selector") ?? "",
    fieldSelector: pairs.get("field_selector") ?? "",
    kubeconfig: pairs.get("kubeconfig") ?? "",
    hostNetwork: truth(pairs, "host_network", false),
  };
}

function dnsName(pairs: Pairs, key: string, standard: string): string {
  const name = pairs.get(key) ?? standard;
  if (!DNS_NAME.test(name)) throw new ProviderError(`${key} must be a DNS name, such as ${standard}`);
  return name.replace(/\.$/, "");
}

/** As Go reads booleans. */
function truth(pairs: Pairs, key: string, standard: boolean): boolean {
  const text = pairs.get(key);
  if (text === undefined) return standard;
  if (/^(1|t|T|true|True|TRUE)$/.test(text)) return true;
  if (/^(0|f|F|false|False|FALSE)$/.test(text)) return false;
  throw new ProviderError(`${key} must be true or false`);
}
