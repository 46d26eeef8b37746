/**
 * `/console/`: the page, which is the same for everybody and has no data in it. Whatever it shows it asks the public API for,
 * with the credentials of whoever looks at it.
 *
 * - A browser runs nothing but the scripts of this folder, and lets the page speak to this node alone: the policy below has
 *   no exception, so that text from the database could not become a script even if the page had a fault.
 * - A file with a digest of its content in its name is kept by browsers for good; `index.html` is asked for again each time,
 *   by its tag.
 * @module
 */
import { acceptsEncodings } from "@std/http/negotiation";
import { eTag, ifNoneMatch } from "@std/http/etag";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";
import type { ConsoleFile } from "./files.ts";

/** Dependencies of the console. */
export interface ConsoleParts {
  readonly options: {
    /** Absent where the console is off. */
    readonly console?: ConsoleOptions;
  };
  readonly console: ConsolePage;
}

/** How the console is served. */
export interface ConsoleOptions {
  /** Where else it is looked for, as Consul's is: a path that begins and ends with a slash; empty: nowhere. */
  readonly otherPath: string;
}

const INDEX = "index.html";
const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  txt: "text/plain; charset=utf-8",
};
/** What the page may load and do. `data:` is for the pictures that stand in the style sheet. */
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
  "frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
const HEADERS: Readonly<Record<string, string>> = {
  "Content-Security-Policy": POLICY,
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
  Vary: "Accept-Encoding",
};
/** Names that change with the content. */
const HAS_DIGEST = /-[0-9A-Z]{8}\.\w+$/;
const FOREVER = "public, max-age=31536000, immutable";

/** The files of the console, asked for when they are first wanted. */
export class ConsolePage {
  readonly #read: () => Promise<readonly ConsoleFile[]>;
  #files: Promise<ReadonlyMap<string, { readonly gzip: Uint8Array; readonly tag: string }>> | undefined;

  /** @param read Gives the files; called once. */
  constructor(read: () => Promise<readonly ConsoleFile[]>) {
    this.#read = read;
  }

  /** The answer to a request for a file; the empty name is that of the page itself. */
  async answer(name: string, request: HttpRequest): Promise<HttpResponse> {
    const file = (await (this.#files ??= this.#load())).get(name || INDEX);
    if (!file) throw new HttpError(404, "the console has no such file: open /console/");
    const { gzip, tag } = file;
    const headers = { ...HEADERS, ETag: tag, "Cache-Control": HAS_DIGEST.test(name) ? FOREVER : "no-cache" };
    if (request.ifNoneMatch && !ifNoneMatch(request.ifNoneMatch, tag)) {
      return { status: 304, body: "", contentType: "", headers };
    }
    const contentType = TYPES[(name || INDEX).replace(/^.*\./, "")] ?? "application/octet-stream";
    if (!acceptsGzip(request.acceptEncoding)) return { status: 200, body: await unpacked(gzip), contentType, headers };
    return { status: 200, body: gzip, contentType, headers: { ...headers, "Content-Encoding": "gzip" } };
  }

  async #load(): Promise<ReadonlyMap<string, { readonly gzip: Uint8Array; readonly tag: string }>> {
    const files = await this.#read();
    return new Map(
      await Promise.all(
        files.map(async ({ name, gzip }) =>
          [name, { gzip, tag: await eTag(new Uint8Array(gzip), { weak: true }) ?? '""' }] as const
        ),
      ),
    );
  }
}

function acceptsGzip(header = ""): boolean {
  return header !== "" && acceptsEncodings({ headers: { get: () => header } }, "gzip") === "gzip";
}

async function unpacked(gzip: Uint8Array): Promise<Uint8Array> {
  const plain = new Blob([new Uint8Array(gzip)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(plain).arrayBuffer());
}

/** @throws {HttpError} 404 where the console is off. */
function expectOn({ options }: Pick<ConsoleParts, "options">): void {
  if (!options.console) throw new HttpError(404, "the console is off on this node (-ui=false)");
}

/** `GET /console/`, and the files below it. */
export async function handleConsole(request: HttpRequest, parts: ConsoleParts, rest: string): Promise<HttpResponse> {
  expectOn(parts);
  return await parts.console.answer(rest, request);
}

/** `GET /console`: relative addresses on the page need the slash at the end. */
export function handleConsoleName(_: HttpRequest, parts: ConsoleParts): HttpResponse {
  expectOn(parts);
  return redirect(301, "/console/");
}

/** `GET /`. */
export function handleRoot(_: HttpRequest, parts: ConsoleParts): HttpResponse {
  expectOn(parts);
  return redirect(302, "/console/");
}

/**
 * Leads from the path of Consul's page, and all below it, to the console; undefined for another path. The address is relative,
 * so that it is right behind a reverse proxy that serves this node below a path.
 */
export function fromOtherPath(path: string, { options }: Pick<ConsoleParts, "options">): HttpResponse | undefined {
  const { otherPath = "" } = options.console ?? {};
  if (otherPath === "" || !`${path}/`.startsWith(otherPath)) return undefined;
  const depth = path.split("/").length - 2;
  return redirect(302, `${"../".repeat(depth) || "./"}console/`);
}

function redirect(status: 301 | 302, location: string): HttpResponse {
  return { status, body: "", contentType: "", location };
}
