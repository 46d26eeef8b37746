/**
 * The command `debug`: collects in one archive what somebody else needs to see what is wrong with an agent, with Consul's
 * words (C3.10). No key, no token and no row of anybody's data is in it.
 * @module
 */
import { createTar, type TarFileInput } from "nanotar";
import { gzipSync } from "node:zlib";
import { messageOf } from "../../base/codec/error_text.ts";
import { formatDuration } from "../../base/codec/duration.ts";
import { pause } from "../../base/worker/backoff.ts";
import { type AgentApi, ApiError, fieldOf, text } from "../client/agent_api.ts";
import {
  boolFlag,
  type Call,
  type Command,
  CommandError,
  durationFlag,
  textFlag,
  textsFlag,
  told,
} from "../client/command.ts";

/** What may be captured: once at the start, and again at each interval. */
const STATIC: Readonly<Record<string, string>> = { agent: "/v1/agent/self", members: "/v1/agent/members" };
const REPEATED: Readonly<Record<string, string>> = {
  status: "/status",
  metrics: "/v1/agent/metrics",
  autopilot: "/v1/operator/autopilot/health",
};
const CAPTURES = [...Object.keys(STATIC), ...Object.keys(REPEATED), "logs"];
/** Characters of the log that are kept. */
const LOG_MAX = 32 * 1024 * 1024;

/** Files of the archive by their names. */
type Files = Map<string, string>;

const debug: Command = {
  name: "debug",
  summary: "collect what is needed to see what is wrong with an agent",
  usage: "[flags]\n\nFigures and the log of the agent, without keys, tokens or data. Ctrl-C ends it early.",
  flags: [
    durationFlag("duration", "Time during which to collect", "2m"),
    durationFlag("interval", "Time between two looks at the figures", "30s"),
    textsFlag("capture", `What to collect: ${CAPTURES.join(", ")}; repeatable`),
    textFlag("output", "Name of the archive, without its ending"),
    boolFlag("archive", "Write one compressed file instead of a directory", true),
  ],
  async run({ flags, api }: Call) {
    const [durationMs, intervalMs] = [flags.durationMs("duration"), flags.durationMs("interval")];
    if (durationMs < 1_000) throw new CommandError("duration must be longer than 1s");
    if (intervalMs < 1_000) throw new CommandError("interval must be longer than 1s");
    if (intervalMs > durationMs) {
      const [duration, interval] = [formatDuration(durationMs), formatDuration(intervalMs)];
      throw new CommandError(`-duration ${duration} must not be shorter than -interval ${interval}`);
    }
    const captures = capturesOf(flags.all("capture"));
    const name = flags.string("output") || `muster-debug-${Math.floor(Date.now() / 1000)}`;
    const isArchive = flags.bool("archive");
    const saved = isArchive ? `${name}.tar.gz` : name;

    const self = await told("error querying target agent", () => api().get("/v1/agent/self"));
    console.log("==> Starting debugger and capturing static information...");
    const facts = [
      ["Agent Version", `'${text(fieldOf(self, "Config"), "Version")}'`],
      ["Interval", `'${intervalMs / 1000}s'`],
      ["Duration", `'${durationMs / 1000}s'`],
      ["Output", `'${saved}'`],
      ["Capture", `'${captures.join(", ")}'`],
    ];
    for (const [label, value] of facts) console.log(`${label.padStart(18)}: ${value}`);
    const files = await collect(api(), captures, { durationMs, intervalMs });
    await (isArchive ? writeArchive(saved, name, files) : writeDirectory(name, files));
    console.log(`Saved debug ${isArchive ? "archive" : "directory"}: ${saved}`);
    return 0;
  },
};

/** @throws {CommandError} When one is none. */
function capturesOf(given: readonly string[]): readonly string[] {
  const wrong = given.find((one) => !CAPTURES.includes(one));
  if (wrong !== undefined) throw new CommandError(`Unknown capture "${wrong}": expected ${CAPTURES.join(", ")}`);
  return given.length === 0 ? CAPTURES : [...new Set(given)];
}

async function collect(
  api: AgentApi,
  captures: readonly string[],
  { durationMs, intervalMs }: { durationMs: number; intervalMs: number },
): Promise<Files> {
  const stop = new AbortController();
  const end = () => stop.abort();
  const timer = setTimeout(end, durationMs);
  Deno.addSignalListener("SIGINT", end);
  const files: Files = new Map();
  const log = captures.includes("logs") ? followLog(api, files, stop.signal) : undefined;
  try {
    for (const name of captures) if (name in STATIC) files.set(`${name}.json`, await look(api, STATIC[name]));
    const repeated = captures.filter((name) => name in REPEATED);
    for (let round = 0; repeated.length > 0 && !stop.signal.aborted; round++) {
      const time = new Date().toISOString();
      console.log(`==> Beginning capture interval ${time} (${round})`);
      for (const name of repeated) {
        files.set(`${time.replaceAll(":", "-")}/${name}.json`, await look(api, REPEATED[name]));
      }
      await pause(intervalMs, stop.signal);
    }
    await pause(durationMs, stop.signal);
    await log;
    return files;
  } finally {
    clearTimeout(timer);
    Deno.removeSignalListener("SIGINT", end);
  }
}

/** An answer, or why there is none: an agent that is in trouble is the reason for all this. */
async function look(api: AgentApi, path: string): Promise<string> {
  try {
    const { text } = await api.askText("GET", path, { timeoutMs: 10_000 }, [429]);
    return text;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return JSON.stringify({ error: error.message });
  }
}

/** Keeps the log that the agent writes until `signal` is aborted. */
async function followLog(api: AgentApi, files: Files, signal: AbortSignal): Promise<void> {
  let kept = "";
  try {
    for await (const part of api.follow("/v1/agent/monitor?loglevel=debug", signal)) {
      if (kept.length < LOG_MAX) kept += part.slice(0, LOG_MAX - kept.length);
    }
    if (!signal.aborted) kept += "(the agent ended the log)\n";
  } catch (error) {
    if (!signal.aborted) kept += `(the log ended: ${messageOf(error)})\n`;
  }
  files.set("muster.log", kept);
}

/** What an agent says of itself is nobody else's business: others may not read it. */
const MODE = { file: 0o600, directory: 0o700 };

async function writeArchive(path: string, name: string, files: Files): Promise<void> {
  const directory = name.slice(name.lastIndexOf("/") + 1);
  const inputs: TarFileInput[] = [...files].map(([file, data]) => ({
    name: `${directory}/${file}`,
    data,
    attrs: { mode: "600" },
  }));
  await writing(path, async () => {
    await Deno.writeFile(path, new Uint8Array(gzipSync(createTar(inputs))), { createNew: true, mode: MODE.file });
  });
}

async function writeDirectory(path: string, files: Files): Promise<void> {
  await writing(path, async () => {
    await Deno.mkdir(path, { mode: MODE.directory });
    for (const [file, data] of files) {
      const at = `${path}/${file}`;
      await Deno.mkdir(at.slice(0, at.lastIndexOf("/")), { recursive: true, mode: MODE.directory });
      await Deno.writeTextFile(at, data, { createNew: true, mode: MODE.file });
    }
  });
}

async function writing(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw new CommandError(`Cannot write ${path}: ${messageOf(error)}`);
  }
}

/** The command `debug`. */
export const DEBUG_COMMANDS: readonly Command[] = [debug];
