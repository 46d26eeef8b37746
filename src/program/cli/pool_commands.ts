/**
 * Commands about the gossip pool: `join`, `members`, `leave`, `force-leave`, `info`, `event`, `keygen`, `keyring`,
 * `monitor`, `reload`, `rtt`, with Consul's words and exit codes (C3.2 to C3.5, C3.10).
 * @module
 */
import { distance, type NetworkCoordinate } from "../../core/serf/coordinate.ts";
import { Pattern } from "../../base/codec/pattern.ts";
import { AgentApi, ApiError, fieldOf, list, pairs, table, text } from "../client/agent_api.ts";
import { boolFlag, type Call, type Command, CommandError, helpOf, textFlag, told } from "../client/command.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** Words for the numbers of a member's state. */
const STATUS = ["none", "alive", "leaving", "left", "failed"];
const KEY_BYTES = 32;

const join: Command = {
  name: "join",
  summary: "join the agent to a pool through one of its members",
  usage: "[flags] ADDRESS...\n\nExample:\n  muster join 172.20.20.11",
  flags: [boolFlag("wan", "Join servers of another datacenter, in the pool of the servers of all")],
  async run({ flags, args, api }: Call) {
    if (args.length === 0) throw new CommandError("At least one address to join must be specified.");
    let joined = 0;
    for (const address of args) {
      try {
        await api().send("PUT", `/v1/agent/join/${encodeURIComponent(address)}${flags.bool("wan") ? "?wan=1" : ""}`);
        joined++;
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        console.error(`Error joining address '${address}': ${error.message}`);
      }
    }
    if (joined === 0) throw new CommandError("Failed to join any nodes.");
    console.log(`Successfully joined cluster by contacting ${joined} nodes.`);
    return 0;
  },
};

const members: Command = {
  name: "members",
  summary: "list the members of the pool, as the agent has heard of them",
  usage: "[flags]\n\nExamples:\n  muster members\n  muster members -status=failed",
  flags: [
    boolFlag("detailed", "Show the tags of each member"),
    textFlag("status", "Pattern that a member's status must match", ".*"),
    textFlag("filter", "Expression that selects members, such as 'Tags.role == consul'"),
    boolFlag("wan", "The pool of servers of all datacenters"),
  ],
  async run({ flags, api }: Call) {
    let pattern: Pattern;
    try {
      pattern = new Pattern(flags.string("status"));
    } catch (error) {
      throw new CommandError(`Failed to compile status regexp: ${messageOf(error)}`);
    }
    const query = new URLSearchParams(flags.bool("wan") ? { wan: "1" } : {});
    if (flags.string("filter") !== "") query.set("filter", flags.string("filter"));
    const path = `/v1/agent/members?${query}`;
    const all = list(await told("Error retrieving members", () => api().get(path)));
    const shown = all.filter((member) => pattern.matches(statusOf(member))).sort(byRoleAndName);
    if (shown.length === 0) return 2;
    console.log(table(flags.bool("detailed") ? detailed(shown) : standard(shown)));
    return 0;
  },
};

function statusOf(member: unknown): string {
  return STATUS[Number(text(member, "Status"))] ?? "unknown";
}

function tag(member: unknown, name: string): string {
  return text(fieldOf(member, "Tags"), name);
}

function byRoleAndName(a: unknown, b: unknown): number {
  const key = (member: unknown) => `${tag(member, "role") === "consul" ? 0 : 1} ${text(member, "Name")}`;
  return key(a) < key(b) ? -1 : 1;
}

function addressOf(member: unknown): string {
  const addr = text(member, "Addr");
  return `${addr.includes(":") ? `[${addr}]` : addr}:${text(member, "Port")}`;
}

