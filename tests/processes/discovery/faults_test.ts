/**
 * Faults that discovery survives or refuses: names that appear late, records of clusters that are gone, services that
 * refuse, flags that make no sense; and that no secret is told.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { makeCertificates } from "../../harness/peers/certificates.ts";
import { ConsulKvServer } from "../../harness/peers/consul_kv.ts";
import { dig, DnsServer } from "../../harness/peers/dns.ts";
import { startEtcdCluster, withEtcd } from "../../harness/peers/etcd.ts";
import {
  clusterAddrOf,
  freePort,
  leaderOf,
  nodePlace,
  NodeProcess,
  type StartNode,
  until,
  withNodes,
} from "../../harness/processes.ts";

async function withDns(work: (dns: DnsServer, root: string, start: StartNode) => Promise<void>): Promise<void> {
  await withNodes(async (root, start) => {
    const dns = await DnsServer.start(root);
    try {
      await work(dns, root, start);
    } finally {
      await dns.stop();
    }
  });
}

/** Waits until a node's log has a line. */
async function says(node: NodeProcess, pattern: RegExp): Promise<void> {
  await until(`node ${node.place.id} says ${pattern}`, () => pattern.test(node.log) || undefined);
}

async function voters(node: NodeProcess): Promise<string[]> {
  const members = await node.status("store.nodes") as { id: string; suffrage: string }[];
  return members.filter(({ suffrage }) => suffrage === "voter").map(({ id }) => id);
}

async function untilVoters(node: NodeProcess, ids: readonly string[]): Promise<void> {
  await until(`voters ${ids}`, async () => (await voters(node)).join() === ids.join() || undefined);
}

Deno.test("dns: NXDOMAIN first, addresses that come one by one, and one where nobody is", () =>
  withDns(async (dns, root, start) => {
    const clusterPort = freePort();
    const hosts = ["127.77.1.1", "127.77.1.2", "127.77.1.3"];
    const config = JSON.stringify({ name: "late.test", server: dns.address });
    const flags = ["-disco-mode=dns", `-disco-config=${config}`, "-bootstrap-expect=3"];
    const places = hosts.map((host, at) => ({ ...nodePlace(root, String(at + 1)), host, clusterPort }));
    const nodes = places.slice(0, 2).map((place) => start(place, flags));
    await Promise.all(nodes.map((node) => says(node, /waiting for addresses of nodes: late.test has no A or AAAA/)));
    await dns.setAddresses("late.test", hosts.slice(0, 2));
    assertEquals(await dig(dns.address, "late.test", "A"), hosts.slice(0, 2));
    await Promise.all(nodes.map((node) => says(node, /2 of 3 nodes known \(1, 2\), waiting for 1 more to be found/)));
    const nobody = "127.77.1.9";
    await dns.setAddresses("late.test", [hosts[0], hosts[1], nobody]);
    await Promise.all(
      nodes.map((node) => says(node, /2 of 3 nodes known \(1, 2\), waiting for 127.77.1.9:\d+ \(Connection refused\)/)),
    );
    nodes.push(start(places[2], flags));
    await dns.setAddresses("late.test", [...hosts, nobody]);
    await Promise.all(nodes.map((node) => node.ready()));
    await untilVoters(nodes[0], ["1", "2", "3"]);
    const disco = await nodes[0].status("disco") as Record<string, unknown>;
    assertEquals([disco.mode, disco.name, disco.port, disco.last_error], ["dns", "late.test", clusterPort, ""]);
    // Whichever lookup was the last before the cluster stood: these were in each.
    const known = JSON.stringify(disco.last_addresses);
    for (const host of [hosts[0], hosts[1], nobody]) assert(known.includes(`"${host}:${clusterPort}"`), known);
  }));

Deno.test("dns: the system's resolver is asked, /etc/hosts included", () =>
  withNodes(async (root, start) => {
    const clusterPort = freePort();
    const hosts = ["127.77.2.1", "127.77.2.2"];
    await Deno.writeTextFile(`${root}/hosts`, hosts.map((host) => `${host} hosted.test\n`).join(""));
    // A view of the file system of its own, in which /etc/hosts is that file; the node keeps the process id.
    const wrapper = ["unshare", "-m", "sh", "-c", `mount --bind ${root}/hosts /etc/hosts && exec "$@"`, "sh"];
    const nodes = hosts.map((host, at) =>
      start({ ...nodePlace(root, String(at + 1)), host, clusterPort }, [
        "-disco-mode=dns",
        '-disco-config={"name":"${NAME}"}',
        "-bootstrap-expect=2",
      ], { wrapper, env: { NAME: "hosted.test" } })
    );
    await Promise.all(nodes.map((node) => node.ready()));
    await untilVoters(nodes[0], ["1", "2"]);
  }));

