/**
 * Commands about what is replicated, and about configuration files: `catalog`, `operator raft`, `validate`, with Consul's
 * words and exit codes (C3.7, C3.9, C3.10).
 * @module
 */
import {
  type AgentApi,
  entries,
  fieldOf,
  list,
  pairs,
  SERVER_FLAGS,
  serverQuery,
  table,
  text,
} from "../client/agent_api.ts";
import { agentSetup } from "../config/agent_config.ts";
import {
  boolFlag,
  type Call,
  type Command,
  CommandError,
  pairsOf,
  textFlag,
  textsFlag,
  told,
} from "../client/command.ts";
import type { Flags } from "../config/flags.ts";
import { nodeDefaults } from "../config/serve_config.ts";
import { Settings, SettingsError } from "../config/settings.ts";

const ID_SHOWN = 8;
/** Spaces between services and their tags. */
const TAGS_GAP = 6;

const catalogNodes: Command = {
  name: "catalog nodes",
  summary: "list the nodes of the catalog",
  usage: "[flags]",
  flags: [
    boolFlag("detailed", "Show whole ids, addresses and metadata"),
    textFlag("filter", "Expression that selects nodes"),
    textFlag("near", "Node to sort by the distance from; _agent for that of the agent"),
    textsFlag("node-meta", "key=value that a node must have; repeatable"),
    textFlag("service", "Service that must run on a node"),
    ...SERVER_FLAGS,
  ],
  async run({ flags, api }: Call) {
    const service = flags.string("service");
    const path = service === "" ? "/v1/catalog/nodes" : `/v1/catalog/service/${encodeURIComponent(service)}`;
    const near = flags.string("near");
    const query = { filter: flags.string("filter"), near, "node-meta": nodeMeta(flags) };
    const found = list(await told("Error listing nodes", () => api().get(path + serverQuery(flags, query))));
    const nodes = [...new Map(found.map((one) => [text(one, "Node"), one])).values()]; // of several instances on one
    if (nodes.length === 0) {
      console.error("No nodes match the given query - try expanding your search.");
      return 0;
    }
    if (near === "") nodes.sort((a, b) => (text(a, "Node") < text(b, "Node") ? -1 : 1));
    console.log(table(nodeRows(nodes, flags.bool("detailed"))));
    return 0;
  },
};

/** Metadata that nodes must have, as the API wants it. */
function nodeMeta(flags: Flags): string[] {
  return Object.entries(pairsOf(flags, "node-meta")).map(([key, value]) => `${key}:${value}`);
}

function nodeRows(nodes: readonly unknown[], isDetailed: boolean): string[][] {
  const joined = (value: unknown) => pairs(value).map(([name, one]) => `${name}=${one}`).join(", ");
  if (!isDetailed) {
    const header = ["Node", "ID", "Address", "DC"];
    return [
      header,
      ...nodes.map((node) => [
        text(node, "Node"),
        text(node, "ID").slice(0, ID_SHOWN),
        text(node, "Address"),
        text(node, "Datacenter"),
      ]),
    ];
  }
  return [
    ["Node", "ID", "Address", "DC", "TaggedAddresses", "Meta"],
    ...nodes.map((node) => [
      ...["Node", "ID", "Address", "Datacenter"].map((name) => text(node, name)),
      joined(fieldOf(node, "TaggedAddresses")),
      joined(fieldOf(node, "Meta") ?? fieldOf(node, "NodeMeta")),
    ]),
  ];
}

const catalogServices: Command = {
  name: "catalog services",
  summary: "list the names of the services of the catalog",
  usage: "[flags]",
  flags: [
    textFlag("node", "Name of the node whose services to list"),
    textsFlag("node-meta", "key=value that the node of a service must have; repeatable"),
    boolFlag("tags", "Show the tags of each"),
    ...SERVER_FLAGS,
  ],
  async run({ flags, api }: Call) {
    const services = await told("Error listing services", () => tagsByService(flags, api()));
    const names = [...services.keys()].sort();
    if (names.length === 0) console.error("No services match the given query - try expanding your search.");
    else if (!flags.bool("tags")) console.log(names.join("\n"));
    else console.log(table(names.map((name) => [name, [...services.get(name) ?? []].sort().join(",")]), TAGS_GAP));
    return 0;
  },
};

async function tagsByService(flags: Flags, api: AgentApi): Promise<Map<string, Set<string>>> {
  const node = flags.string("node");
  const query = serverQuery(flags, { "node-meta": nodeMeta(flags) });
  const path = node === "" ? "/v1/catalog/services" : `/v1/catalog/node/${encodeURIComponent(node)}`;
  const found = await api.get(path + query);
  const all: readonly [name: string, tags: unknown][] = node === ""
    ? entries(found)
    : entries(fieldOf(found, "Services")).map(([, one]) => [text(one, "Service"), fieldOf(one, "Tags")]);
  const services = new Map<string, Set<string>>();
  for (const [name, tags] of all) {
    services.set(name, new Set([...services.get(name) ?? [], ...list(tags).map(String)]));
  }
  return services;
}

