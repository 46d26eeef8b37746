/**
 * The catalog in this node's database: read by SQL from the readers, written by commands of the cluster's own through the
 * log, waited for by blocking queries.
 * @module
 */
import { parseRaw } from "../../base/codec/raw_json.ts";
import { PLAIN_RENDERING, type RenderOptions } from "../../core/sql/render_options.ts";
import { takeText } from "../database/held_answer.ts";
import { type CatalogWrite, COMMANDS_NAME } from "../../core/catalog/catalog.ts";
import { CATALOG_VERSION, migration, VERSION_QUERY } from "../../core/catalog/schema.ts";
import { CHANGED_KEYS_QUERY, watchNamesOfKey } from "../../core/catalog/kv.ts";
import { CHANGES_QUERY, VERSION_NAME } from "../../core/catalog/watch.ts";
import { type BoundStatement, type Command, COMMAND_VERSION } from "../../core/sql/command.ts";
import { splitStatements } from "../../core/sql/statement.ts";
import type { SqlValue } from "../../core/sql/value.ts";
import type { Activity } from "../../base/shared/activity.ts";
import type { AnswerBudget } from "../../base/shared/answer_budget.ts";
import type { Readers } from "../database/readers.ts";
import { BusyError, OperationError } from "../database/errors.ts";
import type { Refused } from "../../drivers/replica/api.ts";
import type { ReplicaClient } from "../database/replica_client.ts";
import { SharedReads } from "./shared_reads.ts";
import { type Watch, Watches } from "./watches.ts";

const OPTIONS: RenderOptions = { ...PLAIN_RENDERING, associative: true };
/** Of reads that nobody waits for a change of. */
const NO_INDEX: CatalogStatement = { sql: "SELECT 1 AS value" };
const READ_TIMEOUT_MS = 10_000;
const WRITE_TIMEOUT_MS = 10_000;

/** Refusals that end by themselves, or when somebody makes room. */
const BUSY_CODES: readonly Refused["code"][] = ["queue_full", "behind", "storage_full"];

/** The check that speaks for the agent of a node. */
export const SERF_HEALTH = "serfHealth";

/** A row by column. */
export type CatalogRow = Readonly<Record<string, unknown>>;

/** The result of a read. */
export interface CatalogRead {
  /** Rows of each statement. */
  readonly rows: readonly (readonly CatalogRow[])[];
  /** Log index of the last change of the tables; at least 1. */
  readonly index: number;
  /** The JSON text that it was read as; see {@linkcode parseRead}. */
  readonly text: string;
}

/** The catalog could not be read or written; the message is for people. */
export class CatalogError extends OperationError {
  /** Always `CatalogError`. */
  override readonly name: string = "CatalogError";
}

/** A guard of the writes did not hold: nothing was written. */
export class ConflictError extends Error {
  /** Always `ConflictError`. */
  override readonly name = "ConflictError";
  /** The place of the guard among the writes. */
  readonly at: number;

  constructor(at: number) {
    super("the catalog has changed meanwhile: nothing was written");
    this.at = at;
  }
}

/** A client's statement among the writes has failed: nothing was written. */
export class StatementError extends Error {
  /** Always `StatementError`. */
  override readonly name = "StatementError";
  /** Its place among the writes. */
  readonly at: number;

  /** @param message SQLite's. */
  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

/** A statement, and its parameters. */
export interface CatalogStatement {
  readonly sql: string;
  readonly positional?: readonly SqlValue[];
}

/** What one statement came to, as it is rendered; of a client's, `JSON.stringify` writes it as it was. */
export interface StatementResult {
  readonly rows?: CatalogRow[];
  readonly error?: string;
}

/** Dependencies of the catalog. */
export interface CatalogParts {
  /** The writer's; undefined where there is none. */
  readonly activity: Activity | undefined;
  readonly readers: Readers;
  readonly replica: ReplicaClient;
  readonly answers: AnswerBudget;
}

/** The catalog of one node. */
export class Catalog {
  /** Reads that several ask for alike. Another database counts as a change when the readers have it. */
  readonly shared = new SharedReads<CatalogRead>(() => `${this.#parts.activity?.catalogChanges} ${this.#changes}`);
  readonly #parts: CatalogParts;
  readonly #watches = new Watches();
  /** Whether the tables were seen to be of this program's version, or a newer one. */
  #isCurrent = false;
  /** Whether the catalog says that all members apply the newest commands. */
  #knowsNewCommands = false;
  #changes = 0;
  /** Changes up to here have been told to those that watch. */
  #toldTo = 0;
  #isTelling = false;

