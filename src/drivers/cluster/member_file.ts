/**
 * The members of the cluster as this node last knew them, in `raft/members.json`, in the form of `peers.json` (recovery.ts):
 * an operator who needs that file finds it written, and a node whose log is damaged knows whom to ask. It is a hint,
 * written when the configuration changes and not synced; nothing that has to be right is read from it.
 * @module
 */
import type { Config } from "../../core/raft/message.ts";
import { joinPath } from "../log/path.ts";
import { parsePeers, type Peer } from "./recovery.ts";
import { messageOf } from "../../base/codec/error_text.ts";

const NAME = "members.json";

/** Keeps the file. */
export class MemberFile {
  readonly #directory: string;
  readonly #log: (line: string) => void;
  #written: Promise<void> = Promise.resolve();

  /** @param directory That of the log. */
  constructor(directory: string, log: (line: string) => void) {
    this.#directory = directory;
    this.#log = log;
  }

  /** Writes the members of a configuration, after those given before. */
  write({ members }: Config): void {
    const peers = members.map(({ id, addr, role }) => ({ id, address: addr, non_voter: role !== "voter" }));
    const path = joinPath(this.#directory, NAME);
    this.#written = this.#written.then(async () => {
      await Deno.writeTextFile(`${path}.tmp`, `${JSON.stringify(peers, null, 2)}\n`);
      await Deno.rename(`${path}.tmp`, path);
    }).catch((error) => this.#log(`could not write ${path}: ${messageOf(error)}`));
  }

  /** Resolves when all is written. */
  async flush(): Promise<void> {
    await this.#written;
  }
}

/**
 * Addresses through which a node can return to its cluster: those of the other members as last written, and those of
 * `join`. Empty for a node that was removed from the cluster.
 */
export function waysBack(directory: string, id: string, join: readonly string[]): readonly string[] {
  let peers: Peer[];
  try {
    peers = parsePeers(Deno.readTextFileSync(joinPath(directory, NAME)));
  } catch {
    return join; // never written, or damaged itself
  }
  if (!peers.some((peer) => peer.id === id)) return [];
  return [...new Set([...peers.filter((peer) => peer.id !== id).map(({ address }) => address), ...join])];
}
