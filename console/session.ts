/**
 * Who looks at the page, and what they may do: what they may not do is not shown.
 * @module
 */
import { ApiError, askJson, type Credentials, credentials, refusals } from "./api.ts";
import { datacenter } from "./consul/datacenter.ts";
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
  "event-read": "event",
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

/** What the node says of the caller. @throws {ApiError} */
async function askSession(): Promise<Session> {
  const answer = await askJson("console/whoami");
  const agent = fieldOf(answer, "agent");
  const node = fieldOf(answer, "node");
  const kind = textOf(fieldOf(answer, "kind"));
  const permissions = new Set(listOf(fieldOf(answer, "permissions")).map(textOf));
  if (kind === "anonymous") await withoutDenied(permissions);
  return {
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
}

/** Counts how often what is shown became somebody else's, or no longer the caller's: it is forgotten then. */
export const forgotten = new Store(0);

function forget(): void {
  datacenter.value = "";
  forgotten.value++;
}

/** What the caller had signed in with when it was good last. */
let good: Credentials | undefined;

function isSame(a: Session, b: Session): boolean {
  const textOfAll = (one: Session) => JSON.stringify({ ...one, permissions: [...one.permissions].sort() });
  return textOfAll(a) === textOfAll(b);
}

function take(next: Session): void {
  const before = session.value;
  if (isSame(before, next)) return;
  session.value = next;
  const isOther = before.state === "ready" && next.state !== "away";
  if (isOther) forget();
}

/**
 * Asks the node who the caller is.
 * @param isLook Whether a node that does not answer now leaves all as it is. @default {false}
 */
export async function renewSession({ isLook = false }: { readonly isLook?: boolean } = {}): Promise<void> {
  const shown = credentials.value;
  try {
    const next = await askSession();
    if (shown !== credentials.value) return; // somebody has signed in or out meanwhile
    if (next.kind === "nobody" && shown === good) return take(lost("the user is gone, or has another password"));
    if (next.kind === "token" || next.kind === "user") good = shown;
    take(next);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (shown !== credentials.value || (isLook && error.status !== 401 && error.status !== 403)) return;
    const isRefused = [401, 403, 429].includes(error.status);
    if (isRefused && shown === good) return take(lost(error.message));
    take({ ...LOADING, state: isRefused ? "refused" : "away", why: error.message, signIn: waysIn() });
  }
}

function waysIn(): readonly string[] {
  return session.value.signIn.length > 0 ? session.value.signIn : ["user", "token"];
}

/** The session of somebody whose token or user is gone. */
function lost(why: string): Session {
  return { ...LOADING, state: "refused", why: `You are not signed in any more: ${why}`, signIn: waysIn() };
}

/** How often the node is asked whether what was signed in with still counts, and how soon after a refusal it is again. */
const LOOK_MS = 10_000;
const DOUBT_GAP_MS = 2000;
let lookedMs = -Infinity;

/** Looks whether the caller still may what they might. */
function look(): void {
  if (session.value.state !== "ready" || document.hidden) return;
  lookedMs = performance.now();
  renewSession({ isLook: true });
}

/** Looks after refusals, now and then, and when the tab is seen again. */
export function watchSession(): void {
  let due: number | undefined;
  refusals.watch(() => {
    if (session.value.state !== "ready" || due !== undefined) return;
    due = setTimeout(() => {
      due = undefined;
      look();
    }, Math.max(0, lookedMs + DOUBT_GAP_MS - performance.now()));
  });
  setInterval(() => session.value.signIn.length > 0 && look(), LOOK_MS);
  document.addEventListener("visibilitychange", look);
}

credentials.watch(() => {
  forget();
  renewSession();
});