Deno.test("dns: RQLITE_DISCO_DNS_HOSTS takes the place of DNS, and a read replica needs no -bootstrap-expect", () =>
  withNodes(async (root, start) => {
    const places = ["1", "2"].map((id) => nodePlace(root, id));
    const env = { RQLITE_DISCO_DNS_HOSTS: places.map(clusterAddrOf).join(",") };
    const nodes = places.map((place) => start(place, ["-disco-mode=dns", "-bootstrap-expect=2"], { env }));
    const replica = start(nodePlace(root, "3"), ["-disco-mode=dns", "-raft-non-voter"], { env });
    await Promise.all([...nodes, replica].map((node) => node.ready()));
    assertEquals(await voters(replica), ["1", "2"]);
  }));

Deno.test("-join: names, a voter too many, a read replica, one that is found at the HTTP port, a time-out", () =>
  withNodes(async (root, start) => {
    const places = ["1", "2", "3", "4"].map((id) => nodePlace(root, id));
    const flags = [
      "-bootstrap-expect=3",
      `-join=${places.map(({ clusterPort }) => `localhost:${clusterPort}`).join(",")}`,
    ];
    const alone = start(places[0], [...flags, "-bootstrap-expect-timeout=2s"]);
    assertEquals((await alone.ended()).code, 1);
    assertMatch(alone.log, /1 of 3 nodes known \(1\), waiting for localhost:\d+ \(.*refused.*\), localhost/);
    assertMatch(alone.log, /fatal: clustering failure: boot timeout/);

    const nodes = places.map((place) => start(place, flags));
    const replica = start(nodePlace(root, "5"), [...flags.slice(1), "-raft-non-voter"]);
    await Promise.all([...nodes, replica].map((node) => node.ready()));
    for (const node of [...nodes, replica]) await untilVoters(node, ["1", "2", "3", "4"]);
    assertEquals(new Set(await Promise.all(nodes.map((node) => node.status("store.raft.cluster_id")))).size, 1);

    const single = start(nodePlace(root, "6"), ["-bootstrap-expect=1"]);
    await single.ready();
    const lost = start(nodePlace(root, "8"), ["-bootstrap-expect=3"]);
    assertEquals((await lost.ended()).code, 2);
    assertMatch(lost.log, /-bootstrap-expect 3 needs -join or -disco-mode, to find the other nodes by/);
    const one = nodePlace(root, "7");
    const itself = start(one, ["-bootstrap-expect=1", `-join=${clusterAddrOf(one)}`]);
    await itself.ready();
  }));

Deno.test("nodes that expect different numbers, or have one id, form no cluster and say why", () =>
  withNodes(async (root, start) => {
    const two = [nodePlace(root, "1"), nodePlace(root, "2")];
    const join = `-join=${two.map(clusterAddrOf).join(",")}`;
    const expecting = two.map((place, at) => start(place, [`-bootstrap-expect=${at + 2}`, join]));
    await expecting[0].says(/-bootstrap-expect 3, not 2: start all nodes with the same number/);
    await expecting[1].says(/-bootstrap-expect 2, not 3: start all nodes with the same number/);
    for (const node of expecting) {
      await node.says(/service listening on /);
      assertEquals(await node.leader(), undefined);
    }
    await expecting[1].stop();
    const agreeing = start(two[1], ["-bootstrap-expect=2", join]);
    await Promise.all([expecting[0].ready(), agreeing.ready()]);

    const twins = [nodePlace(`${root}/a`, "twin"), nodePlace(`${root}/b`, "twin")];
    const flags = ["-bootstrap-expect=2", `-join=${twins.map(clusterAddrOf).join(",")}`];
    await Deno.mkdir(`${root}/a`);
    await Deno.mkdir(`${root}/b`);
    const [first, second] = twins.map((place) => start(place, flags));
    for (const node of [first, second]) {
      await node.says(/both have the id "twin": give each its own -node-id/);
      await node.says(/service listening on /);
      assertEquals(await node.leader(), undefined);
    }
  }));

