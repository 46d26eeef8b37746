/**
 * Decides whether nodes of different protocol versions may share a pool (G4.9). Pure.
 * @module
 */
import { type PushNode, STATE } from "./message.ts";
import { type SwimNode, VSN } from "./node_table.ts";

/** memberlist's own versions: minimum, maximum, current. */
export const PROTOCOL_VERSIONS: readonly [number, number, number] = [1, 5, 2];
/** Serf's minimum and maximum; the current one is a matter of configuration. */
export const DELEGATE_MIN = 2;
/** See {@linkcode DELEGATE_MIN}. */
export const DELEGATE_MAX = 5;
/** Members from this version on have CRCs and relays, from 4 on nacks, from 3 on pings by stream. */
export const PROTOCOL_WITH_CRC = 5;
/** See {@linkcode PROTOCOL_WITH_CRC}. */
export const PROTOCOL_WITH_NACK = 4;
/** See {@linkcode PROTOCOL_WITH_CRC}. */
export const PROTOCOL_WITH_STREAM_PING = 3;

/** The version bytes of a node that speaks `delegateProtocol`. */
export function versionBytes(delegateProtocol: number): Uint8Array {
  return Uint8Array.from([...PROTOCOL_VERSIONS, DELEGATE_MIN, DELEGATE_MAX, delegateProtocol]);
}

/** Whether memberlist's bytes make sense at all. */
export function areVersionsSound(vsn: Uint8Array): boolean {
  return vsn[VSN.protocolMin] > 0 && vsn[VSN.protocolMax] > 0 && vsn[VSN.protocolMin] <= vsn[VSN.protocolMax];
}

/**
 * Checks that all nodes of both sides understand the current version of each.
 * @returns Why they do not; undefined when they do.
 */
export function incompatibility(local: readonly SwimNode[], remote: readonly PushNode[]): string | undefined {
  const alive = [...local, ...remote].filter(({ state }) => state === STATE.alive);
  const most = (at: number) => alive.reduce((max, { vsn }) => Math.max(max, vsn[at]), 0);
  const least = (at: number) => alive.reduce((min, { vsn }) => Math.min(min, vsn[at]), 0xff);
  const range = {
    protocolMin: most(VSN.protocolMin),
    protocolMax: least(VSN.protocolMax),
    delegateMin: most(VSN.delegateMin),
    delegateMax: least(VSN.delegateMax),
  };
  for (const { name, vsn } of [...local, ...remote]) {
    const [protocol, delegate] = [vsn[VSN.protocolCur], vsn[VSN.delegateCur]];
    if (protocol < range.protocolMin || protocol > range.protocolMax) {
      return `Node '${name}' protocol version (${protocol}) is incompatible: [${range.protocolMin}, ${range.protocolMax}]`;
    }
    if (delegate < range.delegateMin || delegate > range.delegateMax) {
      return `Node '${name}' delegate protocol version (${delegate}) is incompatible: [${range.delegateMin}, ${range.delegateMax}]`;
    }
  }
  return undefined;
}
