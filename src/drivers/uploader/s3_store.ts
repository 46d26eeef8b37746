/**
 * A bucket of a store that speaks the S3 protocol (docs.aws.amazon.com/AmazonS3/latest/API), as a place for backups. What is
 * smaller than a part is put at once; anything else in parts (CreateMultipartUpload), which become an object when all of them
 * are there, and are given up otherwise (AbortMultipartUpload). Requests are signed with Signature Version 4 together with the
 * hash of what they carry, so that a part that is changed on its way is refused.
 * @module
 */
import { AwsV4Signer } from "aws4fetch";
import { messageOf } from "../../base/codec/error_text.ts";
import type { S3Destination } from "./api.ts";
import { partsOf } from "./parts.ts";
import { encodeName, send, StoreError, type StoreRequest } from "./request.ts";
import type { Store, Stored } from "./store.ts";

/** Bytes of a part: a store takes 10,000 of them, the least it takes is 5 MiB. */
export const S3_PART_BYTES = 16 * 1024 * 1024;
/** As rqlite has it. */
const ID_HEADER = "x-amz-meta-x-rqlite-auto-backup-id";

/** A request to the bucket. */
interface S3Request extends Omit<StoreRequest, "url" | "headers" | "body"> {
  /** Key of an object; absent: the bucket. */
  readonly name?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer>;
}

/** Backups in a bucket. */
export class S3Store implements Store {
  readonly place: string;
  readonly #destination: S3Destination;
  /** Keys derived from the secret, which hold for a day. */
  readonly #derivedKeys = new Map<string, ArrayBuffer>();

  constructor(destination: S3Destination) {
    this.#destination = destination;
    this.place = `s3://${destination.bucket}/${destination.name}`;
  }

  /** Asks for the metadata of an object. */
  async idOf(name: string): Promise<string | undefined> {
    const answer = await this.#send({ task: `look at ${this.#nameOf(name)}`, method: "HEAD", name, also: [404] });
    return answer.ok ? answer.headers.get(ID_HEADER) ?? undefined : undefined;
  }

  /** Stores an object, at once or in parts. */
  async put(name: string, { pieces, id, signal }: Stored): Promise<void> {
    let upload: Upload | undefined;
    try {
      for await (const { bytes, isLast } of partsOf(pieces, S3_PART_BYTES)) {
        signal.throwIfAborted();
        if (isLast && !upload) return await this.#putWhole(name, { bytes, id, signal });
        upload ??= { name, id: await this.#create(name, id, signal), etags: [], signal };
        await this.#putPart(upload, bytes);
      }
      if (upload) await this.#complete(upload);
    } catch (error) {
      if (upload) await this.#abort(upload, error);
      throw error;
    }
  }

  /** Names of the objects whose keys begin with `prefix`. */
  async list(prefix: string): Promise<readonly string[]> {
    const names: string[] = [];
    let token: string | undefined;
    do {
      const query = { "list-type": "2", prefix, ...(token === undefined ? {} : { "continuation-token": token }) };
      const answer = await this.#send({ task: `list ${this.#nameOf(prefix)}`, method: "GET", query });
      const text = await answer.text();
      names.push(...[...text.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => unescapeXml(key)));
      token = contentOf(text, "NextContinuationToken");
    } while (token !== undefined);
    return names;
  }

  /** Removes an object. */
  async remove(name: string): Promise<void> {
    await this.#send({ task: `remove ${this.#nameOf(name)}`, method: "DELETE", name });
  }

  /** Downloads an object. */
  async get(name: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
    const answer = await this.#send({ task: `download ${this.#nameOf(name)}`, method: "GET", name, signal });
    return answer.body ?? new Blob([]).stream();
  }

  async #putWhole(
    name: string,
    { bytes, id, signal }: Pick<Stored, "id" | "signal"> & { bytes: Uint8Array<ArrayBuffer> },
  ): Promise<void> {
    const task = `store ${this.#nameOf(name)}`;
    await this.#send({ task, method: "PUT", name, headers: { [ID_HEADER]: id }, body: bytes, signal });
  }

