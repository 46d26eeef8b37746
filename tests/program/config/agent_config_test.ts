/** An agent's settings: files, flags, rules and words (C3.1, C5.1). */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import type { Machine } from "../../../src/program/config/addresses.ts";
import { type AgentSetup, agentSetup } from "../../../src/program/config/agent_config.ts";
import { AGENT_FLAGS } from "../../../src/program/config/agent_flags.ts";
import { Flags, UsageError } from "../../../src/program/config/flags.ts";
import { nodeDefaults } from "../../../src/program/config/serve_config.ts";
import { Settings, SettingsError } from "../../../src/program/config/settings.ts";

const LOOPBACK = { name: "lo", family: "IPv4", address: "127.0.0.1" };

function machine(...addresses: string[]): Machine {
  return {
    hostname: "host-1",
    interfaces: [LOOPBACK, ...addresses.map((address) => ({ name: "e", family: "IPv4", address }))],
  };
}

/** A machine with interfaces, each `NAME ADDRESS`. */
function on(...interfaces: string[]): Machine {
  return {
    hostname: "host-1",
    interfaces: interfaces.map((text) => {
      const [name, address] = text.split(" ");
      return { name, address, family: address.includes(":") ? "IPv6" : "IPv4" };
    }),
  };
}

function setup(args: string[], on: Machine = machine("10.1.2.3")): AgentSetup {
  const flags = Flags.parse(args, AGENT_FLAGS);
  const settings = Settings.load(flags);
  return agentSetup(settings, {
    isDev: flags.bool("dev"),
    standard: nodeDefaults(),
    machine: on,
    devDirectory: "/dev-dir",
  });
}

