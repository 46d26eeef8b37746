/**
 * The commands `operator autopilot get-config`, `set-config` and `state` (C3.9).
 * @module
 */
import { answerIn, fieldOf, list, SERVER_FLAGS, serverQuery, text } from "../client/agent_api.ts";
import { type Call, type Command, CommandError, textFlag, told } from "../client/command.ts";

const getConfig: Command = {
  name: "operator autopilot get-config",
  summary: "show how servers are looked after",
  usage: "[flags]",
  flags: SERVER_FLAGS,
  async run({ flags, api }: Call) {
    const path = `/v1/operator/autopilot/configuration${serverQuery(flags)}`;
    const config = await told("Error querying Autopilot configuration", () => api().get(path));
    const plain = ["CleanupDeadServers", "LastContactThreshold", "MaxTrailingLogs", "MinQuorum"];
    for (const name of [...plain, "ServerStabilizationTime"]) console.log(`${name} = ${text(config, name)}`);
    console.log(`RedundancyZoneTag = ${JSON.stringify(text(config, "RedundancyZoneTag"))}`);
    console.log(`DisableUpgradeMigration = ${text(config, "DisableUpgradeMigration")}`);
    console.log(`UpgradeVersionTag = ${JSON.stringify(text(config, "UpgradeVersionTag"))}`);
    return 0;
  },
};

/** Flags of `set-config`, each with the field that it sets. */
const SETTINGS: readonly [flag: string, field: string, help: string][] = [
  [
    "cleanup-dead-servers",
    "CleanupDeadServers",
    "true or false: remove a failed server when another has taken its place",
  ],
  ["last-contact-threshold", "LastContactThreshold", "A server that was heard later is not well, such as 200ms"],
  ["max-trailing-logs", "MaxTrailingLogs", "A server that lacks more entries of the log is not well"],
  ["min-quorum", "MinQuorum", "Servers that are left at least when a failed one is removed"],
  [
    "server-stabilization-time",
    "ServerStabilizationTime",
    "Kept and shown; a server votes as soon as it has caught up",
  ],
];

const setConfig: Command = {
  name: "operator autopilot set-config",
  summary: "change how servers are looked after",
  usage: "[flags]\n\nExample:\n  muster operator autopilot set-config -cleanup-dead-servers=false",
  flags: [...SETTINGS.map(([name, , help]) => textFlag(name, help)), ...SERVER_FLAGS],
  async run({ flags, api }: Call) {
    const given = SETTINGS.filter(([name]) => flags.string(name) !== "");
    const body = Object.fromEntries(given.map(([name, field]) => [field, valueOf(flags.string(name))]));
    const path = `/v1/operator/autopilot/configuration${serverQuery(flags)}`;
    await told("Error setting Autopilot configuration", () => api().send("PUT", path, JSON.stringify(body)));
    console.log("Configuration updated!");
    return 0;
  },
};

/** As JSON has it: durations are texts. */
function valueOf(text: string): string | number | boolean {
  if (text === "true" || text === "false") return text === "true";
  return /^\d+$/.test(text) ? Number(text) : text;
}

const state: Command = {
  name: "operator autopilot state",
  summary: "show how the servers are",
  usage: "[flags]",
  flags: [textFlag("format", "pretty or json", "pretty"), ...SERVER_FLAGS],
  async run({ flags, api }: Call) {
    const format = flags.string("format");
    if (format !== "pretty" && format !== "json") throw new CommandError(`Unknown format: ${format}`);
    const path = `/v1/operator/autopilot/health${serverQuery(flags)}`;
    // 429 is the answer when a server is not well.
    const answer = await told("Error querying Autopilot state", () => api().askText("GET", path, {}, [429]));
    const shown = stateOf(answerIn(answer.text, JSON.parse));
    console.log(format === "json" ? JSON.stringify(shown, undefined, 4) : pretty(shown));
    return 0;
  },
};

/** A server, named as in Consul's JSON. */
interface Server {
  readonly ID: string;
  readonly Name: string;
  readonly Address: string;
  readonly NodeStatus: string;
  readonly Version: string;
  readonly LastContact: string;
  readonly LastTerm: number;
  readonly LastIndex: number;
  readonly Healthy: boolean;
  readonly Status: "leader" | "voter" | "non-voter";
  readonly NodeType: "voter" | "read-replica";
}

/** All servers. */
interface State {
  readonly Healthy: boolean;
  readonly FailureTolerance: number;
  readonly Leader: string;
  readonly Voters: readonly string[];
  readonly Servers: Readonly<Record<string, Server>>;
}

/** The state of Consul's newer endpoint, from what the older one says. */
function stateOf(health: unknown): State {
  const servers = list(fieldOf(health, "Servers")).map(serverOf).sort((a, b) => a.ID < b.ID ? -1 : 1);
  const [leader] = servers.filter(({ Status }) => Status === "leader");
  return {
    Healthy: fieldOf(health, "Healthy") === true,
    FailureTolerance: Number(text(health, "FailureTolerance")),
    Leader: leader?.ID ?? "",
    Voters: servers.filter(({ NodeType }) => NodeType === "voter").map(({ ID }) => ID),
    Servers: Object.fromEntries(servers.map((server) => [server.ID, server])),
  };
}

function serverOf(shown: unknown): Server {
  const isVoter = fieldOf(shown, "Voter") === true;
  return {
    ID: text(shown, "ID"),
    Name: text(shown, "Name"),
    Address: text(shown, "Address"),
    NodeStatus: text(shown, "SerfStatus"),
    Version: text(shown, "Version"),
    LastContact: text(shown, "LastContact"),
    LastTerm: Number(text(shown, "LastTerm")),
    LastIndex: Number(text(shown, "LastIndex")),
    Healthy: fieldOf(shown, "Healthy") === true,
    Status: fieldOf(shown, "Leader") === true ? "leader" : isVoter ? "voter" : "non-voter",
    NodeType: isVoter ? "voter" : "read-replica",
  };
}

function pretty({ Healthy, FailureTolerance, Leader, Voters, Servers }: State): string {
  return [
    `Healthy:                      ${Healthy}`,
    `Failure Tolerance:            ${FailureTolerance}`,
    `Leader:                       ${Leader}`,
    "Voters:",
    ...Voters.map((id) => `   ${id}`),
    "Servers:",
    ...Object.values(Servers).flatMap((one) => [
      `   ${one.ID}`,
      `      Name:            ${one.Name}`,
      `      Address:         ${one.Address}`,
      `      Version:         ${one.Version}`,
      `      Status:          ${one.Status}`,
      `      Node Type:       ${one.NodeType}`,
      `      Node Status:     ${one.NodeStatus}`,
      `      Healthy:         ${one.Healthy}`,
      `      Last Contact:    ${one.LastContact}`,
      `      Last Term:       ${one.LastTerm}`,
      `      Last Index:      ${one.LastIndex}`,
    ]),
  ].join("\n");
}

/** Commands about the care for servers. */
export const AUTOPILOT_COMMANDS: readonly Command[] = [getConfig, setConfig, state];
