/**
 * The five ways in which nodes find each other, each with its real service, behind one interface: the tests of
 * tests/processes/discovery/cluster_test.ts are the same for all of them.
 *
 * Consul is a server of its KV API in this tree; with MUSTER_TEST_CONSUL=host:port it is that real one.
 */
import { ConsulKvServer } from "../../harness/peers/consul_kv.ts";
import { DnsServer } from "../../harness/peers/dns.ts";
import { EtcdServer } from "../../harness/peers/etcd.ts";
import { clusterAddrOf, freePort, type NodePlace, nodePlace } from "../../harness/processes.ts";

/** A way, its service running. */
export interface Way {
  /** A place for another node, which others can find once {@linkcode publish} is told of it. */
  place(id: string): NodePlace;
  /** Makes just these nodes known to the service. */
  publish(places: readonly NodePlace[]): Promise<void>;
  /** Flags, the same for every node; `founders` start together. */
  flags(founders: readonly NodePlace[]): string[];
  /** Stops the service; absent where there is none, or none that may be stopped. */
  down?(): Promise<void>;
  /** Starts it again with what it knew. */
  up?(): Promise<void>;
  /** Ends everything. */
  close(): Promise<void>;
}

const NAME = "muster.test";

async function join(root: string): Promise<Way> {
  return await Promise.resolve({
    place: (id) => nodePlace(root, id),
    publish: () => Promise.resolve(),
    flags: (founders) => [
      `-bootstrap-expect=${founders.length}`,
      `-join=${founders.map(clusterAddrOf).join(",")}`,
    ],
    close: () => Promise.resolve(),
  });
}

/** Loopback addresses that look like a network of machines. */
function machines(): () => string {
  const network = `127.${10 + Math.floor(Math.random() * 240)}.${Math.floor(Math.random() * 250)}`;
  let last = 0;
  return () => `${network}.${++last}`;
}

async function dns(root: string): Promise<Way> {
  const server = await DnsServer.start(root);
  const nextHost = machines();
  const clusterPort = freePort();
  return {
    place: (id) => ({ ...nodePlace(root, id), host: nextHost(), clusterPort }),
    publish: (places) => server.setAddresses(NAME, places.map(({ host = "" }) => host)),
    flags: (founders) => [
      "-disco-mode=dns",
      `-disco-config=${JSON.stringify({ name: NAME, server: server.address })}`,
      `-bootstrap-expect=${founders.length}`,
    ],
    down: () => server.stop(),
    up: () => server.restart(),
    close: () => server.stop(),
  };
}

async function dnsSrv(root: string): Promise<Way> {
  const server = await DnsServer.start(root);
  const nextHost = machines();
  return {
    place: (id) => ({ ...nodePlace(root, id), host: nextHost() }),
    async publish(places) {
      for (const { id, host = "" } of places) await server.setAddresses(`node-${id}.${NAME}`, [host]);
      await server.setServices(
        `_raft._tcp.${NAME}`,
        places.map(({ id, clusterPort }, at) => ({
          target: `node-${id}.${NAME}`,
          port: clusterPort,
          priority: at * 10,
          weight: at,
        })),
      );
    },
    flags: (founders) => [
      "-disco-mode=dns-srv",
      `-disco-config=${JSON.stringify({ name: NAME, service: "raft", server: server.address })}`,
      `-bootstrap-expect=${founders.length}`,
    ],
    down: () => server.stop(),
    up: () => server.restart(),
    close: () => server.stop(),
  };
}

async function consulKv(root: string): Promise<Way> {
  const real = Deno.env.get("MUSTER_TEST_CONSUL");
  const server = real ? undefined : await ConsulKvServer.start();
  const flags = [
    "-disco-mode=consul-kv",
    `-disco-key=muster-test-${crypto.randomUUID()}`,
    `-disco-config=${JSON.stringify({ address: real ?? server?.address })}`,
  ];
  return {
    place: (id) => nodePlace(root, id),
    publish: () => Promise.resolve(),
    flags: () => flags,
    ...(server ? { down: () => server.stop(), up: () => server.restart() } : {}),
    close: async () => await server?.stop(),
  };
}

async function etcdKv(root: string): Promise<Way> {
  const server = await EtcdServer.start(root);
  return {
    place: (id) => nodePlace(root, id),
    publish: () => Promise.resolve(),
    flags: () => ["-disco-mode=etcd-kv", `-disco-config=${JSON.stringify({ endpoints: [server.endpoint] })}`],
    down: () => server.kill(),
    up: () => server.restart(),
    close: () => server.stop(),
  };
}

/** How each is started, by name; `root` is a directory for the service and the nodes. */
export const WAYS: Readonly<Record<string, (root: string) => Promise<Way>>> = {
  "-join": join,
  dns,
  "dns-srv": dnsSrv,
  "consul-kv": consulKv,
  "etcd-kv": etcdKv,
};
