/** The page of the console: what is served, to whom, and that it is made of its source. */
import { assert, assertEquals } from "@std/assert";
import { codeDigest } from "../../../scripts/console/source_digest.ts";
import { readConsole } from "../../../src/api/console/files.ts";
import { ConsolePage, fromOtherPath, handleConsole, handleRoot } from "../../../src/api/console/page.ts";
import { HttpError } from "../../../src/api/http/problem.ts";
import type { HttpRequest } from "../../../src/api/http/request.ts";
import { Params } from "../../../src/api/http/params.ts";

const PAGE = new URL("../../../src/api/console/page/", import.meta.url);
const BYTES_MAX = 400 * 1000;

function request(more: Partial<HttpRequest> = {}): HttpRequest {
  const base = { method: "GET", target: "/console/", contentType: "", authorization: "", address: "", startedMs: 0 };
  return { ...base, params: Params.parse(""), body: new Uint8Array(0), ...more };
}

const parts = { options: { console: { otherPath: "/ui/" } }, console: new ConsolePage(readConsole) };

Deno.test("the files of the console are made of its source: else run deno task console", async () => {
  assertEquals((await Deno.readTextFile(new URL("source.txt", PAGE))).trim(), await codeDigest());
});

Deno.test("the console takes less than 400 KB, compressed", async () => {
  const bytes = (await readConsole()).reduce((sum, { gzip }) => sum + gzip.length, 0);
  assert(bytes > 0 && bytes < BYTES_MAX, `${bytes} bytes`);
});

Deno.test("the page has a policy without exceptions, is asked for again by its tag, and its files are kept", async () => {
  const index = await handleConsole(request({ acceptEncoding: "gzip" }), parts, "");
  assertEquals([index.status, index.contentType], [200, "text/html; charset=utf-8"]);
  assertEquals(index.headers?.["Content-Encoding"], "gzip");
  assertEquals(index.headers?.["Cache-Control"], "no-cache");
  const policy = index.headers?.["Content-Security-Policy"] ?? "";
  assert(policy.startsWith("default-src 'none'") && !policy.includes("unsafe"), policy);
  const tag = index.headers?.ETag ?? "";
  assertEquals((await handleConsole(request({ ifNoneMatch: tag }), parts, "")).status, 304);
  const { body } = await handleConsole(request(), parts, "index.html");
  const html = typeof body === "string" ? body : new TextDecoder().decode(body);
  const [script = ""] = /app-\w+\.js/.exec(html) ?? [];
  const file = await handleConsole(request({ acceptEncoding: "br" }), parts, script);
  assertEquals(file.contentType, "text/javascript; charset=utf-8");
  assertEquals(file.headers?.["Content-Encoding"], undefined);
  assert(file.headers?.["Cache-Control"]?.includes("immutable"));
  const licenses = await handleConsole(request(), parts, "licenses.txt");
  assertEquals([licenses.contentType, licenses.headers?.["Cache-Control"]], ["text/plain; charset=utf-8", "no-cache"]);
});

Deno.test("the console has no other files, and none where it is off", async () => {
  for (const name of ["../page.ts", "source.txt", "nothing.js"]) {
    const error = await handleConsole(request(), parts, name).catch((reason) => reason);
    assert(error instanceof HttpError && error.status === 404, name);
  }
  const off = { ...parts, options: {} };
  const error = await handleConsole(request(), off, "").catch((reason) => reason);
  assert(error instanceof HttpError && error.status === 404);
});

Deno.test("the root leads to the console, and so does the path of Consul's page with all below it", () => {
  assertEquals(handleRoot(request(), parts).location, "/console/");
  const cases: [string, string | undefined][] = [
    ["/ui", "./console/"],
    ["/ui/", "../console/"],
    ["/ui/dc1/services", "../../console/"],
    ["/uia", undefined],
    ["/v1/agent/self", undefined],
  ];
  for (const [path, location] of cases) {
    const found = fromOtherPath(path, parts);
    assertEquals(found?.location, location, path);
    if (found?.location) assertEquals(new URL(found.location, `http://h${path}`).pathname, "/console/");
  }
});