const catalogDatacenters: Command = {
  name: "catalog datacenters",
  summary: "list the datacenters",
  usage: "[flags]",
  flags: [],
  async run({ api }: Call) {
    const names = list(await told("Error listing datacenters", () => api().get("/v1/catalog/datacenters")));
    console.log(names.join("\n"));
    return 0;
  },
};

const listPeers: Command = {
  name: "operator raft list-peers",
  summary: "list the servers of the Raft cluster",
  usage: "[flags]",
  flags: SERVER_FLAGS,
  async run({ flags, api }: Call) {
    const path = `/v1/operator/raft/configuration${serverQuery(flags)}`;
    const found = await told("Error getting peers: Failed to retrieve raft configuration", () => api().get(path));
    const servers = list(fieldOf(found, "Servers"));
    const leaderIndex = Number(text(servers.find((one) => fieldOf(one, "Leader") === true), "LastIndex"));
    const header = ["Node", "ID", "Address", "State", "Voter", "RaftProtocol", "Commit Index", "Trails Leader By"];
    console.log(table([header, ...servers.map((server) => peerRow(server, leaderIndex))]));
    return 0;
  },
};

function peerRow(server: unknown, leaderIndex: number): string[] {
  const isLeader = fieldOf(server, "Leader") === true;
  const index = Number(text(server, "LastIndex"));
  const behind = Math.max(0, leaderIndex - index);
  return [
    text(server, "Node"),
    text(server, "ID"),
    text(server, "Address"),
    isLeader ? "leader" : "follower",
    text(server, "Voter"),
    text(server, "ProtocolVersion"),
    index > 0 ? String(index) : "_",
    isLeader || index === 0 ? "_" : `${behind} Commit${behind === 1 ? "" : "s"}`,
  ];
}

const removePeer: Command = {
  name: "operator raft remove-peer",
  summary: "take a server out of the Raft cluster",
  usage: "[flags] -address=IP:PORT | -id=ID",
  flags: [textFlag("address", "Cluster address of the server"), textFlag("id", "Its id"), ...SERVER_FLAGS],
  async run({ flags, api }: Call) {
    const id = flags.string("id");
    const address = flags.string("address");
    if (id === "" && address === "") {
      throw new CommandError("Error removing peer: an address or id is required for the peer to remove");
    }
    if (id !== "" && address !== "") throw new CommandError("Error removing peer: cannot give both an address and id");
    const path = `/v1/operator/raft/peer${serverQuery(flags, { id, address })}`;
    await told("Error removing peer", () => api().send("DELETE", path));
    console.log(id === "" ? `Removed peer with address "${address}"` : `Removed peer with id "${id}"`);
    return 0;
  },
};

const transferLeader: Command = {
  name: "operator raft transfer-leader",
  summary: "hand leadership over to another server",
  usage: "[flags] [-id=ID]",
  flags: [textFlag("id", "Id of the server that is to lead; the one that is furthest if not set"), ...SERVER_FLAGS],
  async run({ flags, api }: Call) {
    const path = `/v1/operator/raft/transfer-leader${serverQuery(flags, { id: flags.string("id") })}`;
    await told("Error transferring leadership", () => api().send("POST", path));
    console.log("Success");
    return 0;
  },
};

const validate: Command = {
  name: "validate",
  summary: "check configuration files of an agent",
  usage: "[flags] FILE_OR_DIRECTORY...",
  flags: [boolFlag("quiet", "Say nothing where all is well")],
  isLocal: true,
  run({ flags, args }: Call) {
    if (args.length === 0) throw new CommandError("Must specify at least one config file or directory");
    try {
      const settings = new Settings();
      for (const path of args) settings.addPath(path);
      // The directory and the bind address, which flags would add, are not known here.
      const machine = { hostname: "validate", interfaces: [{ name: "x", family: "IPv4", address: "10.0.0.1" }] };
      agentSetup(settings, { isDev: false, standard: nodeDefaults(), machine, devDirectory: "", validateOnly: true });
      for (const warning of settings.warnings) console.error(warning);
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      throw new CommandError(`Config validation failed: ${error.message}`);
    }
    if (!flags.bool("quiet")) console.log("Configuration is valid!");
    return 0;
  },
};

/** Commands about the cluster. */
export const CLUSTER_COMMANDS: readonly Command[] = [
  catalogDatacenters,
  catalogNodes,
  catalogServices,
  listPeers,
  removePeer,
  transferLeader,
  validate,
];
