/**
 * Converts the core's records to the types of `api.ts`: copies that can be sent to other Workers.
 * @module
 */
import type { KeyTally } from "../../core/serf/internal_query.ts";
import { formatIp } from "../../base/codec/ip.ts";
import { VSN } from "../../core/swim/node_table.ts";
import type { SerfMember } from "../../core/serf/state.ts";
import type { KeyResult, MemberRecord } from "./api.ts";

/** A member. */
export function recordOf({ name, addr, port, tags, status, vsn }: SerfMember): MemberRecord {
  return {
    name,
    addr: formatIp(addr),
    port,
    tags: Object.fromEntries(tags),
    status,
    protocolMin: vsn[VSN.protocolMin],
    protocolMax: vsn[VSN.protocolMax],
    protocolCur: vsn[VSN.protocolCur],
    delegateMin: vsn[VSN.delegateMin],
    delegateMax: vsn[VSN.delegateMax],
    delegateCur: vsn[VSN.delegateCur],
  };
}

/** Converts the members' answers about keys. */
export function keyResultOf({ members, responses, failures, messages, keys, primaryKeys }: KeyTally): KeyResult {
  return {
    members,
    responses,
    failures,
    messages: Object.fromEntries(messages),
    keys: Object.fromEntries(keys),
    primaryKeys: Object.fromEntries(primaryKeys),
  };
}
