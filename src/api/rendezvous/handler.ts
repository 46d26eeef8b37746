/**
 * The requests of a rendezvous (docs/rendezvous.md):
 *
 *     POST /v1/rendezvous/USER/NAME           announces an agent, answers with all of its infrastructure
 *     DELETE /v1/rendezvous/USER/NAME/NODE    an agent has left
 *     GET /healthz                            200 where the registry answers
 *
 * Each but the last needs `Authorization: Bearer TOKEN`. Requests are bounded, and so is their number per client address;
 * wrong tokens are few before they are not even answered.
 * @module
 */
import { Attempts, Buckets } from "../../app/users/attempts.ts";
import { boundedText } from "../../base/net/bounded_text.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import {
  type Announcement,
  AnnouncementError,
  isInfrastructure,
  isNodeName,
  type Member,
  membersText,
  parseAnnouncement,
  PATH,
  REQUEST_BYTES_MAX,
} from "../../core/rendezvous/announcement.ts";

/** Requests of one address: so many at once, and then one more every so often. */
const REQUESTS = { count: 400, everyMs: 20 };

/** Where announcements and tokens are kept. */
export interface Registry {
  /** Whether a token is one of an infrastructure's. */
  isToken(infrastructure: string, token: string): Promise<boolean>;
  /** Takes an announcement. @returns All members, the one that was announced included. */
  announce(infrastructure: string, announcement: Announcement): Promise<readonly Member[]>;
  /** Forgets a member. */
  forget(infrastructure: string, node: string): Promise<void>;
  /** Resolves where the registry answers. */
  check(): Promise<void>;
}

/** Handler of the requests. */
export class RendezvousHandler {
  readonly #registry: Registry;
  readonly #log: (line: string) => void;
  readonly #requests = new Buckets(REQUESTS);
  readonly #attempts = new Attempts();

  constructor(registry: Registry, log: (line: string) => void) {
    this.#registry = registry;
    this.#log = log;
  }

  /** Answers a request from a client address, at a time in milliseconds. */
  async handle(request: Request, remote: string, nowMs: number): Promise<Response> {
    try {
      const waitMs = this.#requests.waitMs(remote, nowMs);
      if (waitMs > 0) return tooMany(waitMs / 1000);
      this.#requests.add(remote, 1, nowMs);
      const path = new URL(request.url).pathname;
      if (path === "/healthz") {
        await this.#registry.check();
        return text(200, "ok");
      }
      return await this.#handle(request, path, { remote, nowMs });
    } catch (error) {
      if (error instanceof AnnouncementError) return text(400, error.message);
      this.#log(`rendezvous: cannot answer ${remote}: ${messageOf(error)}`);
      return text(503, "the rendezvous cannot reach its registry now: try again");
    }
  }

  async #handle(request: Request, path: string, from: { remote: string; nowMs: number }): Promise<Response> {
    const [user = "", name = "", node] = path.startsWith(PATH) ? path.slice(PATH.length).split("/").map(decoded) : [];
    const infrastructure = `${user}/${name}`;
    if (!isInfrastructure(infrastructure)) return text(404, `expected ${PATH}USER/NAME`);
    const refusal = await this.#refusal(request, infrastructure, from);
    if (refusal !== undefined) return refusal;
    if (request.method === "POST" && node === undefined) {
      const announcement = parseAnnouncement(await bodyOf(request));
      const members = await this.#registry.announce(infrastructure, announcement);
      return new Response(membersText(members), { headers: { "Content-Type": "application/json" } });
    }
    if (request.method === "DELETE" && node !== undefined && isNodeName(node)) {
      await this.#registry.forget(infrastructure, node);
      return text(200, "true");
    }
    return text(405, `expected POST ${PATH}USER/NAME or DELETE ${PATH}USER/NAME/NODE`);
  }

  async #refusal(
    request: Request,
    infrastructure: string,
    { remote, nowMs }: { remote: string; nowMs: number },
  ): Promise<Response | undefined> {
    const [, token] = /^Bearer (\S{1,256})$/.exec(request.headers.get("Authorization") ?? "") ?? [];
    if (token === undefined) return text(401, `expected the header "Authorization: Bearer TOKEN"`);
    if (await this.#registry.isToken(infrastructure, token)) return undefined;
    const waitS = this.#attempts.begin(remote, infrastructure, nowMs);
    if (waitS > 0) return tooMany(waitS);
    this.#log(`rendezvous: refused ${remote}: not a token of ${infrastructure}`);
    return text(403, `this is not a token of ${infrastructure}: make one with "muster rendezvous token create"`);
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return ""; // the name of nothing
  }
}

async function bodyOf(request: Request): Promise<string> {
  const body = await boundedText(request.body, REQUEST_BYTES_MAX);
  if (body === undefined) throw new AnnouncementError(`expected at most ${REQUEST_BYTES_MAX} bytes`);
  return body;
}

function text(status: number, body: string): Response {
  return new Response(`${body}\n`, { status, headers: { "Content-Type": "text/plain" } });
}

function tooMany(seconds: number): Response {
  const response = text(429, "too many requests, or wrong tokens, from this address");
  response.headers.set("Retry-After", String(Math.ceil(seconds)));
  return response;
}