  constructor(parts: CatalogParts) {
    this.#parts = parts;
  }

  /**
   * Runs reads in one transaction, here.
   * @param index Reads their index, as `value`; see core/catalog/watch.ts.
   * @throws {CatalogError} When it takes too long or fails.
   */
  async read(reads: readonly CatalogStatement[], index: CatalogStatement = NO_INDEX): Promise<CatalogRead> {
    return parseRead(await this.#text([index, ...reads]), reads.length);
  }

  /** Rows of each statement; undefined where there are no tables yet. @throws {CatalogError} */
  async #run(statements: readonly CatalogStatement[]): Promise<CatalogRow[][] | undefined> {
    return rowsOf(await this.#text(statements));
  }

  /** The results as a reader has rendered them. @throws {CatalogError} */
  async #text(statements: readonly CatalogStatement[]): Promise<string> {
    const result = await this.#parts.readers.read({
      statements: statements.map(bound),
      transaction: true,
      options: OPTIONS,
      timeoutMs: READ_TIMEOUT_MS,
      onlyIfReadOnly: false,
    });
    if (result === undefined) throw new CatalogError("reading the catalog timed out");
    return takeText(result.results, this.#parts.answers);
  }

  /**
   * Writes through the log; on the leader. All or nothing.
   * @returns Rows of each statement.
   * @throws {ConflictError} When a guard among the writes did not hold.
   * @throws {BusyError} When it was refused for now.
   * @throws {CatalogError} When it was refused, or nothing was heard of it in time.
   */
  async write(writes: readonly CatalogWrite[]): Promise<CatalogRow[][]> {
    return (await this.writeWith(writes)).map(({ rows }) => rows ?? []);
  }

  /**
   * The same for writes among which are statements of a client, which have a client's rights.
   * @returns The result of each.
   * @throws {StatementError} When a statement of the client has failed.
   * @throws {CatalogError} As well where a member of the cluster may not know such commands.
   */
  async writeWith(writes: readonly (CatalogWrite | BoundStatement)[]): Promise<StatementResult[]> {
    if (!this.#isCurrent) await this.bringUpToDate();
    if (writes.some(isClients)) await this.expectNewCommands("SQL in a transaction");
    return await this.#command(writes);
  }

  /**
   * Makes sure that all members know what this version brings; on the leader. They are asked until they do; from then on the
   * catalog knows.
   * @param what Needs that.
   * @throws {CatalogError} Naming those that may not.
   */
  async expectNewCommands(what: string): Promise<void> {
    if (!this.#isCurrent) await this.bringUpToDate();
    if (this.#knowsNewCommands) return;
    const [[known]] = await this.#run([{
      sql: "SELECT value FROM _muster_index WHERE name = ?",
      positional: [COMMANDS_NAME],
    }]) ?? [[]];
    if (Number(known?.value ?? 0) < COMMAND_VERSION) {
      const { outdated } = await this.#parts.replica.call("status", {});
      if (!Array.isArray(outdated) || outdated.length > 0) {
        const which = Array.isArray(outdated) ? outdated.join(", ") : "this one";
        throw new CatalogError(
          `${what} needs all servers to be of this version and to have been seen once; not yet: ${which}`,
        );
      }
      const sql = `INSERT OR REPLACE INTO _muster_index VALUES('${COMMANDS_NAME}', ${COMMAND_VERSION})`;
      await this.#command([{ sql, positional: [] }]);
    }
    this.#knowsNewCommands = true;
  }

