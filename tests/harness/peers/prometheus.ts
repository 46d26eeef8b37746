/**
 * A real Prometheus (Debian's `prometheus`, with `promtool`) that scrapes what a test has started.
 * @module
 */
import { freePort } from "../processes.ts";
import { findProgram, runWith, ServiceProcess } from "./process.ts";

/** Whether a test may leave out what needs Prometheus: it is not installed, and this is not CI. */
export async function lacksPrometheus(): Promise<boolean> {
  if (Deno.env.has("CI")) return false;
  try {
    await Promise.all([findProgram("prometheus"), findProgram("promtool")]);
    return false;
  } catch {
    console.error("LEFT OUT: what needs Prometheus, as it is not installed (Debian: prometheus)");
    return true;
  }
}

/** Runs promtool; what it says. @throws {Error} When it finds something wrong. */
export async function promtool(args: readonly string[], input = ""): Promise<string> {
  const { success, out, errors } = await runWith(await findProgram("promtool"), args, input);
  const said = out + errors;
  if (!success) throw new Error(`promtool ${args.join(" ")}:\n${said}`);
  return said;
}

/** One series of the answer to a query. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

/** A running Prometheus. */
export class Prometheus {
  readonly #process: ServiceProcess;
  readonly #url: string;

  private constructor(process: ServiceProcess, url: string) {
    this.#process = process;
    this.#url = url;
  }

  /**
   * Starts one that scrapes `/metrics` of a target, `host:port`, every second as the job `muster`.
   * @param directory Where its data and configuration are.
   * @param rules Path of a file of rules.
   */
  static async start(directory: string, target: string, rules: string): Promise<Prometheus> {
    await Deno.mkdir(directory, { recursive: true });
    const config = `${directory}/prometheus.yml`;
    const job = { job_name: "muster", static_configs: [{ targets: [target] }] };
    const intervals = { scrape_interval: "1s", evaluation_interval: "1s" };
    await Deno.writeTextFile(config, JSON.stringify({ global: intervals, rule_files: [rules], scrape_configs: [job] }));
    const port = freePort();
    const process = await ServiceProcess.start("prometheus", [
      `--config.file=${config}`,
      `--storage.tsdb.path=${directory}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
    ]);
    const url = `http://127.0.0.1:${port}`;
    const prometheus = new Prometheus(process, url);
    await process.answers("scraping", async () => (await prometheus.query("up == 1")).length === 1);
    return prometheus;
  }

  /** `data` of an answer. @throws {Error} When it is refused. */
  // deno-lint-ignore no-explicit-any
  async get(path: string): Promise<any> {
    const response = await fetch(`${this.#url}/api/v1/${path}`, { signal: AbortSignal.timeout(10_000) });
    const { status, data, error } = await response.json();
    if (status !== "success") throw new Error(`${path}: ${error}`);
    return data;
  }

  /** Series that an expression finds now. @throws {Error} When it is none. */
  async query(expression: string): Promise<readonly Series[]> {
    const { result } = await this.get(`query?query=${encodeURIComponent(expression)}`);
    return result;
  }

  /** Ends it. */
  async stop(): Promise<void> {
    await this.#process.stop("SIGTERM");
  }
}
