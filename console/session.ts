/**
 * Who looks at the page, and what they may do: what they may not do is not shown.
 * @module
 */
import { ApiError, askJson, credentials } from "./api.ts";
import { fieldOf, listOf, textOf } from "./json.ts";
import { Store } from "./store.ts";

/** A session. */
export interface Session {
  /** `loading`, `ready`, or `refused`: the node does not let the caller in without other credentials. */
  readonly state: "loading" | "ready" | "refused" | "away";
  /** Why it is not ready. */
  readonly why: string;
  /** `everybody` where nobody has to sign in. */
  readonly kind: string;
  /** Of a user. */
  readonly name: string;
  readonly permissions: ReadonlySet<string>;
  /** How one can sign in here: `user`, `token`. */
  readonly signIn: readonly string[];
  /** Name of the node. */
  readonly node: string;
  readonly version: string;
  /** Whether it is an agent, with a catalog and services. */
  readonly isAgent: boolean;
  readonly datacenter: string;
}

const LOADING: Session = {
  state: "loading",
  why: "",
  kind: "",
  name: "",
  permissions: new Set(),
  signIn: [],
  node: "",
  version: "",
  isAgent: false,
  datacenter: "",
};

/** The session. */
export const session = new Store<Session>(LOADING);

/** Whether the caller may do what a permission of the auth file is for. */
export function may(permission: string): boolean {
  return permission === "" || session.value.permissions.has(permission);
}

/** What the rules of a token say of names, by the permission that stands for it. */
const OF_NAMES: Readonly<Record<string, string>> = {
  "catalog-read": "service",
  "kv-read": "key",
  "session-read": "session",
  "query-read": "query",
};

/**
 * Takes away what nobody may do without a token. The node counts a rule about any name as the permission, so that a token with
 * rules about a few names sees the pages; whoever has no token and may see nothing is to be asked for one instead.
 */
async function withoutDenied(permissions: Set<string>): Promise<void> {
  const questions = Object.values(OF_NAMES).map((Resource) => ({ Resource, Access: "read", Segment: "" }));
  const body = JSON.stringify(questions);
  const answers = listOf(await askJson("v1/internal/acl/authorize", { method: "POST", body }).catch(() => []));
  for (const [permission, resource] of Object.entries(OF_NAMES)) {
    const answer = answers.find((one) => textOf(fieldOf(one, "Resource")) === resource);
    if (fieldOf(answer, "Allow") !== true) permissions.delete(permission);
  }
}

/** Asks the node who the caller is. */
export async function renewSession(): Promise<void> {
  try {
    const answer = await askJson("console/whoami");
    const agent = fieldOf(answer, "agent");
    const node = fieldOf(answer, "node");
    const kind = textOf(fieldOf(answer, "kind"));
    const permissions = new Set(listOf(fieldOf(answer, "permissions")).map(textOf));
    if (kind === "anonymous") await withoutDenied(permissions);
    session.value = {
      state: "ready",
      why: "",
      kind,
      name: textOf(fieldOf(answer, "name")),
      permissions,
      signIn: listOf(fieldOf(answer, "sign_in")).map(textOf),
      node: textOf(fieldOf(node, "name")),
      version: textOf(fieldOf(node, "version")),
      isAgent: typeof agent === "object" && agent !== null,
      datacenter: textOf(fieldOf(agent, "datacenter")),
    };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const isRefused = [401, 403, 429].includes(error.status);
    const signIn = session.value.signIn.length > 0 ? session.value.signIn : ["user", "token"];
    session.value = { ...LOADING, state: isRefused ? "refused" : "away", why: error.message, signIn };
  }
}

credentials.watch(() => renewSession());
