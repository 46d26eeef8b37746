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
 * Noticing is demanded by the liveness phase. The leader of the same term does not send again what it was told is there:
 * the node stays behind for as long as that one leads, unless it stops (L5), is wiped and joins again. A leader of a
 * later term remembers nothing and brings the node up to date like any other, and all is well.
 * @module
 */
import type { Config, EntryId } from "../../src/core/raft/message.ts";
import type { Disk } from "./disk.ts";
import type { SimNode } from "./node.ts";

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

function isSameVote({ hard }: Disk, image: Disk): boolean {
  return hard.term === image.hard.term && hard.vote === image.hard.vote;
}

/** Whether a restored node holds again all that it had forgotten. */
export function isUpToDate(disk: Disk, forgotten: Pick<Disk, "hard" | "entries">): boolean {
  const last = forgotten.entries.at(-1);
  return disk.hard.term >= forgotten.hard.term && (last === undefined || isHeld(last, disk));
}
