/**
 * What should be done about a cluster: each warning says what is wrong, why that matters, and the next step. Pure.
 * @module
 */
import type { Heard, NodeFacts, PictureNode } from "./heard.ts";

/** Something that needs a person. */
export interface Warning {
  /** Names the kind of it for programs, such as `disk-nearly-full`. */
  readonly code: string;
  /** An error stops somebody's work now; a warning will. */
  readonly level: "error" | "warning";
  /** Names of the nodes concerned; none for the cluster. */
  readonly nodes: readonly string[];
  readonly title: string;
  readonly cause: string;
  readonly nextStep: string;
}

/** A warning about one node. Those that differ in nothing but the node, and in the cause, become one. */
interface NodeWarning extends Omit<Warning, "nodes" | "title"> {
  readonly node: string;
  /** The title for some nodes: their names, and whether it is one. */
  titleOf(names: string, isOne: boolean): string;
}

/** Free space below which a disk is nearly full: a part of the disk, and bytes beyond which it does not matter. */
const FREE_PART_MIN = 0.1;
const FREE_BYTES_MAX = 20 * 2 ** 30;
const CLOCK_MS_MAX = 1000;
const EXPIRY_DAYS = 21;
const DAY_MS = 86_400_000;

/** The warnings about a cluster, errors first. */
export function warningsOf(
  { heard, nodes, leaderId, nowMs }: {
    readonly heard: readonly Heard[];
    readonly nodes: readonly PictureNode[];
    readonly leaderId: string;
    readonly nowMs: number;
  },
): Warning[] {
  const heardOf = (node: PictureNode) => heard.find(({ id }) => id === node.id)?.facts;
  const differing = heard.find(({ id }) => id === leaderId)?.facts?.differing;
  const found = [
    ...clusterWarnings(nodes, leaderId),
    ...differenceWarnings(nodes, differing),
    ...merged([
      ...nodes.flatMap((node) =>
        // One that has stopped as its data differ is not to be started again as it is.
        node.health === "unreachable" && differing?.nodes.includes(node.id)
          ? []
          : [...healthWarnings(node, heardOf(node))]
      ),
      ...nodes.flatMap((node) => [...machineWarnings(node)]),
      ...nodes.flatMap((node) => [...certificateWarnings(node, heardOf(node), nowMs)]),
    ]),
  ];
  return found.sort((a, b) => Number(b.level === "error") - Number(a.level === "error"));
}

/** Makes one warning of those that say the same of several nodes. */
function merged(found: readonly NodeWarning[]): Warning[] {
  const same = Map.groupBy(found, ({ code, level, nextStep }) => JSON.stringify([code, level, nextStep]));
  return [...same.values()].map((all) => {
    const [{ code, level, nextStep, titleOf }] = all;
    const nodes = [...new Set(all.map(({ node }) => node))];
    const causes = [...Map.groupBy(all, ({ cause }) => cause)];
    const cause = causes.length === 1
      ? causes[0][0]
      : causes.map(([text, those]) => `${listed(those.map(({ node }) => node))}: ${text}`).join("; ");
    return { code, level, nodes, title: titleOf(listed(nodes), nodes.length === 1), cause, nextStep };
  });
}

/** Names in a sentence. */
function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join() : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

function* differenceWarnings(nodes: readonly PictureNode[], differing: NodeFacts["differing"]): Generator<Warning> {
  if (!differing) return;
  const names = nodes.filter(({ id }) => differing.nodes.includes(id)).map(({ name }) => name);
  yield {
    code: "replicas-differ",
    level: "error",
    nodes: names,
    title: names.length === 0
      ? "The replicas differ, and no majority agrees"
      : `The data of ${listed(names)} differ from those of the majority`,
    cause:
      `The digests after entry ${differing.index} are not the same: a file was changed or damaged, or the program has ` +
      `a fault.${names.length === 0 ? "" : " Such a node stops with exit code 3, so that nobody reads from it"}`,
    nextStep: names.length === 0
      ? "Have no client write, keep copies of all data directories, and restore the data that are right: muster docs operations"
      : "Keep its data directory for analysis; then remove the node, empty the directory and let it join again. With " +
        "-raft-rejoin-damaged a node does so by itself: muster docs operations",
  };
}

