/**
 * The providers of retry-join: a Worker that asks them, and the files that it needs, which this thread reads anew for each
 * lookup, as tokens are rotated and files are replaced.
 * @module
 */
import { Caller } from "../../base/worker/channel.ts";
import type { Self } from "../../core/provider/mdns.ts";
import type { K8sOptions, MdnsOptions, ProviderOptions } from "../../core/provider/provider.ts";
import type { FromProvider, K8sAccess, ProviderMethods, ToProvider } from "../../drivers/provider/api.ts";
import { accessOfKubeconfig, accessOfPod, type ApiEnvironment } from "../../drivers/provider/k8s_access.ts";
import type { ProviderSettings } from "../config/config.ts";
import { readTextFile, systemCertificates } from "../config/outside.ts";

/** A file of access to an API: of a kubeconfig with many clusters, say. */
const FILE_BYTES_MAX = 1024 * 1024;

/** The Worker. */
export interface ProviderLine {
  /** Sends to it. */
  postMessage(message: ToProvider): void;
  /** Hears from it. */
  addEventListener(type: "message", listener: (event: MessageEvent<FromProvider>) => void): void;
  /** Ends it. */
  terminate(): void;
}

/** The Worker, and what it is asked. */
export class ProviderParts {
  readonly #settings: ProviderSettings;
  /** By which others find this agent. */
  readonly #services: readonly MdnsOptions[];
  readonly #worker: ProviderLine;
  readonly #caller: Caller<ProviderMethods>;
  readonly #closed = Promise.withResolvers<readonly string[]>();

  /** @param worker Owned from now on. */
  constructor(settings: ProviderSettings, worker: ProviderLine) {
    this.#settings = settings;
    this.#services = settings.entries.filter((options) => options.provider === "mdns");
    this.#worker = worker;
    this.#caller = new Caller<ProviderMethods>(worker, { callee: "the lookup of members" });
    worker.addEventListener("message", ({ data }: MessageEvent<FromProvider>) => this.#caller.settle(data));
  }

  /**
   * Addresses that a provider knows now.
   * @throws {Error} When it does not answer, or its files cannot be read.
   */
  async lookUp(options: ProviderOptions): Promise<readonly string[]> {
    return await Promise.race([this.#ask(options), this.#closed.promise]);
  }

  async #ask(options: ProviderOptions): Promise<readonly string[]> {
    const { links, kubernetes } = this.#settings;
    if (options.provider === "mdns") return await this.#caller.call("mdns", { options, links });
    return await this.#caller.call("k8s", { options, access: await accessOf(options, kubernetes) });
  }

  /** Has others find this agent, where a provider is for that. */
  announce(self: Self): void {
    const services = this.#services;
    if (services.length === 0) return;
    this.#worker.postMessage({ k: "announce", self, services, links: this.#settings.links });
  }

  /** The agent has joined: nothing more is looked up. Others may still look for this one. */
  joined(): void {
    if (this.#services.length === 0) this.close();
  }

  /** Ends; a lookup under way knows nobody. */
  close(): void {
    this.#closed.resolve([]);
    this.#worker.terminate();
  }
}

/** @throws {Error} When a file cannot be read or used. */
async function accessOf({ kubeconfig }: K8sOptions, environment: ApiEnvironment): Promise<K8sAccess> {
  if (kubeconfig === "") return accessOfPod(environment, (path) => textOf(path, "provider=k8s"));
  const directory = kubeconfig.replace(/[^/]*$/, "");
  return accessOfKubeconfig(await parsedYaml(kubeconfig), {
    read: (path) => textOf(path.startsWith("/") ? path : directory + path, "kubeconfig"),
    systemCertificates: () => systemCertificates(""),
  });
}

async function parsedYaml(path: string): Promise<unknown> {
  const { parse } = await import("@std/yaml/parse"); // takes memory that most agents never need
  const text = textOf(path, "kubeconfig");
  try {
    return parse(text);
  } catch {
    throw new Error(`${path} is no YAML`); // the parser's own message shows a part of the file, which may be a token
  }
}

function textOf(path: string, forKey: string): string {
  return readTextFile(path, { forKey, bytesMax: FILE_BYTES_MAX });
}
