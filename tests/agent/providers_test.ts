/**
 * Agents that find each other by a provider of retry-join: with the API of Kubernetes, and with nothing but the network.
 */
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { TYPE } from "../../src/core/dns/message.ts";
import { decodeMdns, encodeMdnsQuery, MDNS_PORT, type MdnsMessage } from "../../src/core/dns/multicast.ts";
import { Findings, serviceName } from "../../src/core/provider/mdns.ts";
import { parseProvider } from "../../src/core/provider/provider.ts";
import { agentPlace, withAgents } from "../harness/agents.ts";
import { makeCertificates } from "../harness/peers/certificates.ts";
import { until } from "../harness/processes.ts";
import { Random } from "../harness/random.ts";
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
    await server.says(
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

/** Sends broken variants of a question to the group, and then the question until it is answered to this socket alone. */
async function besieged(query: Uint8Array): Promise<MdnsMessage> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const group = { transport: "udp", hostname: "224.0.0.251", port: MDNS_PORT } as const;
  const answered = (async () => {
    for (;;) {
      const [bytes, from] = await socket.receive();
      const message = decodeMdns(bytes);
      if (message.id === 77 && from.transport === "udp" && from.port === MDNS_PORT) return message;
    }
  })();
  try {
    const random = new Random(1, 1);
    for (let round = 0; round < 300; round++) {
      const bytes = query.slice(0, round % 2 === 0 ? query.length : random.u32() % query.length);
      if (bytes.length > 0) bytes[random.u32() % bytes.length] ^= random.u32() & 255;
      await socket.send(bytes, group);
    }
    return await until("an answer", async () => {
      await socket.send(query, group);
      return await Promise.race([answered, delay(1000)]) ?? undefined;
    });
  } finally {
    socket.close();
    await answered.catch(() => {});
  }
}

Deno.test("three agents with nothing but provider=mdns form one pool, while others send rubbish to its port", () =>
  withAgents(async (root, start) => {
    const service = `_m${crypto.randomUUID().slice(0, 8)}._tcp`; // other tests share the network
    const entry = `-retry-join=provider=mdns service=${service} timeout=2s`;
    const [first, second, third] = ["one", "two", "three"].map((name) => agentPlace(root, name));
    const server = start(first, "-server", "-bootstrap-expect=1", entry);
    await server.says(/mdns: answering on lo/);
    const options = parseProvider(`provider=mdns service=${service}`);
    if (options?.provider !== "mdns") throw new Error("expected another provider");
    const query = encodeMdnsQuery(77, { name: serviceName(options), type: TYPE.PTR });
    const answer = await besieged(query);
    const findings = new Findings(options);
    findings.take(answer.records);
    assertEquals([...findings.members().values()], [server.addr]);

    const others = [second, third].map((place) => start(place, entry));
    for (const agent of [server, ...others]) {
      for (const { name } of [first, second, third]) await agent.sees(name, "alive");
    }
    for (const agent of others) await agent.says(/Join cluster completed\. Synced with initial agents/);
  }, { isThread: true }));
