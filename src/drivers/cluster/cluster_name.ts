/**
 * The name of a cluster (`-cluster-name`): a node is taken into a cluster, or forms one with others, only under the same
 * name, so that an address or a discovery key of another cluster does no harm. A node that has no name, as one of an
 * older version, differs from one that has. Members are not asked again: the name can be given to a cluster later, node
 * by node. Pure.
 * @module
 */
import { DecodeError } from "../../base/codec/cursor.ts";
import { RemoteError } from "../transport/rpc.ts";
import { textField } from "../transport/wire.ts";

/** Longest name that is believed; the command line takes shorter ones only. */
const NAME_LENGTH_MAX = 256;

/** A node with the name of its cluster; empty for none. */
export interface Named {
  readonly id: string;
  readonly clusterName: string;
}

/** The name that a node gives in a call. @throws {DecodeError} When it cannot be one. */
export function decodeClusterName(head: Record<string, unknown>): string {
  const name = head.clusterName === undefined ? "" : textField(head, "clusterName");
  if (name.length > NAME_LENGTH_MAX) throw new DecodeError("Expected a cluster name of a believable length");
  return name;
}

/** Refuses a node that names another cluster. @throws {RemoteError} With both names. */
export function refuseOtherName(own: Named, other: Named): void {
  if (own.clusterName === other.clusterName) return;
  throw new RemoteError(`${textOf(own)}, ${textOf(other)}: the nodes of a cluster have the same name`);
}

function textOf({ id, clusterName }: Named): string {
  return `node "${id}" has ${clusterName === "" ? "no -cluster-name" : `-cluster-name "${clusterName}"`}`;
}