function standard(shown: readonly unknown[]): string[][] {
  const types: Readonly<Record<string, string>> = { consul: "server", node: "client" };
  const header = ["Node", "Address", "Status", "Type", "Build", "Protocol", "DC", "Partition", "Segment"];
  return [
    header,
    ...shown.map((member) => {
      const type = types[tag(member, "role")] ?? "unknown";
      const build = tag(member, "build").split(":")[0] || "< 0.3";
      const segment = tag(member, "segment") || (type === "server" ? "<all>" : "<default>");
      return [
        text(member, "Name"),
        addressOf(member),
        statusOf(member),
        type,
        build,
        tag(member, "vsn") || text(member, "ProtocolCur"),
        tag(member, "dc"),
        "default",
        segment,
      ];
    }),
  ];
}

function detailed(shown: readonly unknown[]): string[][] {
  return [
    ["Node", "Address", "Status", "Tags"],
    ...shown.map((member) => [
      text(member, "Name"),
      addressOf(member),
      statusOf(member),
      pairs(fieldOf(member, "Tags")).map(([name, value]) => `${name}=${value}`).join(","),
    ]),
  ];
}

const leave: Command = {
  name: "leave",
  summary: "have the agent leave the pool gracefully, and end",
  usage: "[flags]",
  flags: [],
  async run({ args, api }: Call) {
    if (args.length > 0) throw new CommandError(`Error found unexpected args: [${args.join(" ")}]`);
    await told("Error leaving", () => api().send("PUT", "/v1/agent/leave"));
    console.log("Graceful leave complete");
    return 0;
  },
};

const forceLeave: Command = {
  name: "force-leave",
  summary: "declare a failed member left",
  usage: "[flags] NAME",
  flags: [
    boolFlag("prune", "Forget the member altogether"),
    boolFlag("wan", "In the pool of servers of all datacenters"),
  ],
  async run({ flags, args, api }: Call) {
    if (args.length !== 1) throw new CommandError("A single node name must be specified to force leave.");
    const query = ["prune", "wan"].filter((one) => flags.bool(one)).map((one) => `${one}=1`).join("&");
    const path = `/v1/agent/force-leave/${encodeURIComponent(args[0])}${query === "" ? "" : `?${query}`}`;
    await told("Error force leaving", () => api().send("PUT", path));
    return 0;
  },
};

const info: Command = {
  name: "info",
  summary: "show the agent's figures",
  usage: "[flags]",
  flags: [],
  async run({ api }: Call) {
    const self = await told("Error querying agent", () => api().get("/v1/agent/self"));
    const stats = fieldOf(self, "Stats");
    for (const [section] of pairs(stats)) {
      console.log(`${section}:`);
      for (const [name, value] of pairs(fieldOf(stats, section))) console.log(`\t${name} = ${value}`);
    }
    return 0;
  },
};

const event: Command = {
  name: "event",
  summary: "fire a user event in the pool",
  usage: "[flags] -name=NAME [PAYLOAD]",
  flags: [
    textFlag("name", "Name of the event"),
    textFlag("node", "Pattern of the nodes that take it"),
    textFlag("service", "Pattern of the services whose nodes take it"),
    textFlag("tag", "Pattern of those services' tags"),
    textFlag("datacenter", "Datacenter in whose pool it is fired; that of the agent if not set"),
  ],
  async run({ flags, args, api }: Call) {
    const name = flags.string("name");
    if (name === "") throw new CommandError("Event name must be specified");
    if (flags.string("tag") !== "" && flags.string("service") === "") {
      throw new CommandError("Cannot provide tag filter without service filter.");
    }
    if (args.length > 1) throw new CommandError("Too many command line arguments; expected at most one payload");
    const names = { node: "node", service: "service", tag: "tag", datacenter: "dc" };
    const query = Object.entries(names).filter(([flag]) => flags.string(flag) !== "")
      .map(([flag, name]) => `${name}=${encodeURIComponent(flags.string(flag))}`).join("&");
    const path = `/v1/event/fire/${encodeURIComponent(name)}${query === "" ? "" : `?${query}`}`;
    const fired = await told("Error firing event", () => api().json("PUT", path, args[0]));
    console.log(`Event ID: ${text(fired, "ID")}`);
    return 0;
  },
};