  /**
   * Makes the tables, or brings those of an older version to this program's; on the leader.
   * @throws {CatalogError} When it was refused, or nothing was heard of it in time.
   */
  async bringUpToDate(): Promise<void> {
    while (!this.#isCurrent) {
      const found = await this.#run([{ sql: VERSION_QUERY }]);
      const version = found === undefined ? 0 : Number(found[0][0].version);
      this.#isCurrent = version >= CATALOG_VERSION;
      if (this.#isCurrent) return;
      try {
        await this.#command(migration(version));
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error; // another leader was quicker
      }
    }
  }

  async #command(writes: readonly (CatalogWrite | BoundStatement)[]): Promise<StatementResult[]> {
    const statements = writes.map((write) => isClients(write) ? { ...write, isOfClient: true } : bound(write));
    const command: Command = { kind: "request", transaction: true, isSystem: true, statements };
    const result = await this.#parts.replica.write(command, OPTIONS, WRITE_TIMEOUT_MS);
    if (result === undefined) throw new CatalogError("no answer in time: the catalog may or may not have been written");
    if (result.k === "refused") {
      const { code, message } = result.refused;
      throw BUSY_CODES.includes(code) ? new BusyError(message) : new CatalogError(message);
    }
    // The replica's own words.
    const parsed = parseRaw(takeText(result.outcome.results, this.#parts.answers)) as StatementResult[];
    const failed = parsed.findIndex(({ error }) => error !== undefined);
    const write = writes[failed];
    if (write && "isGuard" in write) throw new ConflictError(failed);
    const fault = result.outcome.error ?? parsed[failed]?.error;
    if (fault !== undefined && write && isClients(write)) throw new StatementError(failed, fault);
    if (fault !== undefined) throw new CatalogError(fault);
    return parsed;
  }

  /** Something of it may have changed. */
  changed(): void {
    this.#changes++;
    if (!this.#watches.isEmpty) this.#tell();
  }

  /** Another database has taken the place of this one. */
  replaced(): void {
    this.#isCurrent = this.#knowsNewCommands = false;
    this.#toldTo = 0;
    this.wakeAll();
  }

  /** Has everybody look again. */
  wakeAll(): void {
    this.#changes++;
    this.#watches.allChanged();
  }

  /** Tells those that watch what has changed, one reading for the changes that came meanwhile. */
  async #tell(): Promise<void> {
    if (this.#isTelling) return;
    this.#isTelling = true;
    try {
      for (let seen = -1; seen !== this.#changes;) {
        seen = this.#changes;
        const positional = [BigInt(this.#toldTo)];
        const [rows] = await this.#run([{ sql: CHANGES_QUERY, positional }]) ?? [[]];
        const changed = rows.filter(({ name }) => name !== VERSION_NAME);
        const names = changed.map(({ name }) => String(name));
        if (names.includes("kv") && this.#watches.hasAny("kv/")) {
          const [keys] = await this.#run([{ sql: CHANGED_KEYS_QUERY, positional }]) ?? [[]];
          for (const { key } of keys) this.#watches.changed(watchNamesOfKey(String(key)));
        }
        this.#toldTo = Math.max(this.#toldTo, ...changed.map(({ value }) => Number(value)));
        // Tables of version 1 do not tell where.
        if (changed.length === rows.length) this.#watches.tablesChanged(new Set(names));
        else this.#watches.changed(names);
      }
    } catch {
      this.#watches.allChanged(); // they will see for themselves
    } finally {
      this.#isTelling = false;
    }
  }

  /**
   * Watches something from now on; the node for itself with `isOwn`.
   * @throws {import("../database/errors.ts").TooManyWaitError} When as many watch as may.
   */
  watch(names: readonly string[], isOwn = false): Watch {
    return this.#watches.watch(names, isOwn);
  }

  /** Blocking queries under way. */
  get waiting(): number {
    return this.#watches.size;
  }
}

/**
 * A read of `count` statements from its text: here, or on the node that asked for it.
 * @throws {CatalogError} When it has failed.
 */
export function parseRead(text: string, count: number): CatalogRead {
  const results = rowsOf(text);
  if (results === undefined) return { rows: Array.from({ length: count }, () => []), index: 1, text };
  const [[first], ...rows] = results;
  return { rows, index: Math.max(1, Number(first?.value ?? 1)), text };
}

/** Rows of each statement; undefined where there are no tables yet. @throws {CatalogError} */
function rowsOf(text: string): CatalogRow[][] | undefined {
  const parsed: StatementResult[] = JSON.parse(text);
  const fault = parsed.find(({ error }) => error !== undefined)?.error;
  if (fault?.startsWith("no such table")) return undefined;
  if (fault !== undefined) throw new CatalogError(fault);
  return parsed.map(({ rows }) => rows ?? []);
}

function isClients(write: CatalogWrite | BoundStatement): write is BoundStatement {
  return "parts" in write;
}

function bound({ sql, positional = [] }: { sql: string; positional?: readonly SqlValue[] }): BoundStatement {
  return { parts: splitStatements(sql), positional, named: null };
}
