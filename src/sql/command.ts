/**
 * The payload of a log entry: what a request asks of the database, with the leader's time and seed. Pure.
 * @module
 */

import type { SqlPart } from "./statement.ts";
import type { SqlValue } from "./value.ts";

/** One element of a request: a string of SQL, split, with its parameters. */
export interface BoundStatement {
  /** The statements of the string, in order. */
  readonly parts: readonly SqlPart[];
  /** Positional parameters, consumed left to right by the parts. */
  readonly positional: readonly SqlValue[];
  /** Named parameters by bare name, seen by every part; `null` when there are none. */
  readonly named: Readonly<Record<string, SqlValue>> | null;
}

/** What a log entry asks for. */
export interface Command {
  /** Endpoint: `query` is a read at level strong. */
  readonly kind: "execute" | "request" | "query";
  /** Whether all statements take effect or none. */
  readonly transaction: boolean;
  /** The elements of the request, in order. */
  readonly statements: readonly BoundStatement[];
}