  async #create(name: string, id: string, signal: AbortSignal): Promise<string> {
    const task = `begin to store ${this.#nameOf(name)}`;
    const headers = { [ID_HEADER]: id };
    const answer = await this.#send({ task, method: "POST", name, query: { uploads: "" }, headers, signal });
    const uploadId = contentOf(await answer.text(), "UploadId");
    if (uploadId === undefined) throw new Error(`Cannot ${task}: the answer names no upload`);
    return uploadId;
  }

  async #putPart({ name, id, etags, signal }: Upload, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const partNumber = etags.length + 1;
    const task = `store part ${partNumber} of ${this.#nameOf(name)}`;
    const query = { partNumber: String(partNumber), uploadId: id };
    const answer = await this.#send({ task, method: "PUT", name, query, body: bytes, signal });
    etags.push(answer.headers.get("etag") ?? "");
  }

  /** A store may find only then that it fails, when it has begun to answer 200. */
  async #complete({ name, id, etags, signal }: Upload): Promise<void> {
    const parts = etags.map((etag, at) =>
      `<Part><PartNumber>${at + 1}</PartNumber><ETag>${escapeXml(etag)}</ETag></Part>`
    );
    const body = new TextEncoder().encode(`<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`);
    const task = `put ${this.#nameOf(name)} together`;
    const answer = await this.#send({ task, method: "POST", name, query: { uploadId: id }, body, signal });
    const text = await answer.text();
    if (!text.includes("CompleteMultipartUploadResult")) {
      throw new StoreError(`Cannot ${task}: the store answers ${contentOf(text, "Code") ?? "without a result"}`, 200);
    }
  }

  /** Gives parts up; they cost money where that fails, which the error then says. */
  async #abort({ name, id }: Upload, cause: unknown): Promise<void> {
    try {
      const task = `give up the parts of ${this.#nameOf(name)}`;
      await this.#send({ task, method: "DELETE", name, query: { uploadId: id }, also: [404] });
    } catch (error) {
      throw new Error(`${messageOf(cause)}; ${messageOf(error)}: a lifecycle rule of the bucket can remove them`, {
        cause,
      });
    }
  }

  #nameOf(name: string): string {
    return `s3://${this.#destination.bucket}/${name}`;
  }

  /** Whoever sends a GET or a POST reads the answer's body. */
  async #send({ name, query = {}, headers = {}, body, ...request }: S3Request): Promise<Response> {
    const { bucketUrl, region, accessKeyId, secretAccessKey, sessionToken } = this.#destination;
    const path = name === undefined ? "/" : `/${encodeName(name, { keepsSlashes: true })}`;
    const search = Object.entries(query).map((pair) =>
      pair.map((text) => encodeName(text, { keepsSlashes: false })).join("=")
    );
    const url = `${bucketUrl}${path}${search.length > 0 ? `?${search.join("&")}` : ""}`;
    const signed = await new AwsV4Signer({
      url,
      method: request.method,
      headers: { ...headers, "x-amz-content-sha256": await sha256(body ?? new Uint8Array(0)) },
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === "" ? {} : { sessionToken }),
      service: "s3",
      region,
      cache: this.#derivedKeys,
    }).sign();
    const answer = await send({ ...request, url, headers: signed.headers, body });
    if (["PUT", "HEAD", "DELETE"].includes(request.method)) await answer.body?.cancel();
    return answer;
  }
}

/** An upload in parts. */
interface Upload {
  readonly name: string;
  /** The store's name for it. */
  readonly id: string;
  /** Of the parts that are there. */
  readonly etags: string[];
  readonly signal: AbortSignal;
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/** Content of the first element of that name that has only text. */
function contentOf(xml: string, element: string): string | undefined {
  const found = new RegExp(`<${element}>([^<]+)</${element}>`).exec(xml);
  return found ? unescapeXml(found[1]) : undefined;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (all, hex, decimal, name) => {
    if (name !== undefined) return ENTITIES[name] ?? all;
    return String.fromCodePoint(hex === undefined ? Number(decimal) : parseInt(hex, 16));
  });
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