const keygen: Command = {
  name: "keygen",
  summary: "make a key for the gossip (-encrypt)",
  usage: "",
  flags: [],
  isLocal: true,
  run() {
    console.log(crypto.getRandomValues(new Uint8Array(KEY_BYTES)).toBase64());
    return 0;
  },
};

const keyring: Command = {
  name: "keyring",
  summary: "list and change the keys of the gossip on all members",
  usage: "[flags] -list | -list-primary | -install=KEY | -use=KEY | -remove=KEY",
  flags: [
    boolFlag("list", "List the keys and how many members have each"),
    boolFlag("list-primary", "The same for the keys that are used to send"),
    textFlag("install", "Give all members another key"),
    textFlag("use", "Have all members send with a key that they have"),
    textFlag("remove", "Take a key away; not the one in use"),
    {
      name: "relay-factor",
      kind: "int",
      value: "0",
      help: "Members through which answers come again, 0 to 5",
      supported: true,
    },
    boolFlag("local-only", "This datacenter alone, without the pool of all datacenters"),
  ],
  async run({ flags, api }: Call) {
    const actions = ["install", "use", "remove"].filter((one) => flags.string(one) !== "");
    const asks = ["list", "list-primary"].filter((one) => flags.bool(one));
    if (actions.length + asks.length > 1) throw new CommandError("Only a single action is allowed");
    if (actions.length + asks.length === 0) throw new CommandError(`Missing action: see "muster keyring -help"`);
    const relay = flags.int("relay-factor");
    if (relay < 0 || relay > 5) throw new CommandError("Error parsing relay factor: expected 0 to 5");
    const query = [
      ...(relay > 0 ? [`relay-factor=${relay}`] : []),
      ...(flags.bool("local-only") ? ["local-only"] : []),
    ];
    const path = `/v1/operator/keyring${query.length > 0 ? `?${query.join("&")}` : ""}`;
    const [action] = actions;
    return action === undefined
      ? await listKeys(api(), path, asks[0])
      : await changeKeys(api(), { path, action, flags });
  },
};

async function listKeys(api: AgentApi, path: string, ask: string): Promise<number> {
  console.log("==> Gathering installed encryption keys...");
  for (const pool of list(await told("error", () => api.get(path)))) {
    const name = fieldOf(pool, "WAN") === true ? "WAN" : `${text(pool, "Datacenter")} (LAN)`;
    console.log(`\n${name}:`);
    const keys = pairs(fieldOf(pool, ask === "list" ? "Keys" : "PrimaryKeys"));
    for (const [key, count] of keys) console.log(`  ${key} [${count}/${text(pool, "NumNodes")}]`);
  }
  return 0;
}

async function changeKeys(
  api: AgentApi,
  { path, action, flags }: { path: string; action: string; flags: Call["flags"] },
): Promise<number> {
  const ways: Readonly<Record<string, [method: string, words: string]>> = {
    install: ["POST", "==> Installing new gossip encryption key..."],
    use: ["PUT", "==> Changing primary gossip encryption key..."],
    remove: ["DELETE", "==> Removing gossip encryption key..."],
  };
  const [method, words] = ways[action];
  console.log(words);
  await told("error", () => api.send(method, path, JSON.stringify({ Key: flags.string(action) })));
  return 0;
}

