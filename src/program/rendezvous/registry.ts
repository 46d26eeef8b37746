/**
 * The state of a rendezvous: keys of the agent's own store, so that it is as durable and as widely available as the cluster
 * that serves it. A token is kept as its SHA-256, which is enough for 256 random bits. An agent's announcement is a key held
 * by a session with a time to live: it goes when the agent no longer announces itself, whichever server it has asked.
 *
 *     rendezvous/tokens/USER/NAME/SHA-256     {"created": "2026-01-31T10:00:00.000Z"}
 *     rendezvous/nodes/USER/NAME/NODE         10.0.0.1:8301
 * @module
 */
import { boundedText } from "../../base/net/bounded_text.ts";
import type { Registry } from "../../api/rendezvous/handler.ts";
import { type Announcement, type Member, MEMBERS_MAX } from "../../core/rendezvous/announcement.ts";

/** Prefix of the keys with tokens. */
export const TOKENS_PREFIX = "rendezvous/tokens/";
const NODES_PREFIX = "rendezvous/nodes/";
/** A token that was found good is so for this time without another look; a revoked one is refused after it. */
const TOKEN_KNOWN_MS = 5000;
/** A list of members that is so old is asked for again. */
const LIST_MS = 200;
const REQUEST_MS = 10_000;
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
/** Tokens and sessions that are remembered. */
const REMEMBERED_MAX = 10_000;

/** A key of the store. */
interface Entry {
  readonly key: string;
  readonly value: string;
  readonly session: string;
}

/** The registry in the keys of the agent at a URL. */
export class KvRegistry implements Registry {
  readonly #url: string;
  /** When a token was found good, by its key. */
  readonly #tokens = new Map<string, number>();
  /** Sessions by the keys that they hold. */
  readonly #sessions = new Map<string, string>();
  readonly #lists = new Map<string, { readonly atMs: number; readonly members: Promise<readonly Member[]> }>();

  /** @param url Such as `http://127.0.0.1:8500`. */
  constructor(url: string) {
    this.#url = url;
  }

