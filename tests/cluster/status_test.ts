/** What `/status` and `/debug/vars` say of a node, where rqlite's tools look for it. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { nodePlace, until, withNodes } from "../harness/processes.ts";

type Section = Record<string, unknown>;

Deno.test("/status has rqlite's keys of the store with what holds on this node", () =>
  withNodes(async (root, start) => {
    const flags = [
      "-fk",
      "-raft-snap=50",
      "-raft-snap-int=7s",
      "-compress-snap-transport",
      "-raft-reap-node-timeout=2h",
    ];
    const node = start(nodePlace(root, "1"), flags);
    await node.ready();
    assertEquals(await node.status("store.fsm_update_time") === "", false, "the first entries of the term are applied");
    await node.execute("CREATE TABLE t(a)", "INSERT INTO t VALUES(1)");
    const store = await node.status("store") as Section;
    assertEquals(store.dir, node.place.directory);
    assert(Number(store.dir_size) > 16_000_000, "the log alone has 16 MiB");
    assertMatch(String(store.dir_size_friendly), /^\d+ MB$/);
    assertEquals(store.db_conf, { fk_constraints: true, extensions: [] });
    assertEquals(
      [store.snapshot_threshold, store.snapshot_interval, store.reap_timeout, store.reap_read_only_timeout],
      [50, "7s", "2h0m0s", "0s"],
    );
    assert(Math.abs(Date.parse(String(store.fsm_update_time)) - Date.now()) < 10_000);

    const raft = store.raft as Section;
    assertEquals(raft.transport, { compress_snap: true });
    assertEquals(raft.config, {
      LocalID: "1",
      HeartbeatTimeout: 1_000_000_000,
      ElectionTimeout: 1_000_000_000,
      SnapshotInterval: 7_000_000_000,
      SnapshotThreshold: 50,
      ShutdownOnRemove: false,
    });
    assertEquals(raft.log_size, (raft.log as Section).bytes);

    const { mem_stats, conn_pool_stats, pragmas } = store.sqlite3 as Record<string, Section>;
    assertEquals([mem_stats.page_size, Number(mem_stats.page_count) > 2], [4096, true]);
    assertEquals(conn_pool_stats.rw, { max_open_connections: 1, open_connections: 1, in_use: 0, idle: 1 });
    assertEquals((conn_pool_stats.ro as Section).max_open_connections, 4);
    assertEquals(pragmas, {
      rw: { synchronous: "1", journal_mode: "wal", foreign_keys: "1", wal_autocheckpoint: "0", busy_timeout: "5000" },
      ro: {
        synchronous: "1",
        journal_mode: "wal",
        foreign_keys: "1",
        wal_autocheckpoint: "1000",
        busy_timeout: "5000",
      },
    });
  }));

Deno.test("a snapshot is a checkpoint: the counter, the last index and the list move with it; a restart needs no restore", () =>
  withNodes(async (root, start) => {
    const place = nodePlace(root, "1");
    const node = start(place);
    await node.ready();
    const vars = async (of: typeof node) => await (await of.get("/debug/vars")).json();
    assertEquals((await vars(node)).store.num_snapshots, 0);
    await node.execute("CREATE TABLE t(a)");
    const applied = Number(await node.status("store.raft.applied_index"));
    await (await fetch(`${node.url}/snapshot`, { method: "POST" })).text();
    await until("a snapshot", async () => (await vars(node)).store.num_snapshots === 1 || undefined);
    const index = Number(await node.status("store.raft.last_snapshot_index"));
    assert(applied <= index && index <= Number(await node.status("store.raft.applied_index")), `${index}`);
    const term = await node.status("store.raft.last_snapshot_term");
    assertEquals(term, await node.status("store.raft.term"));
    const [id, ...others] = await node.status("store.snapshot_store.snapshots") as string[];
    assertMatch(id, new RegExp(`^${term}-${index}-\\d{13}$`));
    assertEquals(others, []);
    await (await fetch(`${node.url}/snapshot`, { method: "POST" })).text();
    await node.row("SELECT 1", "linearizable");
    const { store, cluster, memstats } = await vars(node);
    assertEquals([store.num_snapshots, store.num_restores_start, store.num_restores_start_skipped], [1, 0, 0]);
    assert(store.num_verify_leader >= 1 && store.num_verify_leader_failed === 0);
    assertEquals(cluster.num_stepdown_req, 0);
    const before = (await vars(node)).http;
    await node.send("/db/execute", ["CREATE TABLE counted(a)", "INSERT INTO counted VALUES(1)"]);
    await node.send("/db/query", ["SELECT a FROM counted"]);
    await node.send("/db/request", ["SELECT a FROM counted", "SELECT 1", "DELETE FROM counted"]);
    await (await fetch(`${node.url}/readyz`)).body?.cancel();
    await node.status("store");
    const { http } = await vars(node);
    const grown = ["execute_stmts_rx", "query_stmts_rx", "request_stmts_rx", "num_readyz", "num_status"]
      .map((name) => http[name] - before[name]);
    assertEquals(grown, [2, 1, 3, 1, 1]);
    assert(memstats.rss > 10_000_000 && memstats.heap_used > 0);
    assert(store.fsm_apply_duration_us > 0 && store.fsm_apply_duration_us < 5_000_000);
    const { db } = await vars(node);
    assert(db.checkpoints >= 1 && db.checkpointed_pages > 0 && db.checkpoint_errors === 0);
    await node.stop();

    const again = start(place);
    await again.ready();
    const { store: then } = await vars(again);
    assertEquals([then.num_snapshots, then.num_restores_start, then.num_restores_start_skipped], [0, 0, 1]);
  }));
