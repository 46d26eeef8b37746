/** The names of the cluster's own tables in SQL, and the writes that leave alone what has not changed. */
import { wholeText } from "../../../src/core/sql/result_text.ts";
import { assertEquals, assertMatch } from "@std/assert";
import { CATALOG_SCHEMA, remove, upsert } from "../../../src/core/catalog/catalog.ts";
import { bind, PLAIN } from "../../drivers/sqlite/fixture.ts";
import { encodeCommand, stampCommand } from "../../../src/core/sql/command.ts";
import { openStateMachine, type StateMachine } from "../../../src/drivers/sqlite/state_machine.ts";

const ROW = { name: "n", id: "i", address: "1.1.1.1", datacenter: "dc1", tagged_addresses: "{}", meta: "{}" };

/** A state machine that applies one entry after the other, as the cluster's own or a client's. */
function machineOf(): {
  run(isSystem: boolean, ...sql: [string, ...(string | bigint)[]][]): string;
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

Deno.test("the cluster writes its tables, clients read them; a row that stays as it is keeps its index", () => {
  const { run, machine } = machineOf();
  const write = (
    { sql, positional }: ReturnType<typeof upsert>,
  ): [string, ...(string | bigint)[]] => [sql, ...positional];
  const indices = () =>
    JSON.parse(
      run(false, [
        "SELECT n.create_index, n.modify_index, i.value FROM _muster_nodes n JOIN _muster_index i ON i.name = 'nodes'",
      ]),
    )[0].values;
  run(true, ...CATALOG_SCHEMA.map((sql): [string] => [sql]), write(upsert("nodes", ["name"], ROW)));
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
