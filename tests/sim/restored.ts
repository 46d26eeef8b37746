/**
 * Disks that get an older content back under the same storage id: a restored image of a virtual machine, a directory
 * copied back (B3). Says when the simulation may do that and still demand that nothing breaks.
 *
 * Such a node has broken its word, and no protocol can always notice. What it forgot, others may not know of either:
 *
 * - Its vote is known to the candidate alone. Asked by another one in the same term it votes a second time.
 * - What it acknowledged is known to the leader that counted it, and to nobody once that one is gone or cut off. Three
 *   nodes, an entry committed by the leader and the restored one: if the third asks for a vote before the leader is
 *   heard, the two elect a leader that has never heard of the entry.
 *
 * So the fault is limited to what the others make good, and then safety is demanded whether the loss is noticed or not:
 *
 * (1) One such node at a time, counted with the damaged ones, in a settled configuration of three voters or more.
 * (2) All that it forgets of the log is durable on every other voter: without it, nobody wins an election, and every
 *     commit that counted it stands without it.
 * (3) It forgets no vote, or its log ends with an entry of the term in which it voted. By (2) all others hold that entry:
 *     none of them still campaigns in that term, and none votes there for a log without it, which is what this node has
 *     should it campaign there itself.
 *
 * Noticing is demanded where it is possible (raft/recall.ts): where messages always arrive, no node takes part with a restored
 * disk while a node remembers what that lacks, if it took part when this one started and still does. It is also demanded
 * by the liveness phase. The leader of the same term does not send again what it was told is there: the node stays behind
 * for as long as that one leads, unless it stops (L5), is wiped and joins again. Where nobody remembers, a leader of a later
 * term brings the node up to date like any other, and all is well.
 * @module
 */
import type { Config, EntryId, Mark } from "../../src/core/raft/message.ts";
import { SimFailure } from "./checker.ts";
import type { Disk } from "./disk.ts";
import type { SimNode } from "./node.ts";
import type { Profile } from "./profile.ts";

/** A message that takes longer on its way may come after the time that a starting node waits for silent members. */
const DELAY_MEAN_MAX = 20_000;

/** Whether each message arrives soon, unless a process ends. */
export function isHeardByAll({ loss, partitionEvery, delayMean, stragglers, clocks }: Profile): boolean {
  return loss === 0 && partitionEvery === 0 && delayMean <= DELAY_MEAN_MAX && stragglers === 0 &&
    clocks.freezeEvery === 0;
}

/** Notes which processes take part when a node starts: what they know then, they can tell it. */
export function noteWitnesses(node: SimNode, nodes: readonly SimNode[]): void {
  node.witnesses.clear();
  for (const { id, core, incarnation } of nodes) {
    if (core !== undefined && !core.status().isUnsure) node.witnesses.set(id, incarnation);
  }
}

/**
 * A node with a restored disk takes part.
 * @throws {SimFailure} When a witness of its start remembers what the disk does not hold.
 */
export function checkAccepted(node: SimNode, nodes: readonly SimNode[]): void {
  for (const { id, core, incarnation } of nodes) {
    if (core === undefined || id === node.id || node.witnesses.get(id) !== incarnation || node.refused.has(id)) {
      continue;
    }
    for (const mark of core.status().marks) {
      if (mark.storageId !== node.disk.storageId || holdsMark(node.disk, mark)) continue;
      throw new SimFailure(`L5: ${node.id} takes part, while ${id} remembers of its disk ${JSON.stringify(mark)}`);
    }
  }
}

function holdsMark(disk: Disk, { term, vote, entry }: Mark): boolean {
  if (disk.hard.term !== term) return disk.hard.term > term;
  if (vote !== null && vote !== disk.hard.vote) return false;
  return entry.term === 0 ? entry.index <= disk.entries.length : isHeld(entry, disk);
}

/** Whether giving `node`, which does not run, the content of `image` loses nothing for good. */
export function mayRestore(
  node: SimNode,
  image: Disk,
  { nodes, committed }: { readonly nodes: readonly SimNode[]; readonly committed: number },
): boolean {
  const { disk } = node;
  if (image.storageId !== disk.storageId || !forgets(disk, image)) return false;
  const config = nodes.reduce<Config>((newest, one) => one.config.at > newest.at ? one.config : newest, node.config);
  if (config.at > committed || config.members.filter(({ role }) => role === "voter").length < 3) return false;
  if (config.members.every(({ storageId }) => storageId !== disk.storageId)) return false;
  const last = disk.entries.at(-1);
  const holdsLast = (other: SimNode | undefined) =>
    other !== undefined && (last === undefined || isHeld(last, other.disk));
  const areKept = config.members.every(({ role, storageId }) =>
    role !== "voter" || holdsLast(nodes.find((other) => other.disk.storageId === storageId))
  );
  return areKept && (isSameVote(disk, image) || last?.term === disk.hard.term);
}

/** Whether a disk holds an entry, and with it all before (I5). */
function isHeld({ index, term }: EntryId, disk: Pick<Disk, "entries">): boolean {
  return disk.entries[index - 1]?.term === term;
}

/** Whether there is anything that the image does not hold. */
function forgets(disk: Disk, image: Disk): boolean {
  const last = disk.entries.at(-1);
  return !isSameVote(disk, image) || (last !== undefined && !isHeld(last, image));
}

function isSameVote({ hard }: Pick<Disk, "hard">, image: Pick<Disk, "hard">): boolean {
  return hard.term === image.hard.term && hard.vote === image.hard.vote;
}

/** Whether a restored node holds again all that it had forgotten. */
export function isUpToDate(disk: Disk, forgotten: Pick<Disk, "hard" | "entries">): boolean {
  const last = forgotten.entries.at(-1);
  const isVotePast = disk.hard.term > forgotten.hard.term || isSameVote(disk, forgotten);
  return isVotePast && (last === undefined || isHeld(last, disk));
}
