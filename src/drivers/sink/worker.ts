/**
 * The Worker that delivers changed rows (Q19.1), or metrics and traces (Q20.1): to a web server, a file or standard output, and to nothing
 * else. What it says is delivered is: answered with 200 to 299, synced to the disk, or written.
 * @module
 */
import { Callee, type ToCallee } from "../../base/worker/channel.ts";
import { workerScope } from "../../base/worker/worker_scope.ts";
import type { HttpSink, OpenSink, Sink, SinkMethods } from "./api.ts";

const scope = workerScope<OpenSink, never>();
/** Of an answer that says why, so much is shown. */
const REASON_LENGTH_MAX = 200;

type Deliver = (body: string, timeoutMs: number, what?: "traces") => Promise<void>;

function deliverTo(sink: Sink): Deliver {
  switch (sink.k) {
    case "stdout":
      return (body) => write(Deno.stdout, `${body}\n`);
    case "file":
      return (body) => append(sink.path, `${body}\n`);
    case "http":
      return post(sink);
  }
}

async function write(to: { write(bytes: Uint8Array): Promise<number> }, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
}

/**
 * Each time anew, so that the file may be moved away. Always at its end, whoever else writes to it: the leader before may, as may
 * another node on the same disk. What broke off in the middle of a line ends that line first.
 */
async function append(path: string, text: string): Promise<void> {
  using file = await Deno.open(path, { read: true, append: true, create: true, mode: 0o640 });
  const { size } = await file.stat();
  const last = new Uint8Array(1);
  if (size > 0) {
    await file.seek(size - 1, Deno.SeekMode.Start);
    await file.read(last);
  }
  await write(file, size > 0 && last[0] !== 0x0a ? `\n${text}` : text);
  await file.sync();
}

function post({ url, tracesUrl = url, authorization, caCert, cert, key }: HttpSink): Deliver {
  const client = Deno.createHttpClient({
    ...(caCert === "" ? {} : { caCerts: [caCert] }),
    ...(cert === "" ? {} : { cert, key }),
  });
  const headers = {
    "Content-Type": "application/json",
    ...(authorization === "" ? {} : { Authorization: authorization }),
  };
  return async (body, timeoutMs, what) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await fetch(what === "traces" ? tracesUrl : url, {
      method: "POST",
      headers,
      body,
      client,
      signal,
      redirect: "error",
    });
    if (response.ok) {
      await response.body?.cancel();
      return;
    }
    const why = (await response.text()).slice(0, REASON_LENGTH_MAX).trim();
    throw new Error(`it answers ${response.status}${why === "" ? "" : `: ${why}`}`);
  };
}

scope.onmessage = ({ data: { sink, port } }) => {
  const deliver = deliverTo(sink);
  const callee = new Callee<SinkMethods>(port, {
    deliver: ({ body, timeoutMs, what }) => deliver(body, timeoutMs, what),
  });
  port.onmessage = ({ data }: MessageEvent<ToCallee<SinkMethods>>) => callee.take(data);
};