Deno.test("a node that is a cluster by itself does not join another one", () =>
  withNodes(async (root, start) => {
    const [one, other] = [start(nodePlace(root, "1")), start(nodePlace(root, "2"))];
    await Promise.all([one.ready(), other.ready()]);
    await other.stop();
    const joining = start(other.place, ["-join", one.clusterAddr]);
    assertEquals((await joining.ended()).code, 1);
    assertMatch(joining.log, /clustering failure: node is the only node in a single-node cluster/);
    const again = start(other.place);
    await again.ready();
  }));

Deno.test("a node that gives an address where it is not is refused with a word on it", () =>
  withNodes(async (root, start) => {
    const leader = start(nodePlace(root, "1"));
    await leader.ready();
    const flags = [`-join=localhost:${leader.place.clusterPort}`, "-join-attempts=1"];
    const nowhere = freePort();
    const cases: [string, RegExp][] = [
      [leader.clusterAddr, /the leader finds node "1", not "2", at .*; check -raft-adv-addr of node "2"/],
      [`127.0.0.1:${nowhere}`, /node "2" cannot be reached at .* from the leader: Connection refused; check -raft-adv/],
      ["no-such-host.test:4002", /node "2" cannot be reached at no-such-host.test:4002 from the leader/],
    ];
    for (const [addr, line] of cases) {
      const node = start(nodePlace(root, "2"), [...flags, `-raft-adv-addr=${addr}`]);
      assertEquals((await node.ended()).code, 1);
      assertMatch(node.log, line);
      await Deno.remove(node.place.directory, { recursive: true });
    }
    assertEquals(await voters(leader), ["1"]);
  }));

for (const mode of ["consul-kv", "etcd-kv"] as const) {
  /** Runs `work` with the service, as what the tests below do to it. */
  const withStore = async (
    work: (store: {
      config: Record<string, unknown>;
      put(key: string, value: string): Promise<void>;
      get(key: string): Promise<string | undefined>;
    }) => Promise<void>,
  ): Promise<void> => {
    if (mode === "etcd-kv") {
      return await withEtcd({}, (etcd) =>
        work({
          config: { endpoints: [etcd.endpoint] },
          put: (key, value) => etcd.put(`/${key}`, value),
          get: (key) => etcd.get(`/${key}`),
        }));
    }
    const consul = await ConsulKvServer.start();
    try {
      await work({
        config: { address: consul.address },
        put: (key, value) => Promise.resolve(consul.put(key, value)),
        get: (key) => Promise.resolve(consul.get(key)),
      });
    } finally {
      await consul.stop();
    }
  };

  Deno.test(`${mode}: the record of a cluster that is gone is replaced once, after the grace time`, () =>
    withStore((store) =>
      withNodes(async (root, start) => {
        const flags = [`-disco-mode=${mode}`, `-disco-config=${JSON.stringify({ ...store.config, dead_after: "2s" })}`];
        const gone = (port: number) => JSON.stringify({ id: "old", api_addr: "http://a:1", addr: `127.0.0.1:${port}` });
        await store.put("rqlite/leader", gone(freePort()));
        const nodes = ["1", "2", "3"].map((id) => start(nodePlace(root, id), flags));
        await Promise.all(nodes.map((node) =>
          says(node, /waiting for the registered leader "old" .*refused.*unless it reports within 2 s/)
        ));
        // As long as somebody writes the key, somebody is alive: the grace time starts again and again.
        for (const end = performance.now() + 4000; performance.now() < end;) {
          await store.put("rqlite/leader", gone(freePort()));
          await new Promise((resolve) =>
            setTimeout(resolve, 100)
          );
        }
        assert(!nodes.some(({ log }) => log.includes("its record is replaced")), "not while somebody writes");
        await Promise.all(nodes.map((node) => node.ready()));
        for (const node of nodes) await untilVoters(node, ["1", "2", "3"]);
        assertEquals(nodes.filter(({ log }) => log.includes("its record is replaced")).length, 1);
        const leader = await leaderOf(nodes);
        const record = await store.get("rqlite/leader");
        assertEquals(record && JSON.parse(record), {
          id: leader.place.id,
          api_addr: leader.url,
          addr: leader.clusterAddr,
        });
      })
    ));

  Deno.test(`${mode}: a cluster that has lost its majority is not taken for gone`, () =>
    withStore((store) =>
      withNodes(async (root, start) => {
        const flags = [`-disco-mode=${mode}`, `-disco-config=${JSON.stringify({ ...store.config, dead_after: "1s" })}`];
        const [one, two] = ["1", "2"].map((id) => start(nodePlace(root, id), flags));
        await Promise.all([one.ready(), two.ready()]);
        await untilVoters(one, ["1", "2"]);
        const leader = await leaderOf([one, two]);
        const other = leader === one ? two : one;
        await other.stop("SIGKILL");
        await until("the leader steps down", async () => (await leader.leader()) === undefined || undefined);
        const late = start(nodePlace(root, "3"), flags);
        await says(late, /waiting for the cluster of node "\d" to take this node in/);
        const record = await store.get("rqlite/leader");
        await new Promise((resolve) => setTimeout(resolve, 3000)); // three times the grace time
        assertEquals(await store.get("rqlite/leader"), record);
        await start(other.place, flags).ready();
        await late.ready();
        await untilVoters(late, ["1", "2", "3"]);
      })
    ));

  Deno.test(`${mode}: two keys are two clusters, and a node that moved to another address is found again`, () =>
    withStore((store) =>
      withNodes(async (root, start) => {
        const of = (key: string) => [
          `-disco-mode=${mode}`,
          `-disco-key=${key}`,
          `-disco-config=${JSON.stringify(store.config)}`,
        ];
        const clusters = ["a", "b/c"].map((key) =>
          ["1", "2"].map((id) => start(nodePlace(`${root}/${key}`, id), of(key)))
        );
        await Promise.all(clusters.flat().map((node) => node.ready()));
        for (const node of clusters.flat()) await untilVoters(node, ["1", "2"]);
        const ids = await Promise.all(clusters.map(([node]) => node.status("store.raft.cluster_id")));
        assertEquals(new Set(ids).size, 2);

        const leader = await leaderOf(clusters[0]);
        const third = start(nodePlace(`${root}/a`, "3"), of("a"));
        await third.ready();
        await untilVoters(leader, ["1", "2", "3"]);
        await third.stop("SIGTERM");
        const moved = start({ ...third.place, clusterPort: freePort() }, of("a"));
        await moved.ready();
        await until("the new address", async () => {
          const members = await leader.status("store.nodes") as { id: string; addr: string }[];
          return members.some(({ id, addr }) => id === "3" && addr === moved.clusterAddr) || undefined;
        });
        assertEquals(await voters(clusters[1][0]), ["1", "2"]);
      })
    ));
}

