/**
 * Tries what a Worker might be allowed to do, one attempt per right, and reports what worked.
 */
import { workerScope } from "../../../src/base/worker/worker_scope.ts";

/** Places that the attempts are made at. */
export interface Probe {
  readonly read: string;
  readonly write: string;
  readonly connect: { readonly hostname: string; readonly port: number };
  /** Path of the SQLite library. */
  readonly library: string;
}

const scope = workerScope<Probe, Record<string, string>>();

async function attempt(work: () => unknown): Promise<string> {
  try {
    await work();
    return "allowed";
  } catch (error) {
    const denied = error instanceof Deno.errors.NotCapable || /Requires \w+ access/.test(String(error)); // import says it so
    return denied ? "denied" : `allowed, but ${error}`;
  }
}

scope.onmessage = async ({ data }) => {
  scope.postMessage({
    read: await attempt(() => Deno.readTextFile(data.read)),
    write: await attempt(() => Deno.writeTextFile(data.write, "x")),
    connect: await attempt(async () => (await Deno.connect(data.connect)).close()),
    listen: await attempt(() => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close()),
    resolve: await attempt(() => Deno.resolveDns("localhost", "A", { nameServer: { ipAddr: "127.0.0.1", port: 1 } })),
    run: await attempt(() => new Deno.Command("true").output()),
    env: await attempt(() => Deno.env.get("HOME")),
    sys: await attempt(() => Deno.hostname()),
    library: await attempt(() => Deno.dlopen(data.library, {}).close()),
    otherLibrary: await attempt(() => Deno.dlopen(data.library.replace(/[^/]*$/, "other.so"), {})),
    libc: await attempt(() => Deno.dlopen("libc.so.6", {})),
    pointer: await attempt(() => Deno.UnsafePointer.create(1n)),
    callback: await attempt(() => new Deno.UnsafeCallback({ parameters: [], result: "i32" }, () => 1).close()),
    import: await attempt(() => import("http" + "://127.0.0.1:1/x.ts")),
  });
};
