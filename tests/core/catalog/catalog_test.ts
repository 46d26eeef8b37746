/** The names of the cluster's own tables in SQL, and the writes that leave alone what has not changed. */
import { wholeText } from "../../../src/core/sql/result_text.ts";
import { assertEquals, assertMatch } from "@std/assert";
import { type CatalogWrite, expectRow, remove, upsert } from "../../../src/core/catalog/catalog.ts";
import { CATALOG_VERSION, migration, VERSION_QUERY } from "../../../src/core/catalog/schema.ts";
import { CHANGES_QUERY, forgetGone, indexQuery, watchName } from "../../../src/core/catalog/watch.ts";
import { bind, PLAIN } from "../../drivers/sqlite/fixture.ts";
import { encodeCommand, stampCommand } from "../../../src/core/sql/command.ts";
import type { SqlValue } from "../../../src/core/sql/value.ts";
import { openStateMachine, type StateMachine } from "../../../src/drivers/sqlite/state_machine.ts";

const ROW = { name: "n", id: "i", address: "1.1.1.1", datacenter: "dc1", tagged_addresses: "{}", meta: "{}" };

/** A state machine that applies one entry after the other, as the cluster's own or a client's. */
function machineOf(): {
  run(isSystem: boolean, ...sql: [string, ...SqlValue[]][]): string;
  machine: StateMachine;
} {
  let index = 0;
  let results = "";
  const machine = openStateMachine(":memory:", {
    foreignKeys: false,
    deliver: (_, outcomes) => results = wholeText(outcomes[0].results),
  });
  return {
    machine,
    run(isSystem, ...sql) {
      const statements = sql.map((one) => bind(one));
      const body = encodeCommand({ kind: "request", transaction: true, isSystem, statements });
      stampCommand(body, { timeMs: 1_700_000_000_000, seed: { hi: 1, lo: 2 }, maxSteps: 1e9 });
      index++;
      machine.apply([{ index, term: 1, kind: "command", body, waiter: { port: 1, ref: 1, options: PLAIN } }]);
      return results;
    },
  };
}

function write({ sql, positional }: CatalogWrite): [string, ...SqlValue[]] {
  return [sql, ...positional];
}

Deno.test("the cluster writes its tables, clients read them; a row that stays as it is keeps its index", () => {
  const { run, machine } = machineOf();
  const indices = () =>
    JSON.parse(
      run(false, [
        "SELECT n.create_index, n.modify_index, i.value FROM _muster_nodes n JOIN _muster_index i ON i.name = 'nodes'",
      ]),
    )[0].values;
  run(true, ...migration(0).map(write), write(upsert("nodes", ["name"], ROW)));
  assertEquals(indices(), [[1, 1, 1]]);
  run(true, write(upsert("nodes", ["name"], ROW)));
  assertEquals(indices(), [[1, 1, 1]]);
  run(true, write(upsert("nodes", ["name"], { ...ROW, address: "2.2.2.2" })));
  assertEquals(indices(), [[1, 5, 5]]);
  assertMatch(
    run(false, ["UPDATE _muster_nodes SET id = 'x'"]),
    /table _muster_nodes cannot be changed: it belongs to the cluster/,
  );
  for (
    const sql of [
      "DROP TABLE _muster_nodes",
      "CREATE TRIGGER t AFTER INSERT ON _muster_nodes BEGIN SELECT 1; END",
      "DROP TRIGGER _muster_nodes_insert",
      "ALTER TABLE _muster_nodes ADD x",
      "DELETE FROM _muster_index",
      "CREATE TABLE _muster_new(x)",
    ]
  ) {
    assertMatch(run(false, [sql]), /cannot be changed: it belongs to the cluster/, sql);
  }
  run(true, write(remove("nodes", { name: "N" })));
  assertEquals(JSON.parse(run(false, ["SELECT value FROM _muster_index WHERE name = 'nodes'"]))[0].values, [[14]]);
  assertEquals(indices(), undefined);
  machine.close();
});

const SERVICE = { node: "n", id: "1", name: "Web", tags: "[]", address: "", port: 80n, meta: "{}" };
const CHECK = {
  node: "n",
  id: "c",
  name: "c",
  status: "passing",
  notes: "",
  output: "",
  service_id: "",
  service_name: "",
  type: "",
};

