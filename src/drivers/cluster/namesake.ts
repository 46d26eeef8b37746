/**
 * Protects node ids: an id belongs to the node that holds it for as long as that node lives. A new node that claims the
 * id, or a copy of the holder's data directory, is refused. A dead or silent holder can be replaced. A node that comes
 * back at its old address, or elsewhere with its own data, is the holder itself.
 * @module
 */
import type { Member, NodeId } from "../../core/raft/message.ts";
import type { Probed } from "./probed.ts";
import { RemoteError } from "../transport/rpc.ts";

/** A node that asks to be taken for the member `known`. */
export interface Claim {
  /** As the configuration has it. */
  readonly known: Member;
  /** Disk of the node that asks. */
  readonly storageId: string;
  /** The answer from the address that it gives. */
  readonly found: Probed;
}

/** Surroundings. */
export interface NamesakeParts {
  /** A member's address, if known: it may have moved since the configuration was written. */
  addrOf(id: NodeId): string | undefined;
  /** Asks what is at these addresses. */
  probe(addrs: readonly string[]): Promise<readonly Probed[]>;
  /** Whether a member was heard within the election timeout. */
  isHeard(id: NodeId): boolean;
}

/**
 * Checks that nobody else lives under the id that a node claims.
 * @throws {RemoteError} With what the operator can do.
 */
export async function refuseNamesake({ known, storageId, found }: Claim, parts: NamesakeParts): Promise<void> {
  // Whoever was at this address is gone, as the node that asks is there now.
  const addrs = [known.addr, parts.addrOf(known.id) ?? known.addr].filter((addr) => addr !== found.addr);
  for (const there of await parts.probe([...new Set(addrs)])) {
    // One process may be reached at two addresses: at the one that it was told to give from now on, too.
    const isSelf = there.process !== undefined && there.process === found.process;
    const isKnown = there.id === known.id && (there.storageId ?? known.storageId) === known.storageId;
    const isSilentOnly = there.state === "silent" && parts.isHeard(known.id);
    if (isSelf || !isKnown && !isSilentOnly) continue;
    const text = `node id "${known.id}" is taken: the node that has it is alive at ${there.addr}`;
    throw new RemoteError(
      storageId === known.storageId
        ? `${text}, and the one at ${found.addr} runs on a copy of its data directory; stop one of them, and give a new ` +
          "node an empty directory and another -node-id"
        : `${text}; give the node at ${found.addr} another -node-id or, if it is to replace that one, stop that one first`,
    );
  }
}
