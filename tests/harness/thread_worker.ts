/**
 * Runs the command line in a Worker (thread.ts). What belongs to the process is replaced: standard output and error go
 * to the test, and so do those of the Workers that the node starts; signals come from it.
 * @module
 */
import { main } from "../../mod.ts";
import { workerScope } from "../../src/base/worker/worker_scope.ts";
import type { FromThread, ToThread } from "./thread.ts";

const scope = workerScope<ToThread, FromThread>();
const listeners = new Map<string, Set<() => void>>();

Deno.addSignalListener = (name, heard) => void listeners.set(name, (listeners.get(name) ?? new Set()).add(heard));
Deno.removeSignalListener = (name, heard) => void listeners.get(name)?.delete(heard);

const say = (k: "stdout" | "stderr") => (...words: unknown[]) => scope.postMessage({ k, text: `${words.join(" ")}\n` });
console.log = console.info = say("stdout");
console.error = console.warn = say("stderr");

/** The environment is the process's, too. */
function addEnvironment(env: Readonly<Record<string, string>>): void {
  const get = Deno.env.get.bind(Deno.env);
  Deno.env.get = (name) => env[name] ?? get(name);
}

/** Has the console of each Worker of the node replaced before its module is evaluated. */
function captureWorkers(channel: string): void {
  const output = new URL(`thread_output.ts?${channel}`, import.meta.url);
  const Original = globalThis.Worker;
  globalThis.Worker = class extends Original {
    constructor(specifier: string | URL, options?: WorkerOptions) {
      const modules = [output.href, String(specifier)].map((url) => `import ${JSON.stringify(url)};`).join("\n");
      super(`data:text/javascript,${encodeURIComponent(modules)}`, options);
    }
  };
}

scope.onmessage = async ({ data }) => {
  if (data.k === "signal") {
    for (const heard of [...listeners.get(data.name) ?? []]) heard();
    return;
  }
  captureWorkers(data.channel);
  addEnvironment(data.env);
  const code = await main(data.args);
  new BroadcastChannel(data.channel).postMessage(""); // behind all that the node's Workers have said
  scope.postMessage({ k: "ended", code });
};
