/**
 * Metrics of the process (docs/metrics.md), with the names that all of Prometheus' libraries give them. Open files are not
 * among them: the runtime lets only a process with all rights look at them.
 * @module
 */
import { counter, type Family, gauge } from "../../core/metrics/family.ts";

/** Sources of these metrics. */
export interface ProcessParts {
  readonly options: {
    /** Version of the program, `0.1.0`. */
    readonly programVersion: string;
    /** Present in an agent. */
    readonly agent?: { readonly isServer: boolean };
    /** Start of the process, wall clock in ms. */
    readonly startedMs: number;
  };
  /** When certificates expire, RFC 3339. */
  readonly expiry: { readonly http: string | undefined; readonly node: string | undefined };
}

/** What is used of the runtime. `cpuUsage`, in µs, is what `node:process` has its figures from; it is no promise of the runtime's. */
type Runtime = Pick<typeof Deno, "memoryUsage"> & {
  readonly cpuUsage?: () => { readonly user: number; readonly system: number };
};

const runtime: Runtime = Deno;
const cpuUsage = runtime.cpuUsage ?? (await import("node:process")).default.cpuUsage; // which takes 2 MB

/** The figures now. */
export function processFamilies({ options, expiry }: ProcessParts): Family[] {
  const { user, system } = cpuUsage();
  const { rss, heapUsed } = runtime.memoryUsage();
  const { agent, programVersion: version, startedMs } = options;
  const mode = agent === undefined ? "serve" : agent.isServer ? "server" : "client";
  const certificates = [
    { labels: { used_for: "http" }, value: secondsOf(expiry.http) },
    { labels: { used_for: "node" }, value: secondsOf(expiry.node) },
  ];
  return [
    gauge("muster_build_info", "Version of the program and its runtime, and what the node is; always 1", [
      { labels: { version, deno: Deno.version.deno, mode }, value: 1 },
    ]),
    gauge(
      "muster_certificate_expiry_timestamp_seconds",
      "When the certificate of HTTPS, or of the traffic between nodes, expires, in seconds since 1970",
      certificates.filter(({ value }) => !Number.isNaN(value)),
    ),
    gauge("muster_http_heap_bytes", "Memory that objects of the thread with the HTTP server take", heapUsed),
    counter("process_cpu_seconds_total", "User and system CPU time of the process", (user + system) / 1e6),
    gauge("process_resident_memory_bytes", "Resident memory of the process", rss),
    gauge("process_start_time_seconds", "Start of the process, in seconds since 1970", startedMs / 1000),
  ];
}

function secondsOf(time: string | undefined): number {
  return time === undefined ? NaN : Date.parse(time) / 1000;
}