function withFiles(files: Record<string, string>, work: (directory: string) => void): void {
  const directory = Deno.makeTempDirSync();
  try {
    for (const [name, text] of Object.entries(files)) Deno.writeTextFileSync(`${directory}/${name}`, text);
    work(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("an agent is a client by default, with Consul's ports, name, domains and ways to end", () => {
  const { config, agent, warnings } = setup(["-data-dir=d"]);
  assertEquals(warnings, []);
  assertEquals(
    [config.clusterAddr, config.clusterAdvertisedAddr, config.httpAddrs, agent.dnsAddrs],
    ["0.0.0.0:8301", "10.1.2.3:8301", ["127.0.0.1:8500"], ["127.0.0.1:8600"]],
  );
  assertEquals(
    [agent.isServer, agent.nodeName, agent.datacenter, agent.domains],
    [false, "host-1", "dc1", ["consul.", "muster."]],
  );
  assertEquals([agent.leaveOnTerminate, agent.skipLeaveOnInterrupt], [true, false]);
  const { agent: server, config: plain } = setup(["-data-dir=d", "-server", "-bootstrap-expect=3"]);
  assertEquals([server.leaveOnTerminate, server.skipLeaveOnInterrupt], [false, true]);
  assertEquals(plain.leaseReads, false);
  assertEquals(setup(["-data-dir=d", "-server", "-raft-lease-reads"]).config.leaseReads, true);
});

Deno.test("files come in order, then flags: the last value wins, lists are joined, blocks merged", () =>
  withFiles({
    "a.json": `{"node_name": "a", "retry_join": ["x"], "ports": {"dns": 1, "http": 2}, "node_meta": {"p": "1"}}`,
    "b.hcl":
      `node_name = "b"\nretry_join = ["y", "z"]\nports { http = 3 }\nservice { name = "web" }\nreconnect_timeout = "9h"`,
    "note.txt": "not a setting",
  }, (directory) => {
    const { agent, config, warnings } = setup([
      "-data-dir=d",
      `-config-dir=${directory}`,
      "-node=flag",
      "-retry-join=w",
      "-node-meta=q:2:3",
      "-dns-port=-1",
    ]);
    assertEquals(agent.nodeName, "flag");
    assertEquals(agent.retryJoin, ["x", "y", "z", "w"]);
    assertEquals([agent.dnsAddrs, config.httpAddrs], [[], ["127.0.0.1:3"]]);
    assertEquals(agent.meta, { p: "1", q: "2:3" });
    assertEquals(agent.reconnectTimeoutMs, 9 * 3_600_000);
    assertEquals(agent.local.files.services.map(({ name }) => name), ["web"]);
    assertEquals(warnings.length, 1);
    assertMatch(warnings[0], /skipping file .*note\.txt/);
  }));

Deno.test("files and directories count in the order in which they are named", () =>
  withFiles(
    { "f.json": `{"node_name": "file", "client_addr": "127.0.0.1 [::1]  127.0.0.1"}` },
    (one) =>
      withFiles({ "d.json": `{"node_name": "directory"}` }, (other) => {
        const file = `-config-file=${one}/f.json`;
        const directory = `-config-dir=${other}`;
        assertEquals(setup(["-data-dir=d", file, directory]).agent.nodeName, "directory");
        const { agent, config } = setup(["-data-dir=d", directory, file, "-default-query-time=1m"]);
        assertEquals(agent.nodeName, "file");
        assertEquals(agent.queryTimeMs, { standard: 60_000, most: 600_000 });
        assertEquals([config.httpAddrs, agent.dnsAddrs], [
          ["127.0.0.1:8500", "[::1]:8500"],
          ["127.0.0.1:8600", "[::1]:8600"],
        ]);
      }),
  ));

Deno.test("what is wrong is told in Consul's words", () => {
  const faults: [string[], RegExp, Machine?][] = [
    [[], /^data_dir cannot be empty: name a directory with -data-dir/],
    [
      ["-data-dir=d"],
      /^Multiple private IPv4 addresses found\. Please configure one with 'bind' and\/or 'advertise'\.$/,
      machine("10.0.0.1", "192.168.1.1"),
    ],
    [["-data-dir=d"], /^No private IPv4 address found$/, {
      hostname: "h",
      interfaces: [{ name: "e", family: "IPv4", address: "8.8.8.8" }],
    }],
    [["-data-dir=d"], /^No private IPv4 address found$/, on("lo 127.0.0.1", "eth0 198.51.100.1")],
    [
      ["-data-dir=d", "-bind=::"],
      /^No public IPv6 address found$/,
      on("lo ::1", "e fe80::1", "e fd00::2", "e 10.0.0.1"),
    ],
    [
      ["-data-dir=d", "-bind=[::]"],
      /^Multiple public IPv6 addresses found\. Please configure one/,
      on("e 2a02::1", "e 2a02::2"),
    ],
    [
      ["-data-dir=d", '-bind={{ GetInterfaceIP "e9" }}'],
      /^bind_addr: no address found by \{\{ GetInterfaceIP "e9" \}\}$/,
    ],
    [["-data-dir=d", "-client={{ GetSomething }}"], /^client_addr: Cannot use "GetSomething"/],
    [
      ["-data-dir=d", "-bind={{ GetPrivateIPs }}"],
      /^bind_addr cannot contain multiple addresses$/,
      machine("10.0.0.1", "10.0.0.2"),
    ],
    [["-data-dir=d", "-recursor=not an address"], /^recursors: "not an address" is no address: expected an IP address/],
    [["-data-dir=d", "-recursor=8.8.8.8:0"], /is no address/],
    [["-data-dir=d", "-recursor=8.8.8.888"], /is no address/],
    [["-data-dir=d", "-client="], /^client_addr cannot be empty$/],
    [["-data-dir=d", "-advertise=0.0.0.0"], /^Advertise address cannot be 0\.0\.0\.0, :: or \[::\]$/],
    [["-data-dir=d", "-bootstrap-expect=3"], /^'bootstrap_expect > 0' requires 'server = true'$/],
    [["-data-dir=d", "-bootstrap"], /^'bootstrap = true' requires 'server = true'$/],
    [["-data-dir=d", "-server", "-bootstrap", "-bootstrap-expect=1"], /mutually exclusive$/],
    [["-dev", "-bootstrap-expect=1"], /not allowed in dev mode$/],
    [["-data-dir=d", "-encrypt=abc"], /^encrypt has invalid key: /],
    [
      ["-data-dir=d", "-retry-join=provider=aws tag_key=x"],
      /^retry_join: provider "aws" is not supported: known are mdns/,
    ],
    [
      ["-data-dir=d", "-retry-join=provider=k8s zone=x"],
      /^retry_join: provider "k8s" has no key "zone": known are name/,
    ],
    [["-data-dir=d", "-join=provider=k8s"], /^start_join takes addresses and names: a provider is for retry_join/],
    [
      ["-data-dir=d", "-alt-domain=node.example"],
      /^alt_domain cannot start with \{service,connect,node,query,addr,dc1\}$/,
    ],
    [["-data-dir=d", "-node="], /^node_name cannot be empty$/],
    [["-data-dir=d", "-node-meta=consul-x:1"], /reserved/],
    [["-data-dir=d", "-client=unix:///x"], /^DNS address cannot be a unix socket$/],
    [["-data-dir=d", "-config-file=/nowhere.json"], /^Error parsing \/nowhere\.json: /],
  ];
  for (const [args, message, on] of faults) {
    const error = assertThrows(() => setup(args, on), SettingsError, undefined, args.join(" "));
    assertMatch(error.message, message);
  }
});

Deno.test("templates find the addresses to bind to, to tell, to serve clients and to join, in flags and files", () =>
  withFiles({
    "a.hcl": `advertise_addr = "{{ GetInterfaceIP \\"eth1\\" }}"\nclient_addr = "127.0.0.1 {{ GetPrivateIPs }}"`,
  }, (directory) => {
    const args = [
      "-data-dir=d",
      `-config-dir=${directory}`,
      '-retry-join={{ GetInterfaceIP "eth0" }}',
      "-retry-join=x",
    ];
    const { config, agent } = setup(
      [...args, '-bind={{ GetAllInterfaces | include "name" "eth0" | attr "address" }}'],
      on("lo 127.0.0.1", "eth0 10.0.0.1", "eth1 10.0.0.2"),
    );
    assertEquals([config.clusterAddr, config.clusterAdvertisedAddr], ["10.0.0.1:8301", "10.0.0.2:8301"]);
    assertEquals(config.httpAddrs, ["127.0.0.1:8500", "10.0.0.1:8500", "10.0.0.2:8500"]);
    assertEquals(agent.retryJoin, ["10.0.0.1", "x"]);
    assertEquals(agent.machine, ["127.0.0.1", "10.0.0.1", "10.0.0.2"]);
  }));

Deno.test("entries of retry-join with a provider are looked up, on the network that the agent is bound to", () => {
  const args = ["-data-dir=d", "-retry-join=x", "-retry-join=provider=mdns timeout=1s", "-retry-join=provider=k8s"];
  const { agent } = setup([...args, "-bind=10.0.0.2", "-advertise=192.0.2.1"], on("a 10.0.0.1", "b 10.0.0.2"));
  assertEquals(agent.retryJoin, ["x"]);
  assertEquals(agent.providers.entries.map(({ text }) => text), ["provider=mdns timeout=1s", "provider=k8s"]);
  assertEquals(agent.providers.links.map(({ name, source }) => [name, source]), [["b", "10.0.0.2"]]);
  const { links } = setup([...args, "-advertise=10.0.0.1"], on("a 10.0.0.1", "b 10.0.0.2")).agent.providers;
  assertEquals(links.map(({ name }) => name), ["a"]);
});

Deno.test("recursors are IP addresses and host names, with a port or not", () => {
  const given = [
    "8.8.8.8",
    "8.8.8.8:5353",
    "::1",
    "[::1]",
    "[::1]:54",
    "2001:db8::1",
    "localhost",
    "dns.example.com:54",
  ];
  const { agent } = setup(["-data-dir=d", ...given.map((one) => `-recursor=${one}`)]);
  assertEquals(agent.dns.recursors, [
    "8.8.8.8:53",
    "8.8.8.8:5353",
    "[::1]:53",
    "[::1]:53",
    "[::1]:54",
    "[2001:db8::1]:53",
    "localhost:53",
    "dns.example.com:54",
  ]);
});

Deno.test("flags and keys of Consul 0.5 name a rendezvous, and say what is missing", () => {
  const all = ["-data-dir=d", "-atlas-join", "-atlas=user/name", "-atlas-token=x", "-atlas-endpoint=https://a.test:1/"];
  const atlas = { infrastructure: "user/name", token: "x", endpoints: ["https://a.test:1"], caFile: "", joins: true };
  assertEquals(setup(all).agent.atlas, atlas);
  assertEquals(setup(["-data-dir=d"]).agent.atlas, undefined);
  withFiles({
    "f.json": JSON.stringify({
      atlas_join: true,
      atlas_infrastructure: "user/name",
      atlas_token: "x",
      atlas_endpoint: "https://a.test:1",
      atlas_acl_token: "of no use",
    }),
  }, (directory) => assertEquals(setup(["-data-dir=d", `-config-dir=${directory}`]).agent.atlas, atlas));
  const without = (name: string) => all.filter((flag) => !flag.startsWith(name));
  const wrong: [string[], RegExp][] = [
    [without("-atlas="), /atlas_join needs atlas_infrastructure/],
    [without("-atlas-token"), /needs a token: ATLAS_TOKEN/],
    [without("-atlas-endpoint"), /needs -atlas-endpoint=URL .* ended in 2017, and "muster rendezvous"/],
    [[...all, "-atlas=user"], /must be USER\/NAME/],
    [[...all, "-atlas=../name"], /must be USER\/NAME/],
    [[...all, "-atlas-endpoint=a.test"], /must be a URL/],
    [["-data-dir=d", "-rendezvous"], /requires 'server = true'/],
    [["-data-dir=d", "-server", "-rendezvous", "-rendezvous-addr=x"], /must be HOST:PORT/],
    [["-data-dir=d", "-server", "-rendezvous", "-rendezvous-cert-file=x"], /go together/],
  ];
  for (const [flags, message] of wrong) assertMatch(assertThrows(() => setup(flags), SettingsError).message, message);
  assertEquals(setup(["-data-dir=d", "-server", "-rendezvous"]).agent.rendezvous, {
    addr: "0.0.0.0:8504",
    certFile: "",
    keyFile: "",
  });
});

Deno.test("a loopback interface does not count beside others, and :: tells others the public IPv6 address", () => {
  const at = (bind: string, where: Machine) =>
    setup(["-data-dir=d", `-bind=${bind}`], where).config.clusterAdvertisedAddr;
  assertEquals(at("0.0.0.0", on("lo 127.0.0.1", "lo 10.1.0.254", "eth0 10.1.1.20")), "10.1.1.20:8301");
  assertEquals(at("0.0.0.0", on("lo 127.0.0.1", "lo ::1")), "127.0.0.1:8301");
  assertEquals(at("0.0.0.0", on("a 10.1.1.20", "b 10.1.1.20")), "10.1.1.20:8301");
  const both = on("lo ::1", "eth0 10.1.1.20", "eth0 2A02:DB8:9:0:0:0:0:1", "eth0 fe80::1", "eth0 fd00::1");
  assertEquals([at("::", both), at("0.0.0.0", both)], ["[2a02:db8:9::1]:8301", "10.1.1.20:8301"]);
});

Deno.test("one private address is taken, another interface's public one is not; loopback only where there is nothing else", () => {
  const at = (on: Machine) => setup(["-data-dir=d"], on).config.clusterAdvertisedAddr;
  assertEquals(at(machine("172.31.0.9", "8.8.8.8")), "172.31.0.9:8301");
  assertEquals(at(machine()), "127.0.0.1:8301");
  assertEquals(at(machine("100.64.0.1")), "100.64.0.1:8301");
  assertEquals(setup(["-data-dir=d", "-bind=::1"]).config.clusterAddr, "[::1]:8301");
  assertEquals(setup(["-data-dir=d", "-bind=[2001:DB8:0:0::1]"]).config.clusterAdvertisedAddr, "[2001:db8::1]:8301");
  const { config } = setup(["-data-dir=d", "-bind=0.0.0.0", "-advertise=203.0.113.1"], machine("10.0.0.1", "10.0.0.2"));
  assertEquals(config.clusterAdvertisedAddr, "203.0.113.1:8301");
});

Deno.test("a file with an unknown key, or a value of another kind, is refused by name", () => {
  const faults: [string, RegExp][] = [
    [`{"no_such": 1}`, /f\.json: invalid config key no_such$/],
    [`{"server": "yes"}`, /f\.json: server: expected true or false, found "yes"$/],
    [`{"ports": {"dns": 1.5}}`, /ports\.dns: expected a whole number, found 1\.5$/],
    [`{"ports": {"dsn": 1}}`, /ports: invalid config key dsn$/],
    [`{"retry_interval": "soon"}`, /retry_interval: expected a duration/],
    [`{"retry_join": [1]}`, /retry_join: expected a list of texts/],
    [
      `{"encrypt": ["l4C6PDiGKaSRwviKYvaI64OeaR0SUWjmRx8fWQ9oO7s="]}`,
      /encrypt: expected a text, found another kind of value$/,
    ],
    [`{"max_query_time": "0s"}`, /max_query_time must be positive$/],
    [`{"gossip_lan": {"probe_interval": "1x"}}`, /gossip_lan\.probe_interval: expected a duration/],
    [`[1]`, /expected an object of settings$/],
    [`{`, /^Error parsing /],
  ];
  for (const [text, message] of faults) {
    withFiles({ "f.json": text }, (directory) => {
      const error = assertThrows(() => setup([`-config-file=${directory}/f.json`, "-data-dir=d"]), SettingsError);
      assertMatch(error.message, message);
    });
  }
});

Deno.test("an even number of servers, and a name unfit for DNS, are warned of", () => {
  const { warnings } = setup(["-data-dir=d", "-server", "-bootstrap-expect=4", "-node=under_score"]);
  assertMatch(warnings.join("\n"), /bootstrap_expect is even number/);
  assertMatch(warnings.join("\n"), /bootstrap_expect > 0: expecting 4 servers/);
  assertMatch(warnings.join("\n"), /Node name "under_score" will not be discoverable via DNS/);
});

Deno.test("keys within blocks that have no effect yet are named, those of the zone's SOA are taken", () =>
  withFiles({
    "a.hcl": `ports { grpc = 8502 }
      dns_config { allow_stale = true service_ttl { "*" = "5s" } soa { min_ttl = 60 refresh = 7 } }`,
  }, (directory) => {
    const { agent, warnings } = setup(["-data-dir=d", `-config-dir=${directory}`]);
    assertEquals(agent.dns.serviceTtl, { "*": 5 });
    assertEquals(agent.dns.soa, { refresh: 7, retry: 600, expire: 86_400, minTtl: 60 });
    assertEquals(warnings.map((line) => line.replace(/^.*: /, "")), [
      '"grpc" has no effect in this version',
      '"allow_stale" has no effect in this version',
    ]);
  }));

Deno.test("names that every object has are no keys", () =>
  withFiles({
    "a.json": `{"toString": 1}`,
    "b.json": `{"__proto__": {"server": true}}`,
    "c.json": `{"ports": {"constructor": 1}}`,
  }, (directory) => {
    for (const name of ["a", "b", "c"]) {
      const start = () => setup(["-data-dir=d", `-config-file=${directory}/${name}.json`]);
      assertThrows(start, SettingsError, "invalid config key");
    }
  }));

Deno.test("ports that nobody can listen at, figures below nothing, and domains that are no names are refused", () => {
  const faults: [string, string][] = [
    ["-http-port=70000", "ports.http must be a port from 0 to 65535, or -1 for none: current value is 70000"],
    ["-dns-port=-2", "ports.dns must be a port"],
    ["-serf-lan-port=-1", "ports.serf_lan must be a port from 0 to 65535: current value is -1"],
    ["-retry-interval=-1s", "retry_interval must be positive"],
    ["-retry-max=-1", "retry_max cannot be negative"],
    ["-domain=foo bar", 'domain is not a DNS name: "foo bar"'],
    ["-domain=", 'domain is not a DNS name: ""'],
    ["-alt-domain=a..b", "alt_domain is not a DNS name"],
  ];
  for (const [flag, text] of faults) assertThrows(() => setup(["-data-dir=d", flag]), SettingsError, text);
  assertEquals(setup(["-data-dir=d", "-domain=.Example.org.", "-alt-domain="]).agent.domains, ["example.org."]);
});

Deno.test("flags of Consul that are of no use yet are refused by name, unless they say what is so anyway", () => {
  assertThrows(() => setup(["-data-dir=d", "-log-json"]), UsageError, "not supported yet: -log-json");
  assertEquals(setup(["-data-dir=d", "-raft-protocol=3", "-log-json=false"]).warnings, []);
});

Deno.test("a server is in the pool of all datacenters unless its port is -1, a client agent never", () => {
  const wan = (...flags: string[]) => setup(["-data-dir=d", "-bind=192.0.2.1", ...flags]).agent.wan;
  const server = wan("-server");
  assertEquals([server?.port, server?.bind, server?.advertise], [8302, "192.0.2.1", "192.0.2.1"]);
  assertEquals([server?.isRequired, server?.retryMax, server?.retryIntervalMs], [false, 0, 30_000]);
  assertEquals(wan(), undefined);
  assertEquals(wan("-server", "-serf-wan-port=-1"), undefined);
  const own = wan("-server", "-serf-wan-bind=192.0.2.7", "-serf-wan-port=9302", "-retry-join-wan=192.0.2.9");
  assertEquals([own?.bind, own?.advertise, own?.port], ["192.0.2.7", "192.0.2.7", 9302]);
  assertEquals([own?.retryJoin, own?.isRequired], [["192.0.2.9"], true]);
  assertEquals(wan("-server", "-advertise-wan=203.0.113.4")?.advertise, "203.0.113.4");
  assertEquals(wan("-server", "-advertise=203.0.113.5")?.advertise, "203.0.113.5");
  const faults: [flags: string[], message: RegExp][] = [
    [["-server", "-serf-wan-port=-1", "-join-wan=192.0.2.9"], /without this port no other datacenter/],
    [["-server", "-serf-wan-port=8301"], /ports.serf_wan must differ/],
    [["-server", "-serf-wan-port=0"], /ports.serf_wan must be a port from 1/],
    [["-server", "-advertise-wan=0.0.0.0"], /Advertise address cannot be 0.0.0.0/],
    [["-retry-interval-wan=0s"], /retry_interval_wan must be positive/],
    [["-server", "-retry-join-wan=provider=mdns"], /retry_join_wan takes addresses/],
  ];
  for (const [flags, message] of faults) assertMatch(assertThrows(() => wan(...flags), SettingsError).message, message);
});

Deno.test("timings of the pool of all datacenters are those of gossip_wan", () =>
  withFiles({
    "a.hcl": `server = true gossip_wan { probe_interval = "2s" suspicion_mult = 5 } reconnect_timeout_wan = "9h"`,
  }, (directory) => {
    const { agent: { wan, gossip } } = setup(["-data-dir=d", "-bind=192.0.2.1", `-config-dir=${directory}`]);
    assertEquals(wan?.gossip, { probeIntervalMs: 2000, suspicionMult: 5 });
    assertEquals([gossip, wan?.reconnectTimeoutMs], [{}, 9 * 3_600_000]);
    const { warnings } = setup(["-data-dir=d", "-bind=192.0.2.1", "-retry-join-wan=192.0.2.9"]);
    assertMatch(warnings.join("\n"), /retry_join_wan has no effect: only servers/);
  }));
