/**
 * The way to the API of Kubernetes: the service account of the pod that this runs in, or a kubeconfig file. Files are read
 * through the caller, anew for each lookup: tokens are rotated. Pure.
 * @module
 */
import { decodeBase64 } from "../../base/codec/base64.ts";
import type { TlsOptions } from "../discovery/api.ts";
import type { K8sAccess } from "./api.ts";

/** Where a pod finds the token of its service account, and the certificate of the API's authority. */
export const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";
const REQUEST_TIMEOUT_MS = 10_000;

/** Address of the API in the environment of a pod; empty outside. */
export interface ApiEnvironment {
  /** `KUBERNETES_SERVICE_HOST`. */
  readonly host: string;
  /** `KUBERNETES_SERVICE_PORT`. */
  readonly port: string;
}

/**
 * The access that a pod has by its service account.
 * @param read The text of a file; throws when it cannot be read.
 * @throws {Error} When this is no pod, or its account is not mounted.
 */
export function accessOfPod({ host, port }: ApiEnvironment, read: (path: string) => string): K8sAccess {
  if (host === "") {
    throw new Error("KUBERNETES_SERVICE_HOST is not set, so this is no pod: name a file by kubeconfig=PATH");
  }
  const tls = { ...NO_TLS, ca: [read(`${SERVICE_ACCOUNT}/ca.crt`)] };
  return {
    server: { hostname: host, port: Number(port) || 443, tls, timeoutMs: REQUEST_TIMEOUT_MS },
    prefix: "",
    token: headerValue(read(`${SERVICE_ACCOUNT}/token`), "the token of the service account"),
  };
}

const NO_TLS: TlsOptions = { ca: [], cert: "", key: "", serverName: "", insecure: false };

/** Access to files beside a kubeconfig. */
export interface KubeconfigParts {
  /** The text of a file; a relative path is relative to the kubeconfig. Throws when it cannot be read. */
  read(path: string): string;
  /** The certificates that the system trusts, for a server without an authority of its own. */
  systemCertificates(): readonly string[];
}

/**
 * The access that a kubeconfig describes by its current context.
 * @param config The parsed file.
 * @throws {Error} When it describes none, or one that needs a program to be run.
 */
export function accessOfKubeconfig(config: unknown, parts: KubeconfigParts): K8sAccess {
  const context = named(config, "contexts", "context", text(config, "current-context"));
  const cluster = named(config, "clusters", "cluster", text(context, "cluster"));
  const user = named(config, "users", "user", text(context, "user"));
  for (const kind of ["exec", "auth-provider"]) {
    if (field(user, kind) === undefined) continue;
    throw new Error(`kubeconfig: the user has "${kind}", and no program is run for it: give a token or a certificate`);
  }
  const url = URL.parse(text(cluster, "server"));
  if (!url || url.protocol !== "https:" && url.protocol !== "http:") {
    throw new Error("kubeconfig: the server must be a URL such as https://10.0.0.1:6443");
  }
  const isPlain = url.protocol === "http:";
  return {
    server: {
      hostname: url.hostname.replace(/^\[(.*)\]$/, "$1"),
      port: Number(url.port) || (isPlain ? 80 : 443),
      tls: isPlain ? undefined : tlsOf(cluster, user, parts),
      timeoutMs: REQUEST_TIMEOUT_MS,
    },
    prefix: url.pathname.replace(/\/+$/, ""),
    token: headerValue(text(user, "token") || fileOf(user, "tokenFile", parts), "kubeconfig: the user's token"),
  };
}

function tlsOf(cluster: unknown, user: unknown, parts: KubeconfigParts): TlsOptions {
  const insecure = field(cluster, "insecure-skip-tls-verify") === true;
  const ca = pemOf(cluster, "certificate-authority", parts);
  const [cert, key] = [pemOf(user, "client-certificate", parts), pemOf(user, "client-key", parts)];
  if ((cert === "") !== (key === "")) throw new Error("kubeconfig: client-certificate and client-key go together");
  return {
    ca: ca !== "" ? [ca] : insecure ? [] : parts.systemCertificates(),
    cert,
    key,
    serverName: text(cluster, "tls-server-name"),
    insecure,
  };
}

/** What stands in the file itself comes before what it refers to. */
function pemOf(value: unknown, name: string, parts: KubeconfigParts): string {
  const data = text(value, `${name}-data`);
  if (data === "") return fileOf(value, name, parts);
  const pem = decodeBase64(data.replace(/\s/g, ""));
  if (pem === undefined) throw new Error(`kubeconfig: ${name}-data must be base64 of PEM`);
  return pem;
}

function fileOf(value: unknown, name: string, { read }: KubeconfigParts): string {
  const path = text(value, name);
  return path === "" ? "" : read(path);
}

/** The entry of a list by its name. */
function named(config: unknown, list: string, kind: string, name: string): unknown {
  const entries = field(config, list);
  const found = Array.isArray(entries) ? entries.find((entry) => text(entry, "name") === name) : undefined;
  if (name === "" || found === undefined) throw new Error(`kubeconfig: there is no ${kind} "${name}"`);
  return field(found, kind);
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.entries(value).find(([key]) => key === name)?.[1];
}

function text(value: unknown, name: string): string {
  const found = field(value, name);
  return typeof found === "string" ? found : "";
}

/** A token as it can stand in a header. */
function headerValue(token: string, what: string): string {
  const plain = token.trim();
  if (!/^[\x21-\x7e]*$/.test(plain)) throw new Error(`${what} is none: it has characters that a header cannot have`);
  return plain;
}
