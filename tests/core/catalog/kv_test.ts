/** Keys and sessions as the log applies them: conditions, indices, tombstones, and locks that end with their sessions. */
import { assertEquals, assertMatch, assertNotMatch } from "@std/assert";
import { type CatalogWrite, remove, upsert } from "../../../src/core/catalog/catalog.ts";
import {
  CHANGED_KEYS_QUERY,
  entriesUnder,
  forgetDeleted,
  indexOfKey,
  indexOfPrefix,
  type KvOp,
  kvWrites,
  namesUnder,
  watchNamesOfKey,
} from "../../../src/core/catalog/kv.ts";
import {
  deleteExpired,
  entriesAt,
  forgetHistory,
  HISTORY_BOUNDS,
  HISTORY_ENTRY,
  NEXT_END,
  versionsOf,
} from "../../../src/core/catalog/kv_history.ts";
import { withStoredNames } from "../../../src/core/catalog/names.ts";
import { migration } from "../../../src/core/catalog/schema.ts";
import { type BoundStatement, encodeCommand, stampCommand } from "../../../src/core/sql/command.ts";
import { splitStatements } from "../../../src/core/sql/statement.ts";
import { wholeText } from "../../../src/core/sql/result_text.ts";
import type { SqlValue } from "../../../src/core/sql/value.ts";
import { openStateMachine } from "../../../src/drivers/sqlite/state_machine.ts";
import { bind, PLAIN } from "../../drivers/sqlite/fixture.ts";

const START_MS = 1_700_000_000_000;

/** A catalog with a node `n`, its check `c` and a session on both; entries have the time `at.ms`. */
function catalogOf() {
  const at = { ms: START_MS };
  let index = 0;
  let results = "";
  const machine = openStateMachine(":memory:", {
    foreignKeys: false,
    deliver: (_, outcomes) => results = wholeText(outcomes[0].results),
  });
  const command = (isSystem: boolean, statements: readonly BoundStatement[]): string => {
    const body = encodeCommand({ kind: "request", transaction: true, isSystem, statements });
    stampCommand(body, { timeMs: at.ms, seed: { hi: 1, lo: 2 }, maxSteps: 1e9 });
    index++;
    machine.apply([{ index, term: 1, kind: "command", body, waiter: { port: 1, ref: 1, options: PLAIN } }]);
    return results;
  };
  const write = (...writes: readonly CatalogWrite[]): string =>
    command(true, writes.map(({ sql, positional }) => bind([sql, ...positional])));
  const mixed = (...statements: readonly BoundStatement[]): string => command(true, statements);
  const read = ({ sql, positional = [] }: { sql: string; positional?: readonly SqlValue[] }): unknown[][] =>
    JSON.parse(command(false, [bind([sql, ...positional])]))[0].values ?? [];
  write(...migration(0));
  write(
    upsert("nodes", ["name"], {
      name: "n",
      id: "i",
      address: "1.1.1.1",
      datacenter: "dc1",
      tagged_addresses: "{}",
      meta: "{}",
    }),
    check("passing"),
  );
  return { at, write, read, mixed, machine, index: () => index };
}

function check(status: string): CatalogWrite {
  const texts = { notes: "", output: "", service_id: "", service_name: "", type: "" };
  return upsert("checks", ["node", "id"], { node: "n", id: "c", name: "c", status, ...texts });
}

function session(id: string, behavior = "release", delayMs = 15_000n): CatalogWrite[] {
  return [
    {
      sql: "INSERT INTO _muster_sessions VALUES(?, '', 'n', ?, ?, '', '[]', '[]', 1, 1)",
      positional: [id, delayMs, behavior],
    },
    { sql: "INSERT INTO _muster_session_checks VALUES(?, 'N', 'c')", positional: [id] },
  ];
}

const EMPTY = { value: new Uint8Array(), flags: 0n, index: 0n, session: "" };

function op(verb: KvOp["verb"], key: string, more: Partial<KvOp> & { text?: string } = {}): readonly CatalogWrite[] {
  const { text, ...rest } = more;
  const value = text === undefined ? EMPTY.value : new TextEncoder().encode(text);
  return kvWrites({ verb, key, ...EMPTY, value, ...rest }).writes;
}