Deno.test("etcd-kv and consul-kv: TLS with client certificates and a token, from files that the node reads at its start", () =>
  withNodes(async (root, start) => {
    await Deno.mkdir(`${root}/tls`);
    const certificates = await makeCertificates(`${root}/tls`);
    const files = { ca_file: certificates.ca, cert_file: certificates.clientCert, key_file: certificates.clientKey };
    const consul = await ConsulKvServer.start({ certificates, clientAuth: true, token: "right" });
    try {
      await withEtcd({ certificates, clientAuth: true }, async (etcd) => {
        await Deno.writeTextFile(`${root}/token`, "right\n");
        await Deno.writeTextFile(`${root}/etcd.json`, JSON.stringify({ endpoints: ["${ETCD}"], TLS: files }));
        const env = { ETCD: etcd.endpoint, CONSUL_HTTP_ADDR: consul.url };
        const ways = {
          etcd: ["-disco-mode=etcd-kv", `-disco-config=${root}/etcd.json`],
          consul: [
            "-disco-mode=consul-kv",
            `-disco-config=${JSON.stringify({ token_file: `${root}/token`, tls_config: files })}`,
          ],
        };
        await Promise.all(
          Object.entries(ways).map(async ([name, flags]) => {
            const nodes = ["1", "2"].map((id) => start(nodePlace(`${root}/${name}`, id), flags, { env }));
            await Promise.all(nodes.map((node) => node.ready()));
            for (const node of nodes) await untilVoters(node, ["1", "2"]);
          }),
        );
      });
    } finally {
      await consul.stop();
    }
  }));

