/**
 * State machines of simulated nodes: a map with a digest in most runs, the real one on SQLite in memory in some.
 * @module
 */
import type { Entry, Index } from "../../src/core/raft/message.ts";
import { type BoundStatement, encodeCommand } from "../../src/core/sql/command.ts";
import { splitStatements } from "../../src/core/sql/statement.ts";
import { openStateMachine, type StateMachine } from "../../src/drivers/sqlite/state_machine.ts";
import type { Random } from "../harness/random.ts";

/** The state machine that committed entries are applied to. */
export interface Machine {
  /** Applies entries in order, and tells a digest of all so far, after each. */
  apply(entries: readonly Entry[], onApplied: (index: Index, digest: number) => void): void;
  /** How to make machines that hold what this one holds now; `prefix` is all that was applied. */
  freeze(prefix: readonly Entry[]): () => Machine;
  /** It is not used any more. */
  close(): void;
}

/** A digest of everything applied in order. */
export class DigestMachine implements Machine {
  #digest: number;

  constructor(digest = 0) {
    this.#digest = digest;
  }

  apply(entries: readonly Entry[], onApplied: (index: Index, digest: number) => void): void {
    for (const { index, term, body } of entries) {
      this.#digest = (Math.imul(this.#digest, 31) + index * 7 + term + (body[0] ?? 0)) | 0;
      onApplied(index, this.#digest);
    }
  }

  freeze(): () => Machine {
    const digest = this.#digest;
    return () => new DigestMachine(digest);
  }

  close(): void {}
}

/** The product's. */
export class SqliteMachine implements Machine {
  readonly #machine: StateMachine = openStateMachine(":memory:", { foreignKeys: true, deliver: () => {} });

  apply(entries: readonly Entry[], onApplied: (index: Index, digest: number) => void): void {
    this.#machine.apply(entries);
    for (const { index } of entries) {
      const digest = this.#machine.digest.at(index);
      if (digest !== undefined) onApplied(index, digest);
    }
  }

  freeze(prefix: readonly Entry[]): () => Machine {
    return () => {
      const copy = new SqliteMachine();
      copy.apply(prefix, () => {});
      return copy;
    };
  }

  close(): void {
    this.#machine.close();
  }
}

const SCHEMA = [
  "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, v, at TEXT DEFAULT CURRENT_TIMESTAMP)",
  "CREATE TABLE IF NOT EXISTS log (id INTEGER PRIMARY KEY, of INTEGER REFERENCES t(id), r INTEGER DEFAULT (random()))",
  "CREATE TRIGGER IF NOT EXISTS noted AFTER INSERT ON t BEGIN INSERT INTO log(of, r) VALUES(new.id, random()); END",
];
const TEXTS = [
  "INSERT INTO t(v) VALUES(?) RETURNING id, at",
  "INSERT INTO t(id, v) VALUES(abs(random()) % 50, ?)",
  "INSERT OR REPLACE INTO t(id, v) VALUES(abs(random()) % 20, hex(randomblob(4)) || ?)",
  "UPDATE t SET v = v || datetime('now'), at = strftime('%f') WHERE id % 7 = ? % 7 RETURNING *",
  "DELETE FROM t WHERE id % 11 = ? % 11",
  "INSERT INTO log(of) VALUES(? % 8)",
  "SELECT count(*), max(r), julianday('now') FROM log WHERE id <> ?",
];
/** Statements that make SQLite prepare everything anew, or cost a stack trace: seldom used. */
const SELDOM = [
  ...SCHEMA,
  "DROP TABLE IF EXISTS log",
  "INSERT INTO nowhere VALUES(?)",
  "INSERT INTO t(id) VALUES(1), (1), (?)",
];

/** Commands as clients send them. */
export class Statements {
  readonly #often = TEXTS.map((text) => splitStatements(text));
  readonly #seldom = SELDOM.map((text) => splitStatements(text));

  /** A command that is unlike all others by `ref`; unstamped. */
  draw(random: Random, ref: number): Uint8Array {
    const count = random.chance(0.2) ? random.between(2, 4) : 1;
    const statements = Array.from({ length: count }, (): BoundStatement => {
      const isSeldom = ref <= 2 * SCHEMA.length || random.chance(0.015);
      const parts = isSeldom ? this.#seldom[ref % SELDOM.length] : this.#often[random.below(TEXTS.length)];
      return { parts, positional: parts[0].sql.includes("?") ? [BigInt(ref)] : [], named: null };
    });
    return encodeCommand({ kind: "execute", transaction: random.chance(0.3), statements });
  }
}