  async isToken(infrastructure: string, token: string): Promise<boolean> {
    const key = `${TOKENS_PREFIX}${infrastructure}/${await sha256(token)}`;
    const now = performance.now();
    if (now - (this.#tokens.get(key) ?? -Infinity) < TOKEN_KNOWN_MS) return true;
    const isGood = (await this.#entries(key)).length === 1;
    if (isGood) remember(this.#tokens, key, now);
    else this.#tokens.delete(key);
    return isGood;
  }

  async announce(infrastructure: string, { node, address, leaseS }: Announcement): Promise<readonly Member[]> {
    const key = `${NODES_PREFIX}${infrastructure}/${node}`;
    const known = this.#sessions.get(key);
    if (known === undefined || !await this.#renews(known, leaseS) || !await this.#holds(key, known, address)) {
      await this.#take(key, address, leaseS);
    }
    const members = await this.#members(infrastructure);
    if (members.some((member) => member.node === node && member.address === address)) return members;
    this.#lists.delete(infrastructure); // it is older than the announcement
    return await this.#members(infrastructure);
  }

  /** Makes a key one's own: by the session that holds it, after a start, or by a new one. */
  async #take(key: string, address: string, leaseS: number): Promise<void> {
    const [entry] = await this.#entries(key);
    const holder = entry?.session ?? "";
    if (holder !== "" && await this.#renews(holder, leaseS) && await this.#holds(key, holder, address)) return;
    const session = await this.#newSession(leaseS);
    if (!await this.#holds(key, session, address)) throw new Error(`${key} is held by another session`);
  }

  async #newSession(leaseS: number): Promise<string> {
    const body = JSON.stringify({
      Name: "rendezvous",
      TTL: `${leaseS}s`,
      Behavior: "delete",
      LockDelay: "0s",
      NodeChecks: [], // the lease alone decides, whichever server took the announcement
    });
    const answer: unknown = JSON.parse((await this.#ask("PUT", "/v1/session/create", body)).text);
    const id = typeof answer === "object" && answer !== null && "ID" in answer ? answer.ID : undefined;
    if (typeof id !== "string") throw new Error("the agent made no session");
    return id;
  }

  async #renews(session: string, leaseS: number): Promise<boolean> {
    const { status, text } = await this.#ask("PUT", `/v1/session/renew/${session}`);
    return status === 200 && text.includes(`"TTL":"${leaseS}s"`); // another lease wants another session
  }

  async #holds(key: string, session: string, address: string): Promise<boolean> {
    const isHeld = (await this.#ask("PUT", `${kvPath(key)}?acquire=${session}`, address)).text.trim() === "true";
    if (isHeld) remember(this.#sessions, key, session);
    else this.#sessions.delete(key);
    return isHeld;
  }

  #members(infrastructure: string): Promise<readonly Member[]> {
    const now = performance.now();
    const known = this.#lists.get(infrastructure);
    if (known && now - known.atMs < LIST_MS) return known.members;
    const members = this.#read(`${NODES_PREFIX}${infrastructure}/`);
    remember(this.#lists, infrastructure, { atMs: now, members });
    members.catch(() => this.#lists.delete(infrastructure));
    return members;
  }

  async #read(prefix: string): Promise<readonly Member[]> {
    const entries = await this.#entries(prefix, true);
    return entries.filter(({ session }) => session !== "").slice(0, MEMBERS_MAX).map(({ key, value }) => ({
      node: key.slice(prefix.length),
      address: value,
    }));
  }

  async forget(infrastructure: string, node: string): Promise<void> {
    const key = `${NODES_PREFIX}${infrastructure}/${node}`;
    const [entry] = await this.#entries(key);
    this.#sessions.delete(key);
    this.#lists.delete(infrastructure);
    if (entry?.session) await this.#ask("PUT", `/v1/session/destroy/${entry.session}`); // the key goes with it
  }

  async check(): Promise<void> {
    const { text } = await this.#ask("GET", "/v1/status/leader");
    if (text.trim().length <= 2) throw new Error("there is no leader");
  }

  async #entries(key: string, isTree = false): Promise<readonly Entry[]> {
    const { status, text } = await this.#ask("GET", kvPath(key) + (isTree ? "?recurse" : ""));
    if (status === 404) return [];
    const entries: unknown = JSON.parse(text);
    if (!Array.isArray(entries)) throw new Error("the agent answered no list of keys");
    return entries.map(entryOf);
  }

  /** @throws {Error} When the agent does not answer, or fails. */
  async #ask(method: string, target: string, body?: string): Promise<{ status: number; text: string }> {
    const response = await fetch(this.#url + target, {
      method,
      ...(body === undefined ? {} : { body }),
      signal: AbortSignal.timeout(REQUEST_MS),
    });
    const text = await boundedText(response.body, ANSWER_BYTES_MAX);
    if (text === undefined) throw new Error(`${target}: the answer is too long`);
    if (!response.ok && response.status !== 404) throw new Error(`${target}: ${response.status} ${text.slice(0, 200)}`);
    return { status: response.status, text };
  }
}

/** Name under which a token is kept. */
export async function sha256(token: string): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token))).toHex();
}

function kvPath(key: string): string {
  return `/v1/kv/${key.split("/").map(encodeURIComponent).join("/")}`;
}

function entryOf(entry: unknown): Entry {
  if (typeof entry === "object" && entry !== null && "Key" in entry && "Value" in entry) {
    const { Key: key, Value: value } = entry;
    const session = "Session" in entry ? entry.Session : "";
    if (typeof key === "string" && (typeof value === "string" || value === null)) {
      const bytes = Uint8Array.fromBase64(value ?? "");
      return { key, value: new TextDecoder().decode(bytes), session: typeof session === "string" ? session : "" };
    }
  }
  throw new Error("the agent answered a key without a name or value");
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= REMEMBERED_MAX) return;
  for (const oldest of map.keys()) return void map.delete(oldest);
}
