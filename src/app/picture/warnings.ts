/**
 * What should be done about a cluster: each warning says what is wrong, why that matters, and the next step. Pure.
 * @module
 */
import type { Heard, PictureNode } from "./heard.ts";

/** Something that needs a person. */
export interface Warning {
  /** Names the kind of it for programs, such as `disk-nearly-full`. */
  readonly code: string;
  /** An error stops somebody's work now; a warning will. */
  readonly level: "error" | "warning";
  /** Name of the node concerned; empty for the cluster. */
  readonly node: string;
  readonly title: string;
  readonly cause: string;
  readonly nextStep: string;
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
  const found = [
    ...clusterWarnings(nodes, leaderId),
    ...nodes.flatMap((node) => [...nodeWarnings(node)]),
    ...nodes.flatMap((node) => [...certificateWarnings(node, heard.find(({ id }) => id === node.id), nowMs)]),
  ];
  return found.sort((a, b) => Number(b.level === "error") - Number(a.level === "error"));
}

function* clusterWarnings(nodes: readonly PictureNode[], leaderId: string): Generator<Warning> {
  const voters = nodes.filter(({ isVoter }) => isVoter);
  const reached = voters.filter(({ health }) => health !== "unreachable");
  const quorum = Math.floor(voters.length / 2) + 1;
  if (leaderId === "" && voters.length > 0) {
    yield {
      code: "no-leader",
      level: "error",
      node: "",
      title: "No node leads: writes wait",
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
      node: "",
      title: "No further voter may fail",
      cause: `${reached.length} of ${voters.length} voters answer, just the majority that writes need`,
      nextStep: "Start the voters that do not answer, or replace them: muster docs cluster",
    };
  }
  if (voters.length > 0 && voters.length % 2 === 0) {
    yield {
      code: "even-voters",
      level: "warning",
      node: "",
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
      node: "",
      title: "The nodes run different versions",
      cause: versions.sort().join(", "),
      nextStep: "Finish the upgrade, one node after the other: muster docs operations",
    };
  }
}

function* nodeWarnings(node: PictureNode): Generator<Warning> {
  const { name, health, cause, disk, clockAheadMs } = node;
  if (health === "unreachable") {
    yield {
      code: "unreachable",
      level: "error",
      node: name,
      title: `${name} does not answer`,
      cause,
      nextStep:
        "Start its process, and look at its log and the network. If it ended with code 3, or is gone for good: muster docs operations",
    };
  } else if (health === "unready") {
    yield {
      code: "not-ready",
      level: "error",
      node: name,
      title: `${name} is not ready`,
      cause,
      nextStep: cause.includes("busy with entry")
        ? "Wait: the statement ends by itself at its limit of steps (-db-max-steps), and its client hears of it"
        : "Look at its log; muster docs troubleshooting",
    };
  } else if (health === "behind") {
    yield {
      code: "behind",
      level: "warning",
      node: name,
      title: `${name} is behind`,
      cause,
      nextStep: "Wait until it has caught up; if the lag grows, its disk is too slow or a statement takes long",
    };
  }
  const { freeBytes, totalBytes } = disk ?? {};
  if (freeBytes !== undefined && totalBytes && freeBytes < Math.min(totalBytes * FREE_PART_MIN, FREE_BYTES_MAX)) {
    yield {
      code: "disk-nearly-full",
      level: "warning",
      node: name,
      title: `The disk of ${name} is nearly full`,
      cause: `${Math.floor(freeBytes / totalBytes * 100)} % of it are free. On a full disk the node refuses writes`,
      nextStep: "Make room on the disk or enlarge it; VACUUM returns what deleted rows took",
    };
  }
  if (Math.abs(clockAheadMs) > CLOCK_MS_MAX) {
    yield {
      code: "clock-skew",
      level: "warning",
      node: name,
      title: `The clock of ${name} is wrong`,
      cause: `It is ${Math.abs(clockAheadMs / 1000).toFixed(1)} s ${
        clockAheadMs > 0 ? "ahead of" : "behind"
      } this node's`,
      nextStep: "Have its system take the time from a server (timedatectl set-ntp true)",
    };
  }
}

function* certificateWarnings(
  { name }: PictureNode,
  heard: Heard | undefined,
  nowMs: number,
): Generator<Warning> {
  for (const [use, notAfter] of Object.entries(heard?.facts?.certificates ?? {})) {
    const days = Math.floor((Date.parse(notAfter) - nowMs) / DAY_MS);
    if (!(days < EXPIRY_DAYS)) continue;
    yield {
      code: "certificate-expires",
      level: days < 0 ? "error" : "warning",
      node: name,
      title: `A certificate of ${name} ${days < 0 ? "has expired" : `expires in ${days} days`}`,
      cause: `That for ${use}, valid until ${notAfter}`,
      nextStep: "Put a new one in its place and send SIGHUP: muster docs tls",
    };
  }
}
