/**
 * Serf's messages (G5.1), which ride in memberlist's user messages and push/pulls. Pure.
 * @module
 */
import {
  bin,
  bool,
  decode,
  duration,
  encodeMessage,
  field,
  type Kind,
  listOf,
  mapOf,
  optional,
  str,
  struct,
  u16,
  u32,
  u64,
  u8,
  type ValueOf,
} from "../swim/msgpack.ts";

/** First byte of a message. */
export const SERF = {
  leave: 0,
  join: 1,
  pushPull: 2,
  userEvent: 3,
  query: 4,
  queryResponse: 5,
  conflictResponse: 6,
  keyRequest: 7,
  keyResponse: 8,
  relay: 9,
} as const;

/** Flags of a query: `ack` also marks an answer as one. */
export const QUERY_FLAG = { ack: 1, noBroadcast: 2 } as const;

const JOIN_FIELDS = { ltime: field("LTime", u64), node: field("Node", str) };
const LEAVE_FIELDS = { ...JOIN_FIELDS, prune: field("Prune", bool) };
const EVENT_FIELDS = {
  ltime: field("LTime", u64),
  name: field("Name", str),
  payload: field("Payload", bin),
  coalesce: field("CC", bool),
};
const BUFFERED_EVENT = struct({ name: field("Name", str), payload: field("Payload", bin) });
const EVENT_SLOT = struct({ ltime: field("LTime", u64), events: field("Events", listOf(BUFFERED_EVENT)) });
const STATE_FIELDS = {
  ltime: field("LTime", u64),
  statusLTimes: field("StatusLTimes", mapOf(u64)),
  leftMembers: field("LeftMembers", listOf(str)),
  eventLTime: field("EventLTime", u64),
  events: field("Events", listOf(optional(EVENT_SLOT))),
  queryLTime: field("QueryLTime", u64),
};
const QUERY_FIELDS = {
  ltime: field("LTime", u64),
  id: field("ID", u32),
  addr: field("Addr", bin),
  port: field("Port", u16),
  sourceNode: field("SourceNode", str),
  filters: field("Filters", listOf(bin)),
  flags: field("Flags", u32),
  relayFactor: field("RelayFactor", u8),
  timeout: field("Timeout", duration),
  name: field("Name", str),
  payload: field("Payload", bin),
};
const RESPONSE_FIELDS = {
  ltime: field("LTime", u64),
  id: field("ID", u32),
  from: field("From", str),
  flags: field("Flags", u32),
  payload: field("Payload", bin),
};
const DESTINATION = struct({ ip: field("IP", bin), port: field("Port", u16), zone: field("Zone", str) });
const RELAY_FIELDS = { destAddr: field("DestAddr", DESTINATION), destName: field("DestName", str) };
const MEMBER_FIELDS = {
  name: field("Name", str),
  addr: field("Addr", bin),
  port: field("Port", u16),
  tags: field("Tags", mapOf(str)),
  status: field("Status", u8),
  protocolMin: field("ProtocolMin", u8),
  protocolMax: field("ProtocolMax", u8),
  protocolCur: field("ProtocolCur", u8),
  delegateMin: field("DelegateMin", u8),
  delegateMax: field("DelegateMax", u8),
  delegateCur: field("DelegateCur", u8),
};
const KEY_REQUEST_FIELDS = { key: field("Key", bin) };
const KEY_RESPONSE_FIELDS = {
  result: field("Result", bool),
  message: field("Message", str),
  keys: field("Keys", listOf(str)),
  primaryKey: field("PrimaryKey", str),
};

/** A member says that it is in. */
export type JoinIntent = ValueOf<typeof JOIN_FIELDS>;
/** A member is to be counted as leaving. */
export type LeaveIntent = ValueOf<typeof LEAVE_FIELDS>;
/** An event of the application. */
export type UserEvent = ValueOf<typeof EVENT_FIELDS>;
/** Serf's part of a push/pull. */
export type SerfPushPull = ValueOf<typeof STATE_FIELDS>;
/** A question to the pool. */
export type QueryMessage = ValueOf<typeof QUERY_FIELDS>;
/** One answer. */
export type QueryResponse = ValueOf<typeof RESPONSE_FIELDS>;
/** The header around a relayed answer. */
export type RelayHeader = ValueOf<typeof RELAY_FIELDS>;
/** A member, as told in a conflict. */
export type ConflictMember = ValueOf<typeof MEMBER_FIELDS>;
/** An answer about keys. */
export type KeyResponse = ValueOf<typeof KEY_RESPONSE_FIELDS>;

/** Body kinds. */
export const JOIN: Kind<JoinIntent> = struct(JOIN_FIELDS);
/** {@linkcode LeaveIntent}. */
export const LEAVE: Kind<LeaveIntent> = struct(LEAVE_FIELDS);
/** {@linkcode UserEvent}. */
export const USER_EVENT: Kind<UserEvent> = struct(EVENT_FIELDS);
/** {@linkcode SerfPushPull}. */
export const SERF_STATE: Kind<SerfPushPull> = struct(STATE_FIELDS);
/** {@linkcode QueryMessage}. */
export const QUERY: Kind<QueryMessage> = struct(QUERY_FIELDS);
/** {@linkcode QueryResponse}. */
export const QUERY_RESPONSE: Kind<QueryResponse> = struct(RESPONSE_FIELDS);
/** {@linkcode RelayHeader}. */
export const RELAY: Kind<RelayHeader> = struct(RELAY_FIELDS);
/** {@linkcode ConflictMember}. */
export const CONFLICT_MEMBER: Kind<ConflictMember> = struct(MEMBER_FIELDS);
/** The key of a request. */
export const KEY_REQUEST: Kind<ValueOf<typeof KEY_REQUEST_FIELDS>> = struct(KEY_REQUEST_FIELDS);
/** {@linkcode KeyResponse}. */
export const KEY_RESPONSE: Kind<KeyResponse> = struct(KEY_RESPONSE_FIELDS);
/** A filter by name, behind its type byte. */
export const NODE_FILTER: Kind<readonly string[]> = listOf(str);
/** A filter by a tag, behind its type byte. */
export const TAG_FILTER: Kind<{ readonly tag: string; readonly expr: string }> = struct({
  tag: field("Tag", str),
  expr: field("Expr", str),
});

/** First byte of a filter. */
export const FILTER = { nodes: 0, tag: 1 } as const;

/** Tags and their first byte (G5.11). */
const TAGS_MAGIC = 0xff;

/** Tags as bytes. */
export function encodeTags(tags: ReadonlyMap<string, string>): Uint8Array {
  return encodeMessage(TAGS_MAGIC, mapOf(str), tags);
}

/**
 * Reads tags; bytes without the first one are the role, as in old versions.
 * @throws {DecodeError} When they are no map of texts.
 */
export function decodeTags(meta: Uint8Array): ReadonlyMap<string, string> {
  if (meta[0] === TAGS_MAGIC) return decode(mapOf(str), meta, 1);
  return new Map([["role", new TextDecoder().decode(meta)]]);
}