const monitor: Command = {
  name: "monitor",
  summary: "show the agent's log as it comes, until Ctrl-C",
  usage: "[flags]",
  flags: [
    textFlag("log-level", "Least level: trace, debug, info, warn, error", "INFO"),
    boolFlag("log-json", "One JSON object for each line"),
  ],
  async run({ flags, api }: Call) {
    const stop = new AbortController();
    Deno.addSignalListener("SIGINT", () => stop.abort());
    const level = encodeURIComponent(flags.string("log-level"));
    const path = `/v1/agent/monitor?loglevel=${level}${flags.bool("log-json") ? "&logjson" : ""}`;
    try {
      for await (const part of api().follow(path, stop.signal)) {
        await Deno.stdout.write(new TextEncoder().encode(part));
      }
    } catch (error) {
      if (stop.signal.aborted) return 0;
      if (error instanceof Deno.errors.BrokenPipe) return 0; // whoever read this has heard enough
      if (error instanceof ApiError) throw new CommandError(`Error starting monitor: ${error.message}`);
      if (!(error instanceof TypeError)) throw error; // the connection broke
    }
    if (stop.signal.aborted) return 0;
    throw new CommandError(
      "Remote side ended the monitor! This usually means that the\nremote side has exited or crashed.",
    );
  },
};

const reload: Command = {
  name: "reload",
  summary: "have the agent read its configuration files again",
  usage: "[flags]",
  flags: [],
  async run({ api }: Call) {
    await told("Error reloading", () => api().send("PUT", "/v1/agent/reload"));
    console.log("Configuration reload triggered");
    return 0;
  },
};

const rtt: Command = {
  name: "rtt",
  summary: "estimate the round-trip time between two nodes",
  usage:
    "[flags] NODE1 [NODE2]\n\nNames as `members` shows them, with -wan as `members -wan` does; NODE2 is that of the agent " +
    "if it is left out.",
  flags: [boolFlag("wan", "Between servers of several datacenters")],
  async run({ flags, args, api }: Call) {
    if (args.length < 1 || args.length > 2) {
      throw new CommandError(`One or two node names must be specified\n\n${helpOf(rtt)}`);
    }
    const isWan = flags.bool("wan");
    const [first, second = await ownName(api, isWan)] = args;
    const path = `/v1/coordinate/${isWan ? "datacenters" : "nodes"}`;
    const found = list(await told("Error getting coordinates", () => api().get(path)));
    const nodes = isWan ? found.flatMap((one) => list(fieldOf(one, "Coordinates"))) : found;
    const [from, to] = [first, second].map((name) => coordinateOf(name, nodes));
    const ms = (distance(from, to) * 1000).toFixed(3);
    console.log(`Estimated ${first} <-> ${second} rtt: ${ms} ms (using ${isWan ? "WAN" : "LAN"} coordinates)`);
    return 0;
  },
};

async function ownName(api: Call["api"], isWan: boolean): Promise<string> {
  const self = await told("Unable to look up agent info", () => api().get("/v1/agent/self"));
  const config = fieldOf(self, "Config");
  return isWan ? `${text(config, "NodeName")}.${text(config, "Datacenter")}` : text(config, "NodeName");
}

/** @throws {CommandError} When the agent has heard of none. */
function coordinateOf(name: string, nodes: readonly unknown[]): NetworkCoordinate {
  const node = nodes.find((one) => text(one, "Node").toLowerCase() === name.toLowerCase());
  const shown = fieldOf(node, "Coord");
  const vec = list(fieldOf(shown, "Vec")).map(Number);
  const [error, adjustment, height] = ["Error", "Adjustment", "Height"].map((one) => Number(text(shown, one)));
  if (vec.length === 0) throw new CommandError(`Could not find a coordinate for node ${JSON.stringify(name)}`);
  return { vec, error, adjustment, height };
}

const exec: Command = {
  name: "exec",
  summary: "run a command on many nodes: not supported",
  usage: "",
  flags: [],
  isLocal: true,
  run() {
    throw new CommandError(
      "exec is not supported: no agent of muster runs commands for others (in Consul: disable_remote_exec = true, its default).\n" +
        "Have the nodes follow an event instead: `muster watch -type=event -name=NAME CHILD` on each of them, and then\n" +
        "`muster event -name=NAME`.",
    );
  },
};

/** Commands about the pool. */
export const POOL_COMMANDS: readonly Command[] = [
  event,
  exec,
  forceLeave,
  info,
  join,
  keygen,
  keyring,
  leave,
  members,
  monitor,
  reload,
  rtt,
];
