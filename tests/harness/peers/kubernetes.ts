/**
 * A stand-in for the API of Kubernetes, as far as lists of pods go: `GET /api/v1/namespaces/NAMESPACE/pods` with label and
 * field selectors, pages by `limit` and `continue`, bearer tokens, the rights of each token, and errors as objects of kind
 * Status, as kubernetes.io/docs/reference describes them.
 */

/** A pod; what is missing has the usual value of one that runs. */
export interface PodSpec {
  readonly name: string;
  /** @default {"default"} */
  readonly namespace?: string;
  readonly ip?: string;
  readonly hostIp?: string;
  /** @default {"Running"} */
  readonly phase?: string;
  /** State of the condition Ready; null: the pod has no conditions. @default {"True"} */
  readonly ready?: string | null;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ports?: readonly { readonly name: string; readonly containerPort: number; readonly hostPort?: number }[];
}

/** The certificate that it serves HTTPS with, PEM. */
export interface ServedBy {
  readonly cert: string;
  readonly key: string;
}

const FIELDS = ["metadata.name", "metadata.namespace", "spec.nodeName", "status.phase", "status.podIP"];

/** The server; its state may be changed at any time. */
export class KubernetesApi {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #isTls: boolean;
  /** The pods of all namespaces. */
  pods: readonly PodSpec[] = [];
  /** By token, the namespaces whose pods its account may list. */
  readonly accounts = new Map<string, readonly string[]>();
  /** Whether every `continue` has expired. */
  isCompacted = false;
  /** Paths of the requests, with their query. */
  readonly requests: string[] = [];

  /** Listens at a free port of 127.0.0.1. */
  constructor(tls?: ServedBy) {
    this.#isTls = tls !== undefined;
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, ...tls, onListen: () => {} }, (request) => {
      const url = new URL(request.url);
      this.requests.push(url.pathname + url.search);
      return this.#answer(request, url);
    });
  }

  get port(): number {
    return this.#server.addr.port;
  }

  get url(): string {
    return `${this.#isTls ? "https" : "http"}://127.0.0.1:${this.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  #answer(request: Request, { pathname, searchParams }: URL): Response {
    const token = /^Bearer (.+)$/.exec(request.headers.get("Authorization") ?? "")?.[1];
    const allowed = token === undefined ? undefined : this.accounts.get(token);
    if (!allowed) return failure(401, "Unauthorized", "Unauthorized");
    const [, namespace] = /^\/api\/v1\/namespaces\/([^/]+)\/pods$/.exec(pathname) ?? [];
    if (request.method !== "GET" || namespace === undefined) return failure(404, "NotFound", "not found");
    if (!allowed.includes(namespace)) {
      const message =
        `pods is forbidden: User "system:serviceaccount:default:test" cannot list resource "pods" in API ` +
        `group "" in the namespace "${namespace}"`;
      return failure(403, "Forbidden", message);
    }
    const found: Record<string, unknown>[] = [];
    for (const pod of this.pods.filter((pod) => (pod.namespace ?? "default") === namespace)) {
      const object = objectOf(pod);
      const byLabels = matches(searchParams.get("labelSelector") ?? "", pod.labels ?? {});
      const fields = fieldsOf(pod);
      for (const { key } of requirements(searchParams.get("fieldSelector") ?? "")) {
        if (!FIELDS.includes(key)) return failure(400, "BadRequest", `field label not supported: ${key}`);
      }
      if (byLabels && matches(searchParams.get("fieldSelector") ?? "", fields)) found.push(object);
    }
    return this.#page(found, searchParams);
  }

  #page(found: readonly Record<string, unknown>[], query: URLSearchParams): Response {
    const limit = Number(query.get("limit") ?? "0") || Infinity;
    const token = query.get("continue");
    if (token !== null && this.isCompacted) {
      return failure(410, "Expired", "The provided continue parameter is too old to display a consistent list result");
    }
    const start = token === null ? 0 : Number(atob(token));
    const rest = found.length - start - limit;
    return Response.json({
      kind: "PodList",
      apiVersion: "v1",
      metadata: {
        resourceVersion: "1234",
        ...(rest > 0 ? { continue: btoa(String(start + limit)), remainingItemCount: rest } : {}),
      },
      items: found.slice(start, start + limit),
    });
  }
}

function failure(code: number, reason: string, message: string): Response {
  const status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code };
  return Response.json(status, { status: code });
}

function objectOf(pod: PodSpec): Record<string, unknown> {
  const { name, namespace = "default", ip, hostIp = "192.0.2.1", phase = "Running", ready = "True" } = pod;
  return {
    metadata: { name, namespace, labels: pod.labels ?? {}, annotations: pod.annotations ?? {}, managedFields: [{}] },
    spec: { nodeName: "node-1", containers: [{ name: "main", image: "muster", ports: pod.ports ?? [] }] },
    status: {
      phase,
      hostIP: hostIp,
      ...(ip === undefined ? {} : { podIP: ip, podIPs: [{ ip }] }),
      ...(ready === null
        ? {}
        : { conditions: [{ type: "Initialized", status: "True" }, { type: "Ready", status: ready }] }),
    },
  };
}

function fieldsOf({ name, namespace = "default", ip = "", phase = "Running" }: PodSpec): Record<string, string> {
  return {
    "metadata.name": name,
    "metadata.namespace": namespace,
    "spec.nodeName": "node-1",
    "status.phase": phase,
    "status.podIP": ip,
  };
}

interface Requirement {
  readonly key: string;
  isMet(value: string | undefined): boolean;
}

/** The requirements of a selector: `a=b`, `a!=b`, `a`, `!a`, `a in (b,c)`, `a notin (b,c)`, with commas between. */
function requirements(selector: string): Requirement[] {
  return (selector.match(/[^,(]+(\([^)]*\))?/g) ?? []).map((text): Requirement => {
    const [, key, isNot, list] = /^\s*(\S+)\s+(not)?in\s*\(([^)]*)\)\s*$/.exec(text) ?? [];
    if (list !== undefined) {
      const values = list.split(",").map((value) => value.trim());
      return { key, isMet: (value) => (value !== undefined && values.includes(value)) === (isNot === undefined) };
    }
    const [, name, sign, wanted] = /^\s*([^\s=!]+)\s*(==|=|!=)\s*(\S*)\s*$/.exec(text) ?? [];
    if (sign !== undefined) return { key: name, isMet: (value) => (value === wanted) === (sign !== "!=") };
    const bare = text.trim();
    return bare.startsWith("!")
      ? { key: bare.slice(1), isMet: (value) => value === undefined }
      : { key: bare, isMet: (value) => value !== undefined };
  });
}

function matches(selector: string, values: Readonly<Record<string, string>>): boolean {
  return requirements(selector).every(({ key, isMet }) => isMet(values[key]));
}
