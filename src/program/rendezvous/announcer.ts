/**
 * An agent's part in a rendezvous: announces it again and again, long before its lease ends, and tells of the others. While
 * the rendezvous does not answer it goes on trying; what it has learned stays.
 * @module
 */
import { announcementText, type Member, parseMembers, PATH } from "../../core/rendezvous/announcement.ts";
import { jitter, pause } from "../../base/worker/backoff.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { boundedText } from "../../base/net/bounded_text.ts";
import type { AtlasConfig } from "./api.ts";

const LEASE_S = 30;
/** Pause between two announcements: three fit into a lease. */
const RENEW_MS = LEASE_S * 1000 / 3;
/** The same while this agent knows of nobody, or of somebody new. */
const SOON_MS = 1000;
const FAILED_MS = { first: 500, most: 10_000 };
const REQUEST_MS = 10_000;
const ANSWER_BYTES_MAX = 1024 * 1024;

/** What is announced, and who hears of it. */
export interface AnnouncerParts {
  readonly atlas: AtlasConfig;
  readonly self: Member;
  readonly signal: AbortSignal;
  /** Told of the others after each announcement. */
  onMembers(others: readonly Member[]): void;
  log(line: string, level?: "error"): void;
}

/** Announces until the signal; then says goodbye. */
export async function announce(parts: AnnouncerParts): Promise<void> {
  const { atlas, self, signal, onMembers, log } = parts;
  const client = Deno.createHttpClient({ ...(atlas.caCerts.length > 0 ? { caCerts: [...atlas.caCerts] } : {}) });
  let [known, failures, before] = ["", 0, ""];
  /** Of the list, round and round. */
  let asked = 0;
  while (!signal.aborted) {
    let waitMs = RENEW_MS;
    const endpoint = atlas.endpoints[asked % atlas.endpoints.length];
    try {
      const others = (await post(parts, endpoint, client)).filter(({ node }) => node !== self.node);
      if (failures > 0 || known === "") {
        log(`Atlas: announced at ${endpoint}: infrastructure=${atlas.infrastructure}`);
      }
      failures = 0;
      const names = `members ${others.map(({ node, address }) => `${node} ${address}`).sort().join()}`;
      if (others.length === 0 || names !== known) waitMs = SOON_MS;
      known = names;
      onMembers(others);
    } catch (error) {
      if (signal.aborted) break;
      asked++;
      waitMs = Math.min(FAILED_MS.most, FAILED_MS.first * 2 ** Math.min(failures++, 10));
      const why = messageOf(error);
      if (why !== before) log(`Atlas: cannot announce at ${endpoint}, will retry: ${why}`, "error");
      before = why;
    }
    await pause(jitter(waitMs), signal);
  }
  await goodbye(parts, atlas.endpoints[asked % atlas.endpoints.length], client);
  client.close();
}

async function post(
  { atlas, self, signal }: AnnouncerParts,
  endpoint: string,
  client: Deno.HttpClient,
): Promise<readonly Member[]> {
  const response = await fetch(`${endpoint}${PATH}${atlas.infrastructure}`, {
    method: "POST",
    headers: headersOf(atlas),
    body: announcementText({ ...self, leaseS: LEASE_S }),
    client,
    signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS)]),
  });
  const text = await boundedText(response.body, ANSWER_BYTES_MAX);
  if (text === undefined) throw new Error("the answer is too long: is this a rendezvous?");
  if (!response.ok) throw new Error(`${response.status} ${text.trim().slice(0, 200)}`);
  return parseMembers(text);
}

/** The others need not wait for the end of the lease. */
async function goodbye({ atlas, self }: AnnouncerParts, endpoint: string, client: Deno.HttpClient): Promise<void> {
  try {
    const place = `${PATH}${atlas.infrastructure}/${encodeURIComponent(self.node)}`;
    const response = await fetch(endpoint + place, {
      method: "DELETE",
      headers: headersOf(atlas),
      client,
      signal: AbortSignal.timeout(1000),
    });
    await response.body?.cancel();
  } catch {
    // the lease ends by itself
  }
}

function headersOf({ token }: AtlasConfig): Record<string, string> {
  return { "Authorization": `Bearer ${token}`, "Content-Type": "application/json" };
}