Deno.test("a change is noted under the names that see it, and no others", () => {
  const { run, machine } = machineOf();
  run(true, ...migration(0).map(write));
  const names = [
    "nodes",
    "services",
    "checks",
    watchName("nodes", "name", "N"),
    watchName("nodes", "name", "other"),
    watchName("services", "name", "WEB"),
    watchName("services", "name", "db"),
    watchName("services", "node", "n"),
    watchName("checks", "node", "n"),
    watchName("health", "name", "web"),
    watchName("health", "name", "db"),
  ];
  /** The names that change. */
  const changedBy = (...writes: CatalogWrite[]): string[] => {
    run(true, ...writes.map(write));
    const at = machine.applied;
    const changed = names.filter((name) => {
      const { sql, positional } = indexQuery([name]);
      return JSON.parse(run(false, [sql, ...positional]))[0].values[0][0] === at;
    });
    const told: [string, number][] = JSON.parse(run(false, [CHANGES_QUERY, BigInt(at - 1)]))[0].values;
    assertEquals(told.map(([name]) => name).filter((name) => names.includes(name)).sort(), [...changed].sort());
    return changed;
  };
  const [nodes, services, checks, n, , web, db, ofNode, checked, healthOfWeb, healthOfDb] = names;
  assertEquals(changedBy(upsert("nodes", ["name"], ROW)), [nodes, n]);
  assertEquals(changedBy(upsert("services", ["node", "id"], SERVICE)), [services, web, ofNode, healthOfWeb]);
  assertEquals(changedBy(upsert("services", ["node", "id"], SERVICE)), []);
  assertEquals(changedBy(upsert("checks", ["node", "id"], CHECK)), [checks, checked, healthOfWeb]);
  const ofDb = { ...CHECK, id: "db", service_id: "2", service_name: "DB" };
  assertEquals(changedBy(upsert("checks", ["node", "id"], ofDb)), [checks, checked]);
  assertEquals(changedBy(upsert("nodes", ["name"], { ...ROW, address: "2.2.2.2" })), [nodes, n, web, healthOfWeb]);
  assertEquals(changedBy(upsert("services", ["node", "id"], { ...SERVICE, name: "db" })), [
    services,
    web,
    db,
    ofNode,
    healthOfWeb,
    healthOfDb,
  ]);
  assertEquals(changedBy(remove("checks", { node: "n", id: "db" })), [checks, checked, healthOfDb]);
  assertEquals(changedBy(remove("services", { node: "N" })), [services, db, ofNode, healthOfDb]);
  assertEquals(changedBy(...forgetGone()), []);
  const left: [string, number][] = JSON.parse(run(false, [CHANGES_QUERY, 0n]))[0].values;
  assertEquals(left.map(([name]) => name).sort(), [
    "acl_policies",
    "acl_roles",
    "acl_tokens",
    "acl_users",
    "checks",
    "checks/node/n",
    "checks/service_name/",
    "config_entries",
    "kv",
    "kv_history",
    "members",
    "nodes",
    "nodes/id/i",
    "nodes/name/n",
    "queries",
    "services",
    "sessions",
    "version",
  ]);
  machine.close();
});

Deno.test("a guard that does not hold undoes its command: another leader has migrated, a row has changed", () => {
  const { run, machine } = machineOf();
  const rows = () => JSON.parse(run(false, ["SELECT name, address, modify_index FROM _muster_nodes"]))[0].values;
  run(true, ...migration(0).map(write));
  assertEquals(JSON.parse(run(false, [VERSION_QUERY]))[0].values, [[CATALOG_VERSION]]);
  assertMatch(run(true, ...migration(1).map(write)), /^\[\{"error":"malformed JSON"/);
  const expecting = (index: bigint, address: string) =>
    run(true, write(expectRow("nodes", { name: "N" }, index)), write(upsert("nodes", ["name"], { ...ROW, address })));
  assertMatch(expecting(7n, "2.2.2.2"), /error/);
  assertEquals(rows(), undefined);
  expecting(0n, "2.2.2.2");
  assertEquals(rows(), [["n", "2.2.2.2", 6]]);
  assertMatch(expecting(0n, "3.3.3.3"), /error/);
  expecting(6n, "3.3.3.3");
  assertEquals(rows(), [["n", "3.3.3.3", 9]]);
  machine.close();
});
