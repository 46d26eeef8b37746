/**
 * Asks the API of Kubernetes for the addresses of pods (`GET /api/v1/namespaces/NAMESPACE/pods`), page by page. Errors say
 * what is to be done about them, and hold no token.
 * @module
 */
import { readPods } from "../../core/provider/pods.ts";
import type { K8sOptions } from "../../core/provider/provider.ts";
import { type Answer, nameOf, send } from "../discovery/http_client.ts";
import type { K8sAccess } from "./api.ts";

/** Pods of one page: some tens of KiB each at most, so that an answer stays within its limit. */
const PAGE_PODS = 100;
const PAGES_MAX = 100;
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;
/** Of what the API says of an error. */
const MESSAGE_CHARS_MAX = 300;

/**
 * The addresses of all pods that fit, `host` or `host:port`.
 * @throws {Error} When the API cannot be reached, or refuses.
 */
export async function listPods(options: K8sOptions, { server, prefix, token }: K8sAccess): Promise<readonly string[]> {
  const found = new Set<string>();
  let next = "";
  for (let page = 0; page < PAGES_MAX; page++) {
    const answer = await send(server, {
      method: "GET",
      path: prefix + pathOf(options, next),
      headers: { Accept: "application/json", ...(token === "" ? {} : { Authorization: `Bearer ${token}` }) },
      answerBytesMax: ANSWER_BYTES_MAX,
    });
    if (answer.status !== 200) throw new Error(`${nameOf(server)}: ${refusalOf(answer, options)}`);
    const pods = readPods(parsed(answer.text), options);
    for (const address of pods.addresses) found.add(address);
    next = pods.next;
    if (next === "") break;
  }
  return [...found];
}

function pathOf({ namespace, labelSelector, fieldSelector }: K8sOptions, next: string): string {
  const query = new URLSearchParams({ limit: String(PAGE_PODS) });
  if (labelSelector !== "") query.set("labelSelector", labelSelector);
  if (fieldSelector !== "") query.set("fieldSelector", fieldSelector);
  if (next !== "") query.set("continue", next);
  return `/api/v1/namespaces/${namespace}/pods?${query}`;
}

function refusalOf({ status, text }: Answer, { namespace }: K8sOptions): string {
  const said = statusMessage(text);
  switch (status) {
    case 401:
      return `401: the token or certificate is not accepted${said}`;
    case 403:
      return `403: the account may not list pods of namespace "${namespace}": give it a Role there with ` +
        `apiGroups [""], resources ["pods"], verbs ["list"], by a RoleBinding${said}`;
    case 410:
      return `410: the list has changed too much to be continued${said}`;
    default:
      return `${status}${said}`;
  }
}

/** What the API says itself, in an object of kind Status. */
function statusMessage(text: string): string {
  try {
    const status = parsed(text);
    const isTold = typeof status === "object" && status !== null && "message" in status;
    return isTold && typeof status.message === "string" ? `: ${status.message.slice(0, MESSAGE_CHARS_MAX)}` : "";
  } catch {
    return ""; // of a proxy, say
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error("the answer is no JSON");
  }
}
