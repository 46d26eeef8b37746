/**
 * Agents that find each other by a provider of retry-join: with the API of Kubernetes, and with nothing but the network.
 */
import { assert, assertMatch } from "@std/assert";
import { agentPlace, withAgents } from "../harness/agents.ts";
import { makeCertificates } from "../harness/peers/certificates.ts";
import { KubernetesApi } from "../harness/peers/kubernetes.ts";

Deno.test("agents join the pods that the API of Kubernetes lists, with a token that is rotated meanwhile", () =>
  withAgents(async (root, start) => {
    const files = await makeCertificates(root);
    const [cert, key] = await Promise.all([files.serverCert, files.serverKey].map((path) => Deno.readTextFile(path)));
    await using api = new KubernetesApi({ cert, key });
    api.accounts.set("token-of-today", ["apps"]);
    await Deno.writeTextFile(`${root}/token`, "token-of-yesterday\n");
    const config = {
      "current-context": "test",
      contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
      clusters: [{ name: "test", cluster: { server: api.url, "certificate-authority": "ca.pem" } }],
      users: [{ name: "test", user: { tokenFile: "token" } }],
    };
    await Deno.writeTextFile(`${root}/config`, JSON.stringify(config)); // JSON is YAML, too
    const entry = `provider=k8s namespace=apps label_selector="app=muster" kubeconfig=${root}/config`;
    const places = ["one", "two"].map((name) => agentPlace(root, name));
    const server = start(places[0], "-server", "-bootstrap-expect=1", `-retry-join=${entry}`, "-retry-interval=1s");
    await server.says(
      /Cannot discover address: address="provider=k8s .*" error=".*: 401: the token or certificate is not/,
    );
    assertMatch(
      server.log,
      /Join cluster failed, will retry: cluster=LAN retry_interval=\S+ error="No servers to join"/,
    );
    await Deno.writeTextFile(`${root}/token`, "token-of-today\n");
    api.pods = places.map(({ name, host, port }) => ({
      name,
      namespace: "apps",
      ip: host,
      labels: { app: "muster" },
      annotations: { "consul.hashicorp.com/auto-join-port": String(port) },
    }));
    const client = start(places[1], `-retry-join=${entry}`);
    await client.sees("one", "alive");
    await server.sees("two", "alive");
    await client.says(/Discovered servers: cluster=LAN servers="/);
    for (const { log } of [server, client]) assert(!log.includes("token-of"), log);
  }, { isThread: true }));
