/**
 * One HTTP request on a connection of its own, sent once. Not by `fetch`: when a kept connection breaks, that sends a
 * POST a second time though the server may have had the first (Deno 2.9.6), and may then report that it could not
 * connect.
 * @module
 */

const HEAD_END = "\r\n\r\n";
const CHUNK_BYTES = 64 * 1024;

/** An answer. */
export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** The request was not sent: there was no connection. */
export class NotSentError extends Error {
  /** Always `NotSentError`. */
  override readonly name = "NotSentError";
}

/** The request was sent, at least in part, and no whole answer came in time. */
export class NoAnswerError extends Error {
  /** Always `NoAnswerError`. */
  override readonly name = "NoAnswerError";
}

/** Posts JSON; see {@linkcode requestOnce}. */
export function postOnce(url: string, body: string, timeoutMs: number): Promise<Answer> {
  return requestOnce("POST", url, { body, timeoutMs });
}

/**
 * Sends a request to a URL with an address for a host.
 * @throws {NotSentError}
 * @throws {NoAnswerError}
 */
export async function requestOnce(
  method: string,
  url: string,
  { body, timeoutMs }: { readonly body: string; readonly timeoutMs: number },
): Promise<Answer> {
  const { hostname, port, host, pathname, search } = new URL(url);
  let connection: Deno.TcpConn | undefined;
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    connection?.close();
  }, timeoutMs);
  try {
    try {
      connection = await Deno.connect({ hostname, port: Number(port) });
    } catch (error) {
      throw new NotSentError("no connection", { cause: error });
    }
    if (isLate) throw new NotSentError("no connection in time");
    const content = new TextEncoder().encode(body);
    const head = `${method} ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${content.length}\r\nConnection: close${HEAD_END}`;
    try {
      await writeAll(connection, new TextEncoder().encode(head));
      await writeAll(connection, content);
      return await readAnswer(connection);
    } catch (error) {
      throw new NoAnswerError(isLate ? "no answer in time" : "the connection broke", { cause: error });
    }
  } finally {
    clearTimeout(timer);
    if (!isLate) connection?.close();
  }
}

async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** Reads an answer with a `Content-Length`. */
async function readAnswer(connection: Deno.TcpConn): Promise<Answer> {
  let bytes = new Uint8Array(0);
  const chunk = new Uint8Array(CHUNK_BYTES);
  for (;;) {
    const answer = parse(bytes);
    if (answer) return answer;
    const count = await connection.read(chunk);
    if (count === null) throw new Error("closed before the answer was whole");
    const longer = new Uint8Array(bytes.length + count);
    longer.set(bytes);
    longer.set(chunk.subarray(0, count), bytes.length);
    bytes = longer;
  }
}

function parse(bytes: Uint8Array): Answer | undefined {
  const start = new TextDecoder("latin1").decode(bytes.subarray(0, 8192));
  const headEnd = start.indexOf(HEAD_END);
  if (headEnd < 0) return undefined;
  const head = start.slice(0, headEnd);
  const status = /^HTTP\/1\.1 (\d{3})/.exec(head)?.[1];
  const length = /^content-length: *(\d+)/im.exec(head)?.[1];
  if (status === undefined || length === undefined) throw new Error(`not an answer: ${head}`);
  const body = bytes.subarray(headEnd + HEAD_END.length);
  if (body.length < Number(length)) return undefined;
  return { status: Number(status), text: new TextDecoder().decode(body.subarray(0, Number(length))) };
}
