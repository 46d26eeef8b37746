/**
 * Sets aside a damaged data directory if the operator allows it (`-raft-rejoin-damaged`; B4, D8). Writes that this node
 * had acknowledged may be lost, so it may not vote under its old identity again. The next start sets all files aside
 * for analysis and begins with a new storage id. The other nodes treat the node like one whose disk was lost: it is a
 * learner until it holds everything that was committed, and then votes (B2).
 *
 * It never founds a cluster in that state, and there is at most one directory set aside: a disk that does it twice is an
 * operator's case. Each step is durable before the next, and is done again by the next start where a crash came between.
 * @module
 */
import { exists, syncDirectory, writeDurably } from "../../base/worker/files.ts";

const NOTE = "damaged.json";
const PREFIX = "damaged-";
/** Files and folders that are set aside. */
const PARTS = ["raft", "sqlite", "node.json"];

/** A record of damage. */
export interface Damage {
  readonly nodeId: string;
  /** For people. */
  readonly reason: string;
  /** Folder within the data directory in which everything is kept for analysis. */
  readonly aside: string;
  /** Cluster addresses of other members. */
  readonly members: readonly string[];
}

/**
 * Notes damage for the next start.
 * @returns What the operator is told; undefined where it cannot be done: the node then stops for good.
 */
export function noteDamage(
  path: string,
  { nodeId, reason, members }: { nodeId: string; reason: string; members: readonly string[] },
): string | undefined {
  if (members.length === 0) return undefined;
  const earlier = [...Deno.readDirSync(path)].find(({ name, isDirectory }) => isDirectory && name.startsWith(PREFIX));
  if (earlier || exists(`${path}/${NOTE}`)) return undefined;
  const aside = PREFIX + new Date().toISOString().replace(/[:.]/g, "-");
  const damage: Damage = { nodeId, reason, aside, members };
  writeDurably(path, NOTE, `${JSON.stringify(damage, null, 2)}\n`);
  return `the next start sets the data aside in ${path}/${aside}, and the other nodes fill this one anew`;
}

/** Reads the record of an earlier start; undefined if there is none. */
export function readDamage(path: string): Damage | undefined {
  if (!exists(`${path}/${NOTE}`)) return undefined;
  const { nodeId, reason, aside, members } = JSON.parse(Deno.readTextFileSync(`${path}/${NOTE}`));
  const isName = typeof aside === "string" && /^damaged-[\w-]+$/.test(aside);
  if (!isName || !Array.isArray(members)) throw new Error(`${path}/${NOTE} is not as it was written: remove it`);
  return { nodeId: String(nodeId), reason: String(reason), aside, members: members.map(String) };
}

/** Moves what is damaged out of the way; `begin` then makes the new identity durable. */
export function setAside(path: string, { aside }: Damage, begin: () => void): void {
  Deno.mkdirSync(`${path}/${aside}`, { recursive: true, mode: 0o750 });
  for (const name of PARTS) {
    if (exists(`${path}/${name}`) && !exists(`${path}/${aside}/${name}`)) {
      Deno.renameSync(`${path}/${name}`, `${path}/${aside}/${name}`);
    }
  }
  syncDirectory(`${path}/${aside}`);
  syncDirectory(path);
  begin();
  Deno.removeSync(`${path}/${NOTE}`);
  syncDirectory(path);
}
