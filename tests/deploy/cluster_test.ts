/**
 * The arguments of kubernetes.yaml and compose.yaml with real nodes, each started by entrypoint.sh at a loopback address
 * of its own with the same ports, as pods are. A real name server has their addresses; it is the only thing that the
 * arguments differ in.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { freePort, musterCommand, until } from "../harness/processes.ts";
import { DnsServer } from "../harness/peers/dns.ts";
import { deployPath, documentOf, documentsOf, inside, listInside, textsInside } from "./manifests.ts";

const STOP_MS = 20_000; // less would be cut short by neither Docker nor Kubernetes

const set = documentOf(await documentsOf("kubernetes.yaml", "kubernetes"), "StatefulSet", "muster");
const container = inside(set, "spec", "template", "spec", "containers", 0);
const [compose] = await documentsOf("compose.yaml", "compose");

/** A container, or what is left of it while it is stopped: its name, its address and its volume. */
class Pod {
  readonly name: string;
  readonly ipAddr: string;
  readonly #args: readonly string[];
  readonly #env: Readonly<Record<string, string>>;
  #child: Deno.ChildProcess | undefined;
  #output: Promise<void> | undefined;
  #log = "";

  constructor(
    { name, ipAddr, args, env }: {
      readonly name: string;
      readonly ipAddr: string;
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
    },
  ) {
    this.name = name;
    this.ipAddr = ipAddr;
    this.#args = args;
    this.#env = env;
  }

  get log(): string {
    return this.#log;
  }

