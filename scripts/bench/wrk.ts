/**
 * Load by `wrk`, with a script that sends the bodies and looks at each answer. Looking costs wrk about 4 µs an answer, the
 * same for every system measured.
 * @module
 */
import type { Load, LoadResult } from "./load.ts";

const MARK = "figures:";
const US_PER_MS = 1000;
const US_PER_SECOND = 1_000_000;

/** Runs `wrk` with one thread, which is enough for what these servers can do. */
export async function runWrk({ url, bodies, connections, seconds }: Load, directory: string): Promise<LoadResult> {
  const script = await Deno.makeTempFile({ dir: directory, suffix: ".lua" });
  await Deno.writeTextFile(script, lua(bodies));
  const { success, stdout, stderr } = await new Deno.Command("wrk", {
    args: ["-t", "1", "-c", `${connections}`, "-d", `${seconds}s`, "--timeout", "10s", "-s", script, url],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  await Deno.remove(script);
  const text = new TextDecoder().decode(stdout);
  const [figures, ...sample] = text.slice(text.indexOf(MARK) + MARK.length).split("\n");
  const [requests, durationUs, p50Us, p99Us, failures] = figures.trim().split(" ").map(Number);
  if (!success || !text.includes(MARK) || !Number.isFinite(failures)) {
    throw new Error(`Cannot measure with wrk: ${text}${new TextDecoder().decode(stderr)}`);
  }
  return {
    requests,
    perSecond: (requests - Math.min(failures, requests)) * US_PER_SECOND / durationUs,
    p50Ms: p50Us / US_PER_MS,
    p99Ms: p99Us / US_PER_MS,
    failures,
    firstFailure: sample.join(" ").trim(),
  };
}

/** One body is sent as it is; several are made into requests beforehand. JSON holds no `]==]`. */
function lua(bodies: readonly string[]): string {
  const several = `
local requests, at = {}, 0
function init(args)
  for _, body in ipairs(bodies) do table.insert(requests, wrk.format(nil, nil, nil, body)) end
end
function request()
  at = at % #requests + 1
  return requests[at]
end`;
  return `
local bodies = {${bodies.map((body) => `[==[${body}]==]`).join(",\n")}}
wrk.method = "${bodies.length === 0 ? "GET" : "POST"}"
wrk.headers["Content-Type"] = "application/json"
wrk.body = bodies[1]
failures, sample = 0, ""
${bodies.length > 1 ? several : ""}
local thread
function setup(one) thread = one end
function response(status, headers, body)
  if status < 200 or status > 299 or string.find(body, '"error"', 1, true) then
    if failures == 0 then sample = status .. " " .. string.sub(body, 1, 300) end
    failures = failures + 1
  end
end
function done(summary, latency)
  local e = summary.errors
  local failed = thread:get("failures") + e.connect + e.read + e.write + e.timeout
  io.write("${MARK} ", summary.requests, " ", summary.duration, " ", latency:percentile(50), " ",
    latency:percentile(99), " ", failed, "\\n", thread:get("sample"), "\\n")
end
`;
}
