/**
 * A bucket of Google Cloud Storage as a place for backups, by its JSON API (cloud.google.com/storage/docs/json_api). An upload is
 * a resumable one: the object is there when its last part is, and giving the session up leaves nothing. Requests carry a token
 * that a service account gets for a signed claim (RFC 7523).
 * @module
 */
import type { GcsDestination, ServiceAccount } from "./api.ts";
import { partsOf } from "./parts.ts";
import { encodeName, send, type StoreRequest } from "./request.ts";
import type { Store, Stored } from "./store.ts";

/** Bytes of a part; a multiple of 256 KiB, as the service wants it. */
const PART_BYTES = 16 * 1024 * 1024;
/** As rqlite has it. */
const ID_KEY = "rqlite-auto-backup-id";
const SCOPE = "https://www.googleapis.com/auth/devstorage.read_write";
/** Seconds that a token is asked for, and those before its end in which it is not used any more. */
const TOKEN_SECONDS = 3600;
const TOKEN_RESERVE_SECONDS = 60;
/** The answer to a part that is not the last one. */
const RESUME_INCOMPLETE = 308;
/** The answer to a session that is given up. */
const CLIENT_CLOSED = 499;

/** A request with a token. */
type GcsRequest = Omit<StoreRequest, "headers"> & { readonly headers?: Readonly<Record<string, string>> };

/** Backups in a bucket. */
export class GcsStore implements Store {
  readonly place: string;
  readonly #destination: GcsDestination;
  readonly #objects: string;
  #token: { readonly text: string; readonly untilMs: number } | undefined;

  constructor(destination: GcsDestination) {
    const { bucket, name } = destination;
    this.#destination = destination;
    this.#objects = `/b/${encodeName(bucket, { keepsSlashes: false })}/o`;
    this.place = `gs://${bucket}/${name}`;
  }

  /** Asks for the metadata of an object. */
  async idOf(name: string): Promise<string | undefined> {
    const task = `look at ${this.#nameOf(name)}`;
    const answer = await this.#send({ task, method: "GET", url: this.#urlOf(name), also: [404] });
    const { metadata } = await jsonOf(answer);
    const id = typeof metadata === "object" && metadata !== null
      ? Object.entries(metadata).find(([key]) => key === ID_KEY)
      : undefined;
    return answer.ok && typeof id?.[1] === "string" ? id[1] : undefined;
  }