  start(): void {
    const child = new Deno.Command(deployPath("entrypoint.sh"), {
      args: [...this.#args],
      env: { ...this.#env },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#child = child;
    this.#output = this.#collect(child.stderr);
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) this.#log += text;
  }

  /** Stops it as a container is stopped; resolves to the exit code. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    const child = this.#child;
    if (!child) return 0;
    try {
      child.kill(signal);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it ended by itself
    }
    const cut = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    const { code } = await child.status;
    clearTimeout(cut);
    await this.#output;
    this.#child = undefined;
    return code;
  }

  async get(path: string): Promise<{ status: number; text: string }> {
    const response = await fetch(`http://${this.#env.HTTP_ADDR}${path}`, { signal: AbortSignal.timeout(5000) });
    return { status: response.status, text: await response.text() };
  }

  /** Status of a probe of kubernetes.yaml; undefined while nothing listens. */
  async probe(name: "startupProbe" | "readinessProbe" | "livenessProbe"): Promise<number | undefined> {
    try {
      return (await this.get(String(inside(container, name, "httpGet", "path")))).status;
    } catch {
      return undefined;
    }
  }

  async ready(): Promise<void> {
    await until(`${this.name} ready`, async () => await this.probe("readinessProbe") === 200 || undefined);
  }

  /** Runs the health check of the image. */
  async isHealthy(): Promise<boolean> {
    const { success } = await new Deno.Command(deployPath("healthcheck.sh"), {
      env: { ...this.#env },
      stdin: "null",
      stderr: "null",
    }).output();
    return success;
  }

  async write(sql: string): Promise<void> {
    const response = await fetch(`http://${this.#env.HTTP_ADDR}/db/execute`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify([sql]),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await response.text();
    assert(response.ok && !text.includes("error"), text);
  }

  /** Rows of the table that {@linkcode write} fills, as this node's own copy has it. */
  async count(): Promise<number> {
    const { text } = await this.get(`/db/query?level=none&q=${encodeURIComponent("SELECT count(*) FROM t")}`);
    return Number(inside(JSON.parse(text), "results", 0, "values", 0, 0));
  }

  /** Waits until it sees just these as voters. */
  async sees(...names: readonly string[]): Promise<void> {
    let last = "";
    try {
      await until(`${this.name} seeing ${names}`, async () => {
        const { text } = await this.get("/nodes?nonvoters");
        last = text;
        const nodes = Object.values(JSON.parse(text));
        return nodes.every((node) => inside(node, "voter") === true) &&
            nodes.map((node) => inside(node, "id")).sort().join() === names.toSorted().join() || undefined;
      });
    } catch (error) {
      throw new Error(`${error}: ${last}`);
    }
  }
}

interface Deployment {
  readonly names: readonly string[];
  readonly args: readonly string[];
  /** Further variables; `address` stands for the name by which others reach a pod. */
  env(pod: { name: string; address: string; httpPort: number; raftPort: number }): Record<string, string>;
}

/** Runs `work` with a name server and pods that are not started yet; all is gone afterwards. */
async function withPods(
  { names, args, env }: Deployment,
  work: (pods: readonly Pod[], publish: (pods: readonly Pod[]) => Promise<void>) => Promise<void>,
): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "muster-deploy-" });
  const pods: Pod[] = [];
  let dns: DnsServer | undefined;
  try {
    const server = dns = await DnsServer.start(root);
    const muster = await musterScript(root);
    const at = args.findIndex((arg) => arg.startsWith("-disco-config="));
    const config = JSON.parse(args[at].slice("-disco-config=".length));
    const withServer = `-disco-config=${JSON.stringify({ ...config, server: server.address })}`;
    const [httpPort, raftPort] = [freePort(), freePort()];
    const network = `127.${10 + Math.floor(Math.random() * 240)}.${Math.floor(Math.random() * 250)}`;
    for (const [index, name] of names.entries()) {
      const address = `${network}.${index + 1}`;
      const variables = {
        MUSTER: muster,
        HTTP_ADDR: `${address}:${httpPort}`,
        RAFT_ADDR: `${address}:${raftPort}`,
        DATA_DIR: `${root}/${name}/data`,
        ...env({ name, address, httpPort, raftPort }),
      };
      pods.push(new Pod({ name, ipAddr: address, args: args.with(at, withServer), env: variables }));
    }
    await work(pods, (known) => server.setAddresses(config.name, known.map(({ ipAddr }) => ipAddr)));
  } catch (error) {
    for (const { name, log } of pods) console.error(`── ${name}:\n${log.slice(-4000)}`);
    throw error;
  } finally {
    await Promise.all(pods.map((pod) => pod.stop("SIGKILL")));
    await dns?.stop();
    await Deno.remove(root, { recursive: true });
  }
}

/** A program that runs muster as the tests do, from the source or as MUSTER_BINARY. */
async function musterScript(root: string): Promise<string> {
  const { command, args } = musterCommand();
  const words = [command, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`);
  const path = `${root}/muster`;
  await Deno.writeTextFile(path, `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`, { mode: 0o755 });
  return path;
}

/** kubernetes.yaml's, where a pod's name in DNS is its address, and its ports are free ones. */
const KUBERNETES: Deployment = {
  names: ["muster-0", "muster-1", "muster-2"],
  args: textsInside(container, "args"),
  env: ({ name, address, httpPort, raftPort }) =>
    Object.fromEntries(
      listInside(container, "env").flatMap((one) => {
        const value = inside(one, "value");
        if (typeof value !== "string") return [];
        const text = value.replaceAll(`$(POD_NAME).${inside(set, "spec", "serviceName")}`, address)
          .replaceAll("$(POD_NAME)", name).replace(/:4001$/, `:${httpPort}`).replace(/:4002$/, `:${raftPort}`);
        return [[String(inside(one, "name")), text]];
      }),
    ),
};

/** compose.yaml's. What a container gets from its host name is given here, as all have this machine's. */
const COMPOSE: Deployment = {
  names: Object.keys(Object(inside(compose, "services"))),
  args: textsInside(compose, "services", "muster-1", "command"),
  env: ({ name, address, httpPort, raftPort }) => ({
    NODE_ID: name,
    HTTP_ADV_ADDR: `${address}:${httpPort}`,
    RAFT_ADV_ADDR: `${address}:${raftPort}`,
  }),
};

Deno.test("pods of kubernetes.yaml form a cluster as DNS tells of them, leave when scaled down, and come back", async () => {
  await withPods(KUBERNETES, async (pods, publish) => {
    const [first, second, third] = pods;
    await publish([first]);
    for (const pod of pods) pod.start();
    await until("all pods asking and finding one address", async () => {
      for (const pod of pods) {
        const found = JSON.parse((await pod.get("/status?key=disco.last_addresses")).text);
        if (!Array.isArray(found) || found.length !== 1) return undefined;
      }
      return true;
    });
    for (const pod of pods) {
      assertEquals(await pod.probe("startupProbe"), 200);
      assertEquals(await pod.probe("livenessProbe"), 200, "a pod that waits for others is not to be restarted");
      assertEquals(await pod.probe("readinessProbe"), 503);
      assert(!await pod.isHealthy());
    }

    await publish(pods);
    await Promise.all(pods.map((pod) => pod.ready()));
    await first.sees("muster-0", "muster-1", "muster-2");
    for (const pod of pods) assert(await pod.isHealthy());
    await first.write("CREATE TABLE t(x)");
    await second.write("INSERT INTO t VALUES(1)");

    // scaled to 2
    assertEquals(await third.stop(), 0);
    await publish([first, second]);
    await first.sees("muster-0", "muster-1");
    await first.write("INSERT INTO t VALUES(2)");

    // scaled to 3: the data that it had, and what came since
    third.start();
    await publish(pods);
    await third.ready();
    await first.sees("muster-0", "muster-1", "muster-2");
    await until("muster-2 having all rows", async () => await third.count() === 2 || undefined);

    // scaled to 1: both at once
    assertEquals(await Promise.all([second.stop(), third.stop()]), [0, 0]);
    await publish([first]);
    await first.sees("muster-0");
    await first.write("INSERT INTO t VALUES(3)");
  });
});

Deno.test("pods of kubernetes.yaml that are all stopped at once are one cluster again with all data", async () => {
  await withPods(KUBERNETES, async (pods, publish) => {
    await publish(pods);
    for (const pod of pods) pod.start();
    await Promise.all(pods.map((pod) => pod.ready()));
    await pods[0].write("CREATE TABLE t(x)");
    await pods[1].write("INSERT INTO t VALUES(1)");
    // 1: one that could not leave, as the others that were to take it out were gone first.
    for (const code of await Promise.all(pods.map((pod) => pod.stop()))) assert(code === 0 || code === 1);

    for (const pod of pods) pod.start();
    await Promise.all(pods.map((pod) => pod.ready()));
    for (const pod of pods) {
      await pod.sees("muster-0", "muster-1", "muster-2");
      await until(`${pod.name} having the row`, async () => await pod.count() === 1 || undefined);
    }
  });
});

Deno.test("containers of compose.yaml form a cluster, stop without leaving it, and go back to it", async () => {
  await withPods(COMPOSE, async (pods, publish) => {
    const [first, second, third] = pods;
    await publish(pods);
    for (const pod of pods) pod.start();
    await Promise.all(pods.map((pod) => pod.ready()));
    await first.sees("muster-1", "muster-2", "muster-3");
    await first.write("CREATE TABLE t(x)");
    assertEquals(await third.stop(), 0);
    await publish([first, second]);
    await first.sees("muster-1", "muster-2", "muster-3");
    await second.write("INSERT INTO t VALUES(1)");
    assertEquals(await Promise.all([first.stop(), second.stop()]), [0, 0]);

    await publish(pods);
    for (const pod of pods) pod.start();
    await Promise.all(pods.map((pod) => pod.ready()));
    for (const pod of pods) {
      await pod.sees("muster-1", "muster-2", "muster-3");
      await until(`${pod.name} having the row`, async () => await pod.count() === 1 || undefined);
    }
  });
});
