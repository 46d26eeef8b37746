/**
 * What a command of the shell is, and what it does to its session. Types only.
 * @module
 */
import type { AgentApi } from "../client/agent_api.ts";
import type { Mode } from "./modes.ts";
import type { Result } from "./results.ts";

/** Settings that commands change. */
export interface SessionSettings {
  mode: Mode;
  hasHeader: boolean;
  /** In place of NULL; undefined: what the mode has. */
  nullText: string | undefined;
  /** Of the mode `insert`. */
  table: string;
  /** Whether times are shown. */
  timer: boolean;
  /** Whether changes are shown with the last rowid. */
  changes: boolean;
  /** Read level of queries; empty: the node's. */
  level: string;
}

/** What a command does to its session. */
export interface CommandSession {
  readonly settings: SessionSettings;
  readonly api: AgentApi;
  /** Whether it was left. */
  readonly isOver: boolean;
  /** Leaves it. */
  leave(): void;
  /** Shows a line. */
  say(text: string): void;
  /** Has what is shown from now on go elsewhere; undefined: back. */
  redirect(write: ((text: string) => void) | undefined): void;
  /** Takes a line, as if it had been typed. */
  take(line: string): Promise<void>;
  /** Runs a statement that has no semicolon. */
  flush(): Promise<void>;
  /** The rows of a query. @throws {Error} When it fails. */
  query(sql: string, ...parameters: readonly (string | number)[]): Promise<Extract<Result, { k: "rows" }>>;
  /** Shows a result. @throws {Error} When it is an error. */
  show(result: Result): void;
  /** Runs statements and shows what they come to. @throws {Error} When one fails. */
  run(sql: string, signal?: AbortSignal): Promise<void>;
  /** Runs the writes of a request's body in one transaction. @throws {Error} When one fails. */
  insert(body: string): Promise<void>;
  /** Tells when the rows of a query have come, and whenever they have changed. */
  follow(sql: string, signal?: AbortSignal): AsyncGenerator<void>;
}

/** A command. */
export interface DotCommand {
  /** Without the dot. */
  readonly name: string;
  /** Its arguments, as the help shows them. */
  readonly usage: string;
  /** One line. */
  readonly help: string;
  /** Carries it out, until `signal` is aborted. @throws {Error} When that fails. */
  run(session: CommandSession, args: readonly string[], signal?: AbortSignal): Promise<void> | void;
}