  /** Stores an object in parts. */
  async put(name: string, { pieces, id, signal }: Stored): Promise<void> {
    const session = await this.#begin(name, id, signal);
    let at = 0;
    let isDone = false;
    try {
      for await (const { bytes, isLast } of partsOf(pieces, PART_BYTES)) {
        signal.throwIfAborted();
        const end = at + bytes.length;
        const range = bytes.length === 0 ? "*" : `${at}-${end - 1}`;
        const answer = await this.#send({
          task: `store ${this.#nameOf(name)} from byte ${at} on`,
          method: "PUT",
          url: session,
          headers: { "content-range": `bytes ${range}/${isLast ? end : "*"}` },
          body: bytes,
          signal,
          also: isLast ? [] : [RESUME_INCOMPLETE],
        });
        await answer.body?.cancel();
        checkReceived(answer, { isLast, end });
        at = end;
        isDone = isLast;
      }
    } finally {
      if (!isDone) await this.#giveUp(name, session);
    }
  }

  /** Names of the objects that begin with `prefix`. */
  async list(prefix: string): Promise<readonly string[]> {
    const names: string[] = [];
    let pageToken: string | undefined;
    do {
      const query = new URLSearchParams({ prefix, fields: "items(name),nextPageToken" });
      if (pageToken !== undefined) query.set("pageToken", pageToken);
      const url = `${this.#destination.endpoint}/storage/v1${this.#objects}?${query}`;
      const { items, nextPageToken } = await jsonOf(
        await this.#send({ task: `list ${this.#nameOf(prefix)}`, method: "GET", url }),
      );
      if (Array.isArray(items)) names.push(...items.map(({ name }) => String(name)));
      pageToken = typeof nextPageToken === "string" ? nextPageToken : undefined;
    } while (pageToken !== undefined);
    return names;
  }

  /** Removes an object. */
  async remove(name: string): Promise<void> {
    const task = `remove ${this.#nameOf(name)}`;
    const answer = await this.#send({ task, method: "DELETE", url: this.#urlOf(name), also: [404] });
    await answer.body?.cancel();
  }

  /** Downloads an object. */
  async get(name: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
    const task = `download ${this.#nameOf(name)}`;
    const answer = await this.#send({ task, method: "GET", url: `${this.#urlOf(name)}?alt=media`, signal });
    return answer.body ?? new Blob([]).stream();
  }

  /** URL of a new upload session; it must be at the endpoint, as the Worker reaches nothing else. */
  async #begin(name: string, id: string, signal: AbortSignal): Promise<string> {
    const task = `begin to store ${this.#nameOf(name)}`;
    const query = new URLSearchParams({ uploadType: "resumable", name });
    const answer = await this.#send({
      task,
      method: "POST",
      url: `${this.#destination.endpoint}/upload/storage/v1${this.#objects}?${query}`,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name, metadata: { [ID_KEY]: id } }),
      signal,
    });
    await answer.body?.cancel();
    const session = answer.headers.get("location");
    if (session === null) throw new Error(`Cannot ${task}: the answer names no session`);
    return session;
  }

  /** What cannot be given up ends by itself after a week, and is no object until then. */
  async #giveUp(name: string, session: string): Promise<void> {
    const task = `give up the parts of ${this.#nameOf(name)}`;
    await this.#send({ task, method: "DELETE", url: session, also: [404, 410, CLIENT_CLOSED] })
      .then((answer) => answer.body?.cancel()).catch(() => {});
  }

  #nameOf(name: string): string {
    return `gs://${this.#destination.bucket}/${name}`;
  }

  #urlOf(name: string): string {
    return `${this.#destination.endpoint}/storage/v1${this.#objects}/${encodeName(name, { keepsSlashes: false })}`;
  }

  async #send({ headers = {}, ...request }: GcsRequest): Promise<Response> {
    const { account } = this.#destination;
    const authorization: Record<string, string> = account
      ? { authorization: `Bearer ${await this.#tokenOf(account)}` }
      : {};
    return await send({ ...request, headers: { ...headers, ...authorization } });
  }

  async #tokenOf(account: ServiceAccount): Promise<string> {
    if (this.#token && Date.now() < this.#token.untilMs) return this.#token.text;
    const answer = await send({
      task: `sign in as ${account.email}`,
      method: "POST",
      url: account.tokenUrl,
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({
        grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
        assertion: await signedClaim(account, Math.floor(Date.now() / 1000)),
      }),
    });
    const { access_token: text, expires_in: seconds } = await jsonOf(answer);
    if (typeof text !== "string") throw new Error(`Cannot sign in as ${account.email}: the answer holds no token`);
    const lifeSeconds = typeof seconds === "number" ? seconds : TOKEN_SECONDS;
    this.#token = { text, untilMs: Date.now() + (lifeSeconds - TOKEN_RESERVE_SECONDS) * 1000 };
    return text;
  }
}

/** A part may have come only in part, which this side does not go on from. */
function checkReceived({ status, headers }: Response, { isLast, end }: { isLast: boolean; end: number }): void {
  if (isLast || status !== RESUME_INCOMPLETE || headers.get("range") === `bytes=0-${end - 1}`) return;
  throw new Error(`the store has kept only a part of what was sent (${headers.get("range") ?? "nothing"})`);
}

async function jsonOf(answer: Response): Promise<Record<string, unknown>> {
  const value: unknown = JSON.parse(await answer.text() || "{}");
  return typeof value === "object" && value !== null ? { ...value } : {};
}

/** A JSON Web Token (RFC 7519) by which a service account asks for an access token. */
export async function signedClaim(
  { email, keyId, privateKey, tokenUrl }: ServiceAccount,
  nowSeconds: number,
): Promise<string> {
  const header = { alg: "RS256", typ: "JWT", ...(keyId === "" ? {} : { kid: keyId }) };
  const claim = { iss: email, scope: SCOPE, aud: tokenUrl, iat: nowSeconds, exp: nowSeconds + TOKEN_SECONDS };
  const text = [header, claim].map((part) => urlBase64(new TextEncoder().encode(JSON.stringify(part)))).join(".");
  const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  const der = Uint8Array.fromBase64(privateKey.replace(/-----[^-]+-----|\s/g, ""));
  const key = await crypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
  const signature = await crypto.subtle.sign(algorithm.name, key, new TextEncoder().encode(text));
  return `${text}.${urlBase64(new Uint8Array(signature))}`;
}

/** Base64 for URLs, without padding (RFC 4648 §5). */
function urlBase64(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}
