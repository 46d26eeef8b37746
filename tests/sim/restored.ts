/**
 * Disks that get an older content back under the same storage id: a restored image of a virtual machine, a directory
 * copied back (B3 of spec/raft.md). Says when the simulation may do that and still demand that nothing breaks.
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
 * (3) It forgets no vote, or no other candidate can ask for one in that term: all others are durably in its term or
 *     above, and none of them but the one that it voted for campaigns there. It did not campaign there itself: it would
 *     again, and be elected a second time by the same votes.
 *
 * (4) What the node gets back is a beginning of what it held. A heartbeat names what was acknowledged by its index alone,
 *     so entries of a deposed leader in the same place would pass for it, and be committed (L5).
 *
 * Noticing is demanded by the liveness phase. The leader of the same term does not send again what it was told is there:
 * the node stays behind for as long as that one leads, unless it stops (L5), is wiped and joins again. A leader of a
 * later term remembers nothing and brings the node up to date like any other, and all is well.
 * @module
 */
import type { Config } from "../../src/raft/message.ts";
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
  const others: { readonly node: SimNode; readonly isVoter: boolean }[] = [];
  for (const member of config.members) {
    const other = nodes.find(({ disk }) => disk.storageId === member.storageId);
    if (other === undefined) return false;
    if (other !== node) others.push({ node: other, isVoter: member.role === "voter" });
  }
  if (others.length !== config.members.length - 1) return false;
  const last = disk.entries.at(-1);
  const isKept = others.every(({ node: { disk: { entries } }, isVoter }) =>
    !isVoter || last === undefined || entries[last.index - 1]?.term === last.term
  );
  const first = image.entries.at(-1);
  const isBeginning = first === undefined || disk.entries[first.index - 1]?.term === first.term;
  return isKept && isBeginning && (isSameVote(disk, image) || isVoteOver(node, others.map((other) => other.node)));
}

/** Whether there is anything that the image does not hold. */
function forgets(disk: Disk, image: Disk): boolean {
  const last = disk.entries.at(-1);
  return !isSameVote(disk, image) || (last !== undefined && image.entries[last.index - 1]?.term !== last.term);
}

function isSameVote({ hard }: Disk, image: Disk): boolean {
  return hard.term === image.hard.term && hard.vote === image.hard.vote;
}

function isVoteOver({ id, disk: { hard: { term, vote } } }: SimNode, others: readonly SimNode[]): boolean {
  return vote !== id && others.every((other) => {
    const status = other.core?.status();
    const isRival = status?.role === "candidate" && status.term === term && other.id !== vote;
    return other.disk.hard.term >= term && !isRival;
  });
}

/** Whether a restored node holds again all that it had forgotten. */
export function isUpToDate(disk: Disk, forgotten: Pick<Disk, "hard" | "entries">): boolean {
  const last = forgotten.entries.at(-1);
  return disk.hard.term >= forgotten.hard.term &&
    (last === undefined || disk.entries[last.index - 1]?.term === last.term);
}