function* clusterWarnings(nodes: readonly PictureNode[], leaderId: string): Generator<Warning> {
  const voters = nodes.filter(({ isVoter }) => isVoter);
  const reached = voters.filter(({ health }) => health !== "unreachable");
  const quorum = Math.floor(voters.length / 2) + 1;
  if (leaderId === "" && voters.length > 0) {
    yield {
      code: "no-leader",
      level: "error",
      nodes: [],
      title: "No node leads: writes are refused",
      cause: reached.length < quorum
        ? `${reached.length} of ${voters.length} voters answer, and an election needs ${quorum}`
        : "an election is under way",
      nextStep: reached.length < quorum
        ? "Start the voters that do not answer. If they are lost for good: muster docs operations, recovery"
        : "Wait a few seconds; if it stays so, look at the log of a voter",
    };
  } else if (voters.length > 2 && reached.length === quorum) {
    yield {
      code: "no-spare-voter",
      level: "warning",
      nodes: [],
      title: "No further voter may fail",
      cause: `${reached.length} of ${voters.length} voters answer, just the majority that writes need`,
      nextStep: "Start the voters that do not answer, or replace them: muster docs cluster",
    };
  }
  if (voters.length > 0 && voters.length % 2 === 0) {
    yield {
      code: "even-voters",
      level: "warning",
      nodes: [],
      title: `${voters.length} voters: an even number`,
      cause: `A majority is ${quorum}, so that no more nodes may fail than with one voter less`,
      nextStep: "Add a voter, or have one be a read replica (-raft-non-voter)",
    };
  }
  const versions = [...new Set(nodes.map(({ version }) => version).filter((version) => version !== ""))];
  if (versions.length > 1) {
    yield {
      code: "mixed-versions",
      level: "warning",
      nodes: [],
      title: "The nodes run different versions",
      cause: versions.sort().join(", "),
      nextStep: "Finish the upgrade, one node after the other: muster docs operations",
    };
  }
}

function* healthWarnings(
  { name: node, health, cause }: PictureNode,
  facts: NodeFacts | undefined,
): Generator<NodeWarning> {
  if (health === "unreachable") {
    yield {
      code: "unreachable",
      level: "error",
      node,
      titleOf: (names, isOne) => `${names} ${isOne ? "does" : "do"} not answer`,
      cause,
      nextStep:
        "Start the process, and look at its log and the network. If it ended with code 3, or is gone for good: muster docs operations",
    };
  } else if (health === "unready") {
    yield {
      code: "not-ready",
      level: "error",
      node,
      titleOf: (names, isOne) => `${names} ${isOne ? "is" : "are"} not ready`,
      cause,
      nextStep: facts?.busyWith
        ? "Wait: the statement ends by itself at its limit of steps (-db-max-steps), and its client hears of it"
        : "Look at the log; muster docs troubleshooting",
    };
  } else if (health === "behind") {
    yield {
      code: "behind",
      level: "warning",
      node,
      titleOf: (names, isOne) => `${names} ${isOne ? "is" : "are"} behind`,
      cause,
      nextStep: "Wait until they have caught up; if the lag grows, a disk is too slow or a statement takes long",
    };
  }
}

function* machineWarnings({ name: node, disk, clockAheadMs }: PictureNode): Generator<NodeWarning> {
  const { freeBytes, totalBytes } = disk ?? {};
  if (freeBytes !== undefined && totalBytes && freeBytes < Math.min(totalBytes * FREE_PART_MIN, FREE_BYTES_MAX)) {
    yield {
      code: "disk-nearly-full",
      level: "warning",
      node,
      titleOf: (names, isOne) =>
        isOne ? `The disk of ${names} is nearly full` : `The disks of ${names} are nearly full`,
      cause: `${Math.floor(freeBytes / totalBytes * 100)} % are free. On a full disk a node refuses writes`,
      nextStep: "Make room on the disk or enlarge it; VACUUM returns what deleted rows took",
    };
  }
  if (Math.abs(clockAheadMs) > CLOCK_MS_MAX) {
    const seconds = Math.abs(clockAheadMs / 1000).toFixed(1);
    yield {
      code: "clock-skew",
      level: "warning",
      node,
      titleOf: (names, isOne) => isOne ? `The clock of ${names} is wrong` : `The clocks of ${names} are wrong`,
      cause: `${seconds} s ${clockAheadMs > 0 ? "ahead of" : "behind"} the clock of this node`,
      nextStep: "Have the system take the time from a server (timedatectl set-ntp true)",
    };
  }
}

function expiry(days: number): string {
  if (days < 0) return "expired";
  return days === 0 ? "expires today" : `expires in ${days} ${days === 1 ? "day" : "days"}`;
}

function* certificateWarnings(
  { name: node }: PictureNode,
  facts: NodeFacts | undefined,
  nowMs: number,
): Generator<NodeWarning> {
  for (const [use, notAfter] of Object.entries(facts?.certificates ?? {})) {
    const days = Math.floor((Date.parse(notAfter) - nowMs) / DAY_MS);
    if (!(days < EXPIRY_DAYS)) continue;
    yield {
      code: "certificate-expires",
      level: days < 0 ? "error" : "warning",
      node,
      titleOf: (names, isOne) =>
        isOne
          ? `A certificate of ${names} ${days < 0 ? "has expired" : "expires soon"}`
          : `Certificates of ${names} ${days < 0 ? "have expired" : "expire soon"}`,
      cause: `That for ${use} ${expiry(days)}: it is valid until ${notAfter}`,
      nextStep: "Put a new one in its place and send SIGHUP: muster docs tls",
    };
  }
}
