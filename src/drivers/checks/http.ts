/**
 * Checks that send an HTTP request: 2xx is passing, 429 warning, any other status critical.
 * @module
 */
import type { HttpKind } from "../../core/health/check_kind.ts";
import { OutputTail } from "../../core/health/output.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { type HttpAnswer, requestOnce } from "./http1.ts";
import type { RunContext, RunResult } from "./runner.ts";

const REDIRECTS_MAX = 10;
const USER_AGENT = "Consul Health Check";
const ACCEPT = "text/plain, text/*, */*";
/** Headers that are not told to another host than the one that they were meant for. */
const PRIVATE = new Set(["authorization", "cookie", "host", "www-authenticate"]);
/** Headers that follow from the request itself. */
const OWN = new Set(["connection", "content-length", "transfer-encoding"]);

/** A request, as it is sent and redirected. */
interface Request {
  readonly url: URL;
  readonly method: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

/** Sends the request, and follows redirects unless it must not. */
export async function checkHttp(kind: HttpKind, { signal, outputBytesMax }: RunContext): Promise<RunResult> {
  const { url, method, body, disableRedirects } = kind;
  const tail = new OutputTail(outputBytesMax);
  let answer: HttpAnswer;
  try {
    let request: Request = { url: new URL(url), method, headers: headersOf(kind), body };
    for (let redirects = 0;; redirects++) {
      answer = await requestOnce(request, { signal, tls: kind, onBody: (bytes) => tail.write(bytes) });
      const next = disableRedirects ? undefined : redirected(request, answer);
      if (!next) break;
      if (redirects === REDIRECTS_MAX) throw new Error(`stopped after ${REDIRECTS_MAX} redirects`);
      tail.clear();
      request = next;
    }
  } catch (error) {
    signal.throwIfAborted();
    const verb = method.slice(0, 1) + method.slice(1).toLowerCase();
    throw new Error(`${verb} "${url}": ${messageOf(error)}`, { cause: error });
  }
  const { status, reason } = answer;
  const output = `HTTP ${method} ${url}: ${status} ${reason} Output: ${tail}`;
  if (status >= 200 && status <= 299) return { status: "passing", output };
  return { status: status === 429 ? "warning" : "critical", output };
}

function headersOf({ headers }: HttpKind): [string, string][] {
  const given = Object.entries(headers)
    .filter(([name]) => !OWN.has(name.toLowerCase()))
    .flatMap(([name, values]) => values.map((value): [string, string] => [name, value]));
  const has = (wanted: string) => given.some(([name, value]) => name.toLowerCase() === wanted && value !== "");
  if (!has("user-agent")) given.push(["User-Agent", USER_AGENT]);
  if (!has("accept")) given.push(["Accept", ACCEPT]);
  return given;
}

/** The request that an answer leads to (RFC 9110 §15.4); undefined where it leads to none. */
function redirected({ url, method, headers, body }: Request, { status, location }: HttpAnswer): Request | undefined {
  if (location === undefined || ![301, 302, 303, 307, 308].includes(status)) return undefined;
  const target = new URL(location, url);
  const isSame = target.host === url.host;
  const told = isSame ? headers : headers.filter(([name]) => !PRIVATE.has(name.toLowerCase()));
  if (status >= 307 || method === "GET" || method === "HEAD") return { url: target, method, headers: told, body };
  return { url: target, method: "GET", headers: told, body: "" };
}
