/**
 * The address of a node in the pool. Types only. Peers compare IP addresses byte by byte, so the bytes of others are kept as
 * they came; the own IPv4 address has four (base/codec/ip.ts).
 * @module
 */

/** The address of a node. */
export interface Endpoint {
  /** IP address as text. */
  readonly host: string;
  readonly port: number;
}
