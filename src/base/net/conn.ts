/**
 * The interfaces of connections, listeners and TLS, whatever they are made of.
 * @module
 */

/** A connection of TCP, with or without TLS. */
export interface Conn extends Pick<Deno.Conn, "remoteAddr" | "read" | "write" | "closeWrite" | "close"> {
  /** At a port that takes plain connections, too: whether this one is encrypted. Known after the first read. */
  readonly isEncrypted?: boolean;
  /** Whether the client has shown a certificate that is accepted and is for `name`. Known after the first read. */
  isFor?(name: string): boolean;
}

/** Minimum version of the protocol. */
export type TlsVersion = "TLSv1.2" | "TLSv1.3";

/** A certificate, with those that lead to its authority, and its private key; PEM. */
export interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
  /** When the certificate expires, RFC 3339. */
  readonly notAfter: string;
}

/** Which certificates of clients a server accepts. */
export interface ClientCheck {
  /** Certificates of authorities, PEM; empty: those of the system. */
  readonly caCerts: readonly string[];
  /** Common name that the certificate must have; empty: any. */
  readonly commonName: string;
  /** Whether clients without an accepted certificate are let in, too; see {@linkcode Conn.isFor}. @default {false} */
  readonly isOptional?: boolean;
}

/** What a server shows, and what it asks for. */
export interface TlsServer extends TlsIdentity {
  /** Present where clients are asked for a certificate. */
  readonly clients?: ClientCheck;
  /** Whether the port takes plain connections as well, and tells which are encrypted. @default {false} */
  readonly sharesPort?: boolean;
  /** Minimum version. @default {"TLSv1.2"} */
  readonly minVersion?: TlsVersion;
}

/** How a client takes part in a connection. */
export interface TlsTrust {
  /** Certificates of authorities, PEM; empty: those of the system. */
  readonly caCerts: readonly string[];
  /** Name that the certificate must have; empty: the host that is connected to. */
  readonly serverName: string;
  /** Whether the server's certificate is looked at. */
  readonly isVerified: boolean;
  /** Whether the name in the certificate may be any, though an accepted authority has to have signed it. @default {false} */
  readonly anyName?: boolean;
  /** Minimum version. @default {"TLSv1.2"} */
  readonly minVersion?: TlsVersion;
  /** The client's own certificate, for servers that ask for one. */
  readonly presents?: TlsIdentity;
}

/** TLS of a node with other nodes, which it both answers and calls. */
export interface NodeTls {
  /** Absent in a node that other nodes do not call by TLS. */
  readonly server?: TlsServer;
  /** Absent in a node that does not call other nodes by TLS. */
  readonly trust?: TlsTrust;
  /** Whether calls that are not encrypted are refused; of a port with {@linkcode TlsServer.sharesPort}. @default {false} */
  readonly refusesPlain?: boolean;
  /** Name that the certificates of nodes have which replicate; others may only forward requests. Absent: any. */
  readonly serverName?: string;
}

/** An open port. */
export interface Listening {
  /** 0: a Unix socket, which has none. */
  readonly port: number;
  /** The next connection. With TLS, its handshake may be part of the first read or write. */
  accept(): Promise<Conn>;
  /**
   * Has new connections of TLS get another certificate, without a moment in which nobody listens.
   * @throws {Error} When it cannot be used: the one before stays.
   */
  renew(tls: TlsServer): void;
  close(): void;
}

/** Whether clients are judged alike. */
export function sameCheck(one: ClientCheck | undefined, other: ClientCheck | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
