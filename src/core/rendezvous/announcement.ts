/**
 * What agents say to a rendezvous and hear from it (docs/rendezvous.md). An infrastructure, `USER/NAME`, is a set of agents
 * that share a token; each announces its name and the address of its gossip, with a lease, and is told those of the
 * others. Whatever comes from outside is bounded here. Pure.
 * @module
 */
import { joinAddress, splitAddress } from "../../base/codec/address.ts";
import { parseIp } from "../../base/codec/ip.ts";

/** Bytes of a request, at most. */
export const REQUEST_BYTES_MAX = 4096;
/** Agents of one infrastructure, at most. */
export const MEMBERS_MAX = 5000;
/** Path of the service; an infrastructure follows. */
export const PATH = "/v1/rendezvous/";
/** Shortest and longest lease, and the one of who names none, in seconds. */
const LEASE_S = { min: 10, standard: 30, max: 3600 };
const PART = /^(?!\.{1,2}$)[\w.-]{1,64}$/;
const NODE_CHARACTERS_MAX = 128;

/** An agent and the address of its gossip, `IP:port`. */
export interface Member {
  readonly node: string;
  readonly address: string;
}

/** An agent's announcement. */
export interface Announcement extends Member {
  /** It is forgotten when it has not announced itself again for so long. */
  readonly leaseS: number;
}

/** What was said cannot be taken; the message says what was expected. */
export class AnnouncementError extends Error {
  /** Always `AnnouncementError`. */
  override readonly name = "AnnouncementError";
}

/** Whether a text is an infrastructure: `USER/NAME`. */
export function isInfrastructure(text: string): boolean {
  const parts = text.split("/");
  return parts.length === 2 && parts.every((part) => PART.test(part));
}

/** Whether a text can be the name of an agent. */
export function isNodeName(text: string): boolean {
  // deno-lint-ignore no-control-regex -- these are what is refused
  return text !== "" && text.length <= NODE_CHARACTERS_MAX && !/[/\x00-\x20\x7f]/.test(text);
}

/**
 * Reads the body of an announcement: `{"Node", "Address", "Lease"}`, the last one in seconds and optional.
 * @throws {AnnouncementError} When it is none.
 */
export function parseAnnouncement(text: string): Announcement {
  const { Node: node, Address: address, Lease: leaseS = LEASE_S.standard } = fieldsOf(text);
  if (typeof node !== "string" || !isNodeName(node)) {
    throw new AnnouncementError(
      `Node must be a name of up to ${NODE_CHARACTERS_MAX} characters, without "/" and blanks`,
    );
  }
  if (typeof leaseS !== "number" || !(leaseS >= LEASE_S.min && leaseS <= LEASE_S.max)) {
    throw new AnnouncementError(`Lease must be a number of seconds from ${LEASE_S.min} to ${LEASE_S.max}`);
  }
  return { node, address: gossipAddress(address), leaseS };
}

/** Reads the answer to an announcement. @throws {AnnouncementError} When it is none. */
export function parseMembers(text: string): readonly Member[] {
  const { Members: members } = fieldsOf(text);
  if (!Array.isArray(members) || members.length > MEMBERS_MAX) throw new AnnouncementError("Members must be a list");
  return members.map((member: unknown) => {
    const { Node: node, Address: address } = asFields(member);
    if (typeof node !== "string") throw new AnnouncementError("each of Members must have a Node");
    return { node, address: gossipAddress(address) };
  });
}

/** The body of an announcement. */
export function announcementText({ node, address, leaseS }: Announcement): string {
  return JSON.stringify({ Node: node, Address: address, Lease: leaseS });
}

/** The answer to one. */
export function membersText(members: readonly Member[]): string {
  return JSON.stringify({ Members: members.map(({ node, address }) => ({ Node: node, Address: address })) });
}

function fieldsOf(text: string): Record<string, unknown> {
  try {
    return asFields(JSON.parse(text));
  } catch {
    throw new AnnouncementError("expected an object in JSON");
  }
}

function asFields(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new AnnouncementError("expected an object in JSON");
  }
  return { ...value };
}

function gossipAddress(address: unknown): string {
  const expected = "Address must be an IP address and a port, such as 10.0.0.1:8301 or [fd00::1]:8301";
  if (typeof address !== "string" || address.length > 64) throw new AnnouncementError(expected);
  try {
    const { hostname, port } = splitAddress(address);
    if (port > 0 && parseIp(hostname) !== undefined) return joinAddress(hostname, port);
  } catch {
    // no address at all
  }
  throw new AnnouncementError(expected);
}