const FAILED = /^\[.*"error"/;
const ROW = { sql: "SELECT CAST(value AS TEXT), flags, session, lock_index, modify_index FROM _muster_kv" };

Deno.test("a key that stays as it is keeps its index; compare-and-set and delete-cas hold it to one", () => {
  const { write, read, machine } = catalogOf();
  assertNotMatch(write(...op("cas", "a", { text: "x", flags: 2n ** 64n - 1n })), FAILED);
  const [[value, flags, , , created]] = read(ROW);
  assertEquals([value, flags], ["x", -1]);
  assertMatch(write(...op("cas", "a", { text: "y" })), FAILED);
  write(...op("set", "a", { text: "x", flags: 2n ** 64n - 1n }));
  assertEquals(read(ROW)[0][4], created);
  assertMatch(write(...op("delete-cas", "a", { index: 0n })), FAILED);
  assertMatch(write(...op("delete-cas", "a", { index: 9999n })), FAILED);
  assertNotMatch(write(...op("cas", "a", { text: "z", index: BigInt(Number(created)) })), FAILED);
  const [[, , , , changed]] = read(ROW);
  assertNotMatch(write(...op("delete-cas", "a", { index: BigInt(Number(changed)) })), FAILED);
  assertNotMatch(write(...op("delete-cas", "a", { index: 5n })), FAILED); // there is nothing to lose
  assertEquals(read(ROW), []);
  machine.close();
});

Deno.test("prefixes: a deletion raises the index, forgetting it does not lower it, odd characters sort and bound", () => {
  const { at, write, read, machine, index } = catalogOf();
  const keys = ["a", "a/", "a/b", "a/\u{10ffff}", "a/\u{10ffff}x", "a0", "a\ud7ff", "b\ud7ff", "b\ue000", ""];
  for (const key of keys.slice(0, -1)) write(...op("set", key, { text: key }));
  const names = (prefix: string) => read(namesUnder(prefix)).map(([name]) => name);
  assertEquals(names("a/"), ["a/", "a/b", "a/\u{10ffff}", "a/\u{10ffff}x"]);
  assertEquals(names("a/\u{10ffff}"), ["a/\u{10ffff}", "a/\u{10ffff}x"]);
  assertEquals(names("b\ud7ff"), ["b\ud7ff"]);
  assertEquals(names("").length, 9);
  const value = (statement: { sql: string; positional: readonly string[] }) => read(statement)[0][0];
  const before = value(indexOfPrefix("a/"));
  write(...op("delete", "a/b"));
  const deleted = index();
  assertEquals(value(indexOfPrefix("a/")), deleted);
  assertEquals(value(indexOfPrefix("b")) === deleted, false);
  assertEquals(read({ sql: CHANGED_KEYS_QUERY, positional: [BigInt(deleted - 1)] }), [["a/b"]]);
  at.ms += 1000;
  write(...forgetDeleted(at.ms));
  assertEquals(read({ sql: "SELECT count(*) FROM _muster_tombstones" }), [[0]]);
  assertEquals(Number(value(indexOfPrefix("a/"))) >= deleted && deleted > Number(before), true);
  write(...op("delete-tree", "a/"));
  assertEquals(names("a"), ["a", "a0", "a\ud7ff"]);
  assertEquals(
    value(indexOfKey("missing")),
    value({ sql: "SELECT value FROM _muster_index WHERE name = 'kv'", positional: [] }),
  );
  assertEquals(read(entriesUnder("a0"))[0].slice(0, 4), ["a0", btoa("a0"), 0, ""]);
  assertEquals(watchNamesOfKey("ab"), ["kv/key/ab", "kv/prefix/", "kv/prefix/a", "kv/prefix/ab"]);
  machine.close();
});

Deno.test("a lock has one holder; it is free in the entry that ends the session, and for others after the delay alone", () => {
  const { at, write, read, machine } = catalogOf();
  write(...session("one"), ...session("two"));
  const take = (session: string) => !FAILED.test(write(...op("lock", "k", { text: session, session })));
  assertEquals(take("nobody"), false);
  assertEquals([take("one"), take("two"), take("one")], [true, false, true]);
  assertEquals(read(ROW)[0].slice(0, 4), ["one", 0, "one", 1]);
  assertMatch(write(...op("unlock", "k", { session: "two" })), FAILED);
  assertNotMatch(write(...op("unlock", "k", { session: "one", text: "free" })), FAILED);
  assertEquals(read(ROW)[0].slice(0, 4), ["free", 0, "", 1]);
  assertEquals(take("two"), true); // given back: no delay
  assertEquals(read(ROW)[0].slice(2, 4), ["two", 2]);
  write(check("critical"));
  assertEquals(read({ sql: "SELECT count(*) FROM _muster_sessions" }), [[0]]);
  assertEquals(read(ROW)[0].slice(2, 4), ["", 2]);
  write(check("passing"), ...session("three"));
  at.ms += 14_999;
  assertEquals(take("three"), false);
  at.ms += 1;
  assertEquals(take("three"), true);
  machine.close();
});

Deno.test("muster_fence() holds while the lock is held by the token that acquired it, and fails with a reason", () => {
  const { write, read, machine, index } = catalogOf();
  const fence = (token: number): string => {
    const [{ values, error }] = JSON.parse(write({
      sql: withStoredNames(splitStatements("SELECT muster_fence('k', ?)")[0]).sql,
      positional: [BigInt(token)],
    }));
    return error ?? JSON.stringify(values);
  };
  const lost = /bad JSON path: 'lock "k" is lost: \d+ is not the token that holds it'/;
  write(...session("one"), ...session("two"));
  assertMatch(fence(1), lost);
  write(...op("lock", "k", { session: "one" }));
  const first = index();
  assertEquals(read({ sql: "SELECT key, token FROM _muster_fences" }), [["k", first]]);
  assertEquals([fence(first), lost.test(fence(first + 1))], ["[[1]]", true]);
  write(...op("lock", "k", { session: "one", text: "again" }));
  write(...op("set", "k", { text: "a value" }));
  assertEquals(fence(first), "[[1]]", "the same holder keeps its token");
  write(...op("unlock", "k", { session: "one" }));
  assertMatch(fence(first), lost);
  write(...op("lock", "k", { session: "two" }));
  const second = index();
  assertEquals([fence(second), lost.test(fence(first))], ["[[1]]", true]);
  write(...op("delete", "k"));
  assertMatch(fence(second), lost);
  write(...op("lock", "k", { session: "one" }));
  const third = Number(read({ sql: "SELECT token FROM _muster_fences" })[0][0]);
  assertEquals([third > second, fence(third)], [true, "[[1]]"], "it grows though the key was deleted");
  write(remove("sessions", { id: "one" }));
  assertMatch(fence(third), lost);
  machine.close();
});

Deno.test("sessions end with their node, and those that delete take their keys along", () => {
  const { write, read, machine } = catalogOf();
  write(...session("kept", "delete", 0n));
  write(...op("lock", "k", { session: "kept" }), ...op("set", "other", { text: "x" }));
  write(remove("checks", { node: "n" }), remove("nodes", { name: "N" }));
  assertEquals(read({ sql: "SELECT key FROM _muster_kv" }), [["other"]]);
  assertEquals(read({ sql: "SELECT count(*) FROM _muster_session_checks" }), [[0]]);
  assertEquals(read({ sql: "SELECT key FROM _muster_tombstones" }), [["k"]]);
  assertEquals(read({ sql: "SELECT count(*) FROM _muster_lock_delays" }), [[0]]);
  machine.close();
});

Deno.test("the history tells what was there at each index, whatever changed it", () => {
  const { at, write, read, machine, index } = catalogOf();
  /** By index, all keys with their values. */
  const states = new Map<number, string>();
  const now = () =>
    JSON.stringify(read({ sql: "SELECT key, CAST(value AS TEXT), session FROM _muster_kv ORDER BY key" }));
  const done = (...writes: readonly CatalogWrite[]) => {
    at.ms += 1000;
    write(...writes);
    const changed = index();
    states.set(changed, now());
  };
  write(...session("one", "delete", 0n));
  done(...op("set", "a", { text: "1" }), ...op("set", "b", { text: "b" }));
  done(...op("set", "a", { text: "2" }), ...op("set", "a", { text: "3" }), ...op("set", "b", { text: "b" }));
  done(...op("delete", "a"));
  done(...op("delete", "b"), ...op("set", "b", { text: "anew" }), ...op("set", "a", { text: "again" }));
  done(...op("lock", "lock", { session: "one", text: "held" }));
  done(remove("sessions", { id: "one" }));
  done(...op("delete-tree", ""));
  for (const [changed, state] of states) {
    const { sql, positional } = entriesAt("", changed, { isPrefix: true });
    const found = read({ sql: `SELECT key, CAST(value AS TEXT), session FROM (${sql})`, positional });
    assertEquals(JSON.stringify(found), state, `at ${changed}`);
    const one = entriesAt("a", changed, { isPrefix: false });
    assertEquals(read(one).length, Number(state.includes('"a"')));
  }
  const versions = versionsOf("a");
  const shown = read({
    sql:
      `SELECT CAST(value AS TEXT), (modify_ms - ?) / 1000, (end_ms - modify_ms) / 1000, is_deleted FROM (${versions.sql})`,
    positional: [BigInt(START_MS), ...versions.positional],
  });
  assertEquals(shown, [["again", 4, 3, 1], ["3", 2, 1, 1], ["1", 1, 1, 0]]);
  machine.close();
});

Deno.test("the history has a limit, the oldest goes first, and it tells since when it is complete", () => {
  const { at, write, read, machine, index } = catalogOf();
  const limit = (bytes: number) =>
    write(upsert("config_entries", ["kind", "name"], { ...HISTORY_ENTRY, body: JSON.stringify({ MaxBytes: bytes }) }));
  const kept = () => Number(read({ sql: "SELECT count(*) FROM _muster_kv_history" })[0][0]);
  const since = () => Number(read({ sql: HISTORY_BOUNDS })[0][0]);
  const first = since();
  const indices: number[] = [];
  for (let nth = 0; nth < 20; nth++) {
    at.ms += 1000;
    write(...op("set", "k", { text: String(nth).padStart(799, "x") }));
    indices.push(Number(read({ sql: "SELECT modify_index FROM _muster_kv" })[0][0]));
  }
  assertEquals([kept(), since()], [19, first]);
  limit(5000); // each takes 1000
  at.ms += 1000;
  write(...op("set", "k", { text: "the last" }));
  assertEquals([kept(), since()], [5, indices[15]]);
  const value = (at: number) => read(entriesAt("k", at, { isPrefix: false })).length;
  assertEquals([value(indices[14]), value(indices[15]), value(indices[19])], [0, 1, 1]);
  write(...forgetHistory(at.ms)); // all but the last had ended before
  assertEquals([kept(), since()], [1, indices[19]]);
  limit(0);
  write(...op("delete", "k"));
  const deleted = index();
  assertEquals([kept(), since()], [0, deleted], "nothing is known of what was");
  machine.close();
});

Deno.test("a key that has a time to live is deleted behind it, unless it is written again", () => {
  const { at, write, read, machine } = catalogOf();
  const keys = () => read({ sql: "SELECT key FROM _muster_kv ORDER BY key" }).flat();
  assertMatch(write(...op("expire", "none", { index: 5000n })), /malformed JSON/, "there is no such key");
  write(...op("set", "a", { text: "x" }), ...op("expire", "a", { index: 5000n }));
  write(...op("set", "b", { text: "x" }), ...op("expire", "b", { index: 3000n }));
  assertEquals(read({ sql: NEXT_END }), [[START_MS + 3000]]);
  const [before] = read({ sql: "SELECT modify_index FROM _muster_kv WHERE key = 'b'" });
  at.ms += 2000;
  write(...op("set", "b", { text: "x" }), ...op("expire", "b", { index: 3000n }));
  assertEquals(read({ sql: "SELECT modify_index FROM _muster_kv WHERE key = 'b'" }), [before], "nothing has changed");
  write(deleteExpired(at.ms + 2999, 10));
  assertEquals(keys(), ["a", "b"]);
  write(deleteExpired(at.ms + 3000, 1));
  write(deleteExpired(at.ms + 3000, 1));
  assertEquals(keys(), []);
  write(...op("set", "c", { text: "x" }), ...op("expire", "c", { index: 1000n }), ...op("set", "c", { text: "x" }));
  write(deleteExpired(at.ms + 5000, 10));
  assertEquals([keys(), read({ sql: NEXT_END })], [["c"], [[null]]], "a write without a time takes it off");
  machine.close();
});

Deno.test("a client's statement among the cluster's own may do no more than a client, and fails with all of them", () => {
  const { write, read, mixed, machine } = catalogOf();
  const client = (sql: string) => ({ ...bind(sql), isOfClient: true });
  const own = (sql: string) => bind(sql);
  const put = own("INSERT INTO _muster_kv VALUES('k', x'', 0, '', 0, 1, 1, 0, 0)");
  write({ sql: "CREATE TABLE t(a)", positional: [] });
  assertMatch(mixed(put, client("INSERT INTO t VALUES(1) RETURNING a")), /"values":\[\[1\]\]/);
  const state = () => [read({ sql: "SELECT a FROM t" }), read({ sql: "SELECT key FROM _muster_kv" })];
  assertEquals(state(), [[[1]], [["k"]]]);
  for (
    const [sql, why] of [
      ["DELETE FROM _muster_kv", /belongs to the cluster/],
      ["UPDATE _muster_fences SET token = 1", /belongs to the cluster/],
      ["DROP TABLE _muster_kv", /belongs to the cluster/],
      ["COMMIT", /error/],
      ["INSERT INTO t VALUES(json('{'))", /malformed JSON/],
      ["INSERT INTO none VALUES(1)", /no such table/],
    ] as const
  ) {
    const found = mixed(own("DELETE FROM _muster_kv"), client("DELETE FROM t"), client(sql));
    assertMatch(found, why, sql);
    assertEquals(state(), [[[1]], [["k"]]], `${sql} has undone all`);
  }
  // What he has hidden in a trigger is his as well.
  mixed(client("CREATE TRIGGER hidden AFTER INSERT ON t BEGIN DELETE FROM _muster_kv; END"));
  assertMatch(
    mixed(own("UPDATE _muster_kv SET flags = 1"), client("INSERT INTO t VALUES(2)")),
    /belongs to the cluster/,
  );
  assertEquals(state(), [[[1]], [["k"]]]);
  machine.close();
});
