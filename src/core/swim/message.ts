/**
 * memberlist's messages (G2.1, G2.3): the type byte and the body of each. Pure.
 * @module
 */
import { DecodeError } from "../../base/codec/cursor.ts";
import {
  bin,
  bool,
  decode,
  encodeMessage,
  field,
  type Kind,
  str,
  struct,
  u16,
  u31,
  u32,
  u8,
  type ValueOf,
} from "./msgpack.ts";

/** First byte of a message. */
export const TYPE = {
  ping: 0,
  indirectPing: 1,
  ack: 2,
  suspect: 3,
  alive: 4,
  dead: 5,
  pushPull: 6,
  compound: 7,
  user: 8,
  compress: 9,
  encrypt: 10,
  nack: 11,
  hasCrc: 12,
  error: 13,
  label: 244,
} as const;

/** Status of a node as push/pull encodes it. */
export const STATE = { alive: 0, suspect: 1, dead: 2, left: 3 } as const;
/** One of {@linkcode STATE}. */
export type State = (typeof STATE)[keyof typeof STATE];

/** Bytes that tags may take (G2.9). */
export const META_BYTES_MAX = 512;

/** Bytes of a node's versions: fewer crash real peers, none poisons their version check (G8.4). */
const VERSION_BYTES = 6;

const source = {
  sourceAddr: field("SourceAddr", bin, { omitsEmpty: true }),
  sourcePort: field("SourcePort", u16, { omitsEmpty: true }),
  sourceNode: field("SourceNode", str, { omitsEmpty: true }),
};

const PING_FIELDS = { seqNo: field("SeqNo", u32), node: field("Node", str), ...source };
const INDIRECT_PING_FIELDS = {
  seqNo: field("SeqNo", u32),
  target: field("Target", bin),
  port: field("Port", u16),
  node: field("Node", str),
  nack: field("Nack", bool),
  ...source,
};
const ACK_FIELDS = { seqNo: field("SeqNo", u32), payload: field("Payload", bin) };
const NACK_FIELDS = { seqNo: field("SeqNo", u32) };
const ACCUSATION_FIELDS = {
  incarnation: field("Incarnation", u32),
  node: field("Node", str),
  from: field("From", str),
};
const ALIVE_FIELDS = {
  incarnation: field("Incarnation", u32),
  node: field("Node", str),
  addr: field("Addr", bin),
  port: field("Port", u16),
  meta: field("Meta", bin),
  vsn: field("Vsn", bin),
};
const PUSH_PULL_HEADER_FIELDS = {
  nodes: field("Nodes", u31),
  userStateLen: field("UserStateLen", u31),
  join: field("Join", bool),
};
const PUSH_NODE_FIELDS = {
  name: field("Name", str),
  addr: field("Addr", bin),
  port: field("Port", u16),
  meta: field("Meta", bin),
  incarnation: field("Incarnation", u32),
  state: field("State", u8),
  vsn: field("Vsn", bin),
};
const USER_HEADER_FIELDS = { userMsgLen: field("UserMsgLen", u31) };
const COMPRESSED_FIELDS = { algo: field("Algo", u8), buf: field("Buf", bin) };
const REMOTE_ERROR_FIELDS = { error: field("Error", str) };

/** Asks whether a node is there. `node` is who is meant; the answer goes to the source, where one is given. */
export type Ping = ValueOf<typeof PING_FIELDS>;
/** Asks to ping another node and to tell the result. */
export type IndirectPing = ValueOf<typeof INDIRECT_PING_FIELDS>;
/** The answer to a ping. */
export type Ack = ValueOf<typeof ACK_FIELDS>;
/** Suspect or dead. */
export type Accusation = ValueOf<typeof ACCUSATION_FIELDS>;
/** A node says that it is there. */
export type Alive = ValueOf<typeof ALIVE_FIELDS>;
/** Head of a push/pull. */
export type PushPullHeader = ValueOf<typeof PUSH_PULL_HEADER_FIELDS>;
/** A node, as one knows it who pushes. */
export type PushNode = ValueOf<typeof PUSH_NODE_FIELDS>;

/** Body kinds. */
export const PING: Kind<Ping> = struct(PING_FIELDS);
/** {@linkcode IndirectPing}. */
export const INDIRECT_PING: Kind<IndirectPing> = struct(INDIRECT_PING_FIELDS);
/** {@linkcode Ack}. */
export const ACK: Kind<Ack> = struct(ACK_FIELDS);
/** The word of a node that could not reach the target of an indirect ping. */
export const NACK: Kind<ValueOf<typeof NACK_FIELDS>> = struct(NACK_FIELDS);
/** {@linkcode Accusation}. */
export const ACCUSATION: Kind<Accusation> = struct(ACCUSATION_FIELDS);
/** {@linkcode Alive}. */
export const ALIVE: Kind<Alive> = struct(ALIVE_FIELDS);
/** {@linkcode PushPullHeader}. */
export const PUSH_PULL_HEADER: Kind<PushPullHeader> = struct(PUSH_PULL_HEADER_FIELDS);
/** {@linkcode PushNode}. */
export const PUSH_NODE: Kind<PushNode> = struct(PUSH_NODE_FIELDS);
/** Head of a user message on a stream. */
export const USER_HEADER: Kind<ValueOf<typeof USER_HEADER_FIELDS>> = struct(USER_HEADER_FIELDS);
/** A compressed message. */
export const COMPRESSED: Kind<ValueOf<typeof COMPRESSED_FIELDS>> = struct(COMPRESSED_FIELDS);
/** Last message of a stream whose first layer could not be read. */
export const REMOTE_ERROR: Kind<ValueOf<typeof REMOTE_ERROR_FIELDS>> = struct(REMOTE_ERROR_FIELDS);

/** A ping as bytes. */
export function encodePing(ping: Ping): Uint8Array {
  return encodeMessage(TYPE.ping, PING, ping);
}

/** An ack as bytes. */
export function encodeAck(ack: Ack): Uint8Array {
  return encodeMessage(TYPE.ack, ACK, ack);
}

/** Reads an alive message: what would hurt peers when sent on is refused (G8.4). */
export function decodeAlive(bytes: Uint8Array, offset: number): Alive {
  const alive = decode(ALIVE, bytes, offset);
  checkIdentity(alive.node, alive);
  return alive;
}

/** Refuses a record without a name, with an address that is none, or with versions that crash real peers. */
export function checkIdentity(name: string, { addr, vsn }: { addr: Uint8Array; vsn: Uint8Array }): void {
  if (name === "") throw new DecodeError("a node without a name");
  if (addr.length !== 4 && addr.length !== 16) throw new DecodeError(`an address of ${addr.length} bytes`);
  if (vsn.length !== VERSION_BYTES) throw new DecodeError(`${vsn.length} version bytes`);
}