Deno.test("etcd-kv: of three members one is gone from the start, another goes and comes back", () =>
  withNodes(async (root, start) => {
    const members = await startEtcdCluster(root, 3);
    try {
      const flags = [
        "-disco-mode=etcd-kv",
        `-disco-config=${JSON.stringify({ endpoints: members.map(({ endpoint }) => endpoint) })}`,
      ];
      await members[0].kill();
      const nodes = ["1", "2"].map((id) => start(nodePlace(root, id), flags));
      await Promise.all(nodes.map((node) => node.ready()));
      await members[1].kill(); // one of three: the key can be neither read nor written
      nodes.push(start(nodePlace(root, "3"), flags));
      await says(nodes[2], /discovery failed, trying again: key \/rqlite\/leader of etcd/);
      await members[0].restart();
      await Promise.all(nodes.map((node) => node.ready()));
      for (const node of nodes) await untilVoters(node, ["1", "2", "3"]);
    } finally {
      await Promise.all(members.map((member) => member.stop()));
    }
  }));

Deno.test("a service that refuses, or is not there, is waited for with a clear line and without its secrets", () =>
  withNodes(async (root, start) => {
    const consul = await ConsulKvServer.start({ token: "right" });
    try {
      const config = { address: consul.address, token: "hunter2", basic_auth: { username: "u", password: "hunter3" } };
      const refused = start(nodePlace(root, "1"), ["-disco-mode=consul-kv", `-disco-config=${JSON.stringify(config)}`]);
      await says(refused, /discovery failed, trying again: key rqlite\/leader of Consul at .*403 Permission denied/);
      await says(refused, /service listening on/);
      const status = JSON.stringify(await refused.status(""));
      assertMatch(status, /"mode":"consul-kv".*|403/);
      for (const text of [status, refused.log]) assert(!/hunter[23]/.test(text), "no secret is told");
      await refused.stop();
      assertMatch(refused.log, /muster server stopped/);

      const port = freePort();
      const gone = start(nodePlace(root, "2"), [
        "-disco-mode=etcd-kv",
        `-disco-config={"endpoints":["127.0.0.1:${port}"]}`,
      ]);
      await says(
        gone,
        new RegExp(`trying again: key /rqlite/leader of etcd: http://127.0.0.1:${port}: connection refused`),
      );
      consul.put("rqlite/leader", "rubbish");
      const rubbish = start(nodePlace(root, "3"), [
        "-disco-mode=consul-kv",
        `-disco-config={"address":"${consul.address}","token":"right"}`,
      ]);
      await says(rubbish, /the value is not JSON: was the key written by something else\?/);
      assertEquals(consul.get("rqlite/leader"), "rubbish");
    } finally {
      await consul.stop();
    }
  }));

Deno.test("flags that make no sense end the node with a clear message: exit code 2, or 1 for a fault in -disco-config", () =>
  withNodes(async (root, start) => {
    const file = `${root}/disco.json`;
    await Deno.writeTextFile(file, '{"name": "a",\n  "port": 1,}');
    const faults: [string[], string][] = [
      [["-disco-mode=zeroconf"], "disco mode must be one of consul-kv, etcd-kv, dns, or dns-srv"],
      [["-disco-mode=dns"], "bootstrap-expect value required when using dns with a voting node"],
      [["-disco-mode=etcd-kv", "-bootstrap-expect=3"], "bootstrapping not applicable when using etcd-kv"],
      [["-disco-mode=dns", "-join=a:1"], "disco mode cannot be used when also explicitly joining a cluster"],
      [["-disco-mode=etcd-kv", "-disco-config={"], "-disco-config: not valid JSON at line 1, column 2"],
      [["-disco-mode=etcd-kv", "-disco-config={}"], "etcdclient: no available endpoints"],
      [["-disco-mode=dns", "-bootstrap-expect=1", `-disco-config=${file}`], "not valid JSON at line 2, column 13"],
      [["-disco-mode=dns", "-bootstrap-expect=1", '-disco-config={"name":""}'], '"name" must be a domain name'],
      [["-disco-mode=consul-kv", '-disco-config={"address":"https://a"}'], "address should not contain HTTP or HTTPS"],
    ];
    await Promise.all(faults.map(async ([flags, message], at) => {
      const node = start(nodePlace(root, String(at)), flags);
      assertEquals((await node.ended()).code, flags.some((flag) => flag.startsWith("-disco-config")) ? 1 : 2);
      assert(node.log.includes("fatal: ") && node.log.includes(message), `${flags}: ${node.log}`);
    }));
  }));
