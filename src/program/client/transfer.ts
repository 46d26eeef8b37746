/**
 * Databases between a node and files: what a node sends is whole and on disk before it is under its name, and a load has
 * failed if one of its statements has. Long transfers show their progress on a terminal.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import { gunzip } from "../../base/net/gunzip.ts";
import { Utf8Lines } from "../../base/net/utf8_lines.ts";
import { type AgentApi, answerIn, resultsIn, text } from "./agent_api.ts";
import { Progress, thousands } from "./progress.ts";
import { checkSource, isCompressed, mayBeDatabase } from "./restore_source.ts";

/** Whether there is something at a path. */
export async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/**
 * Writes what a node sends to a file. It comes under its name when it is whole and `check` is content.
 * @param check Looks at the file under the name that it has until then.
 * @returns Its bytes, and what the check says.
 * @throws {Error} When it breaks off; there is no file then.
 */
export async function download<T>(
  api: AgentApi,
  target: string,
  { path, check }: { readonly path: string; readonly check: (part: string) => T },
): Promise<{ readonly bytes: number; readonly checked: T }> {
  const part = `${path}.part`;
  try {
    const bytes = await downloadPart(api, target, part);
    const checked = check(part);
    await Deno.rename(part, path);
    return { bytes, checked };
  } catch (error) {
    await Deno.remove(part).catch(() => {});
    throw error;
  }
}

async function downloadPart(api: AgentApi, target: string, path: string): Promise<number> {
  const response = await api.stream("GET", target);
  const length = Number(response.headers.get("content-length") ?? 0);
  const progress = progressOf(length);
  const file = await Deno.open(path, { write: true, create: true, truncate: true });
  let bytes = 0;
  try {
    for await (const piece of response.body ?? []) {
      for (let written = 0; written < piece.length;) written += await file.write(piece.subarray(written));
      bytes += piece.length;
      progress?.advance(piece.length);
    }
    await file.sync();
  } catch (error) {
    throw new Error(`it broke off after ${thousands(bytes)} bytes: ${messageOf(error)}`);
  } finally {
    file.close();
  }
  progress?.finish();
  if (length > 0 && bytes !== length) throw new Error(`${bytes} of ${length} bytes have come`);
  return bytes;
}

/**
 * Has a node load a file: a SQLite file, or SQL text, as it is or compressed by gzip.
 * @throws {Error} When the file is not fit for it, it cannot be sent, or a statement of it fails.
 */
export async function load(api: AgentApi, path: string): Promise<void> {
  await checkSource(path);
  const content = new Content(path);
  const response = await api.stream("POST", "/db/load", ReadableStream.from(content.pieces())).catch((error) => {
    throw content.failure ?? error;
  });
  const answer = answerIn(await response.text(), JSON.parse);
  const fault = [answer, ...resultsIn(answer)].map((one) => text(one, "error")).find((error) => error !== "");
  if (fault !== undefined) throw new Error(fault);
}

/** What a file holds, unpacked. */
class Content {
  readonly #path: string;
  /** Why it could not be read: the request that it was for tells no more than that it has ended. */
  failure: Error | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  async *pieces(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    let isEmpty = true;
    let lines: Utf8Lines | undefined; // of SQL text: a node would take U+FFFD for what is none
    try {
      const packed = this.#packed();
      for await (const piece of isCompressed(this.#path) ? gunzip(packed) : packed) {
        if (isEmpty && !mayBeDatabase(piece)) lines = new Utf8Lines();
        lines?.take(piece).forEach(() => {});
        isEmpty = false;
        yield piece;
      }
      lines?.end();
      if (isEmpty) throw new Error("it holds nothing");
    } catch (error) {
      throw this.failure = new Error(`${this.#path}: ${messageOf(error)}`);
    }
  }

  async *#packed(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const file = await Deno.open(this.#path);
    const progress = progressOf((await file.stat()).size);
    for await (const piece of file.readable) {
      progress?.advance(piece.length);
      yield piece;
    }
    progress?.finish();
  }
}

/** On a terminal alone: a script reads what stands in its output. */
function progressOf(bytes: number): Progress | undefined {
  const output = {
    isTerminal: () => Deno.stderr.isTerminal(),
    writeSync: (text: Uint8Array) => Deno.stderr.writeSync(text),
  };
  return output.isTerminal() && bytes > 0 ? new Progress(bytes, "bytes", output) : undefined;
}
