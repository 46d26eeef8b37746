/**
 * What connections, listeners and TLS look like to those who use them, whatever they are made of.
 * @module
 */

/** A connection of TCP, with or without TLS. */
export type Conn = Pick<Deno.Conn, "remoteAddr" | "read" | "write" | "closeWrite" | "close">;

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
}

/** What a server shows, and what it asks for. */
export interface TlsServer extends TlsIdentity {
  /** Present where clients need a certificate. */
  readonly clients?: ClientCheck;
}

/** How a client takes part in a connection. */
export interface TlsTrust {
  /** Certificates of authorities, PEM; empty: those of the system. */
  readonly caCerts: readonly string[];
  /** Name that the certificate must have; empty: the host that is connected to. */
  readonly serverName: string;
  /** Whether the server's certificate is looked at. */
  readonly isVerified: boolean;
  /** The client's own certificate, for servers that ask for one. */
  readonly presents?: TlsIdentity;
}

/** TLS of a node with other nodes, which it both answers and calls. */
export interface NodeTls {
  readonly server: TlsServer;
  readonly trust: TlsTrust;
}

/** An open port. */
export interface Listening {
  readonly addr: Deno.NetAddr;
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
