/**
 * A cluster on one screen, from what one of its nodes says: who leads, how far the others are, versions, disk.
 * @module
 */
import { type AgentApi, entries, fieldOf, text, unlikeAgents } from "../client/agent_api.ts";
import { render } from "./modes.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** The text of the screen, without a line break at its end. @throws {import("../client/agent_api.ts").ApiError} */
export async function describeCluster(api: AgentApi): Promise<string> {
  const [status, nodes, ready] = await Promise.all([
    api.get("/status"),
    api.get("/nodes?nonvoters"),
    api.askText("GET", "/readyz", {}, [503]),
  ]);
  const store = fieldOf(status, "store");
  if (store === undefined) throw unlikeAgents("expected the state of a node");
  const raft = fieldOf(store, "raft");
  const all = entries(nodes).map(([, node]) => node);
  const leader = all.find((node) => fieldOf(node, "leader") === true);
  const voters = all.filter((node) => fieldOf(node, "voter") === true);
  const reached = voters.filter((node) => fieldOf(node, "reachable") === true);
  const lines: [string, string][] = [
    ["Node", `${text(store, "node_id")}, ${ready.status === 200 ? "ready" : unreadyOf(ready.text)}`],
    [
      "Leader",
      leader === undefined ? "none: writes are refused" : `${text(leader, "id")} at ${text(leader, "api_addr")}`,
    ],
    ["Voters", `${reached.length} of ${voters.length} reachable, ${spare(reached.length, voters.length)}`],
    ["Term", text(raft, "term")],
    ["Log", `committed ${text(raft, "commit_index")}, applied here ${text(raft, "applied_index")}`],
    ["Database", `${sizeOf(text(fieldOf(store, "sqlite3"), "db_size"))} on disk`],
    ["Version", text(fieldOf(status, "build"), "version")],
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  const table = render("box", {
    columns: ["node", "role", "reachable", "round trip", "api", "cluster address", "version"],
    rows: all.map((node) => [
      text(node, "id"),
      fieldOf(node, "leader") === true ? "leader" : fieldOf(node, "voter") === true ? "voter" : "read replica",
      fieldOf(node, "reachable") === true ? "yes" : `no${text(node, "error") === "" ? "" : `: ${text(node, "error")}`}`,
      text(node, "time_s"),
      text(node, "api_addr"),
      text(node, "addr"),
      text(node, "version"),
    ]),
  });
  return `${lines.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join("\n")}\n${table}`;
}

/** How many more nodes may fail. */
function spare(reached: number, voters: number): string {
  const more = reached - (Math.floor(voters / 2) + 1);
  if (more < 0) return "no majority: writes are refused";
  return more === 0 ? "none more may fail" : `${more} more may fail`;
}

/** Why a node is not ready: the last line of what it says, behind those of what is well. */
function unreadyOf(text: string): string {
  const last = text.trimEnd().split("\n").at(-1) ?? "";
  return `not ready: ${last.replace(/^\[[+-]\]/, "")}`;
}

function sizeOf(bytes: string): string {
  const value = Number(bytes);
  if (!Number.isFinite(value)) return "unknown size";
  if (value < MIB) return `${Math.ceil(value / 1024)} KiB`;
  return value < GIB ? `${(value / MIB).toFixed(1)} MiB` : `${(value / GIB).toFixed(2)} GiB`;
}
