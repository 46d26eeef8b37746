/**
 * rqlite-js as its documentation shows it: `node client.js LEADER FOLLOWER SECURED`, each HOST:PORT; the last one wants the
 * user mary with the password secret2. Fails at the first wrong value.
 */
import assert from "node:assert/strict";
import http from "node:http";
const { BackupApiClient, DataApiClient, StatusApiClient } = await import("rqlite-js"); // which only node has here

const [leader, follower, secured] = process.argv.slice(2).map((address) => `http://${address}`);

/** The results, or the first error among them, as the documentation checks for it. */
async function checked(pending) {
  const results = await pending;
  if (results.hasError()) throw results.getFirstError();
  return results;
}

async function writesAndReads(url) {
  const client = new DataApiClient(url);
  await checked(client.execute("CREATE TABLE foo (id integer not null primary key, name text)"));
  const inserted = await checked(client.execute(`INSERT INTO foo(name) VALUES("fiona")`));
  const id = inserted.get(0).getLastInsertId();
  assert.deepEqual([id, inserted.get(0).getRowsAffected()], [1, 1]);
  const one = await checked(client.query(`SELECT name FROM foo WHERE id="${id}"`));
  assert.equal(one.get(0).get("name"), "fiona");
  assert.deepEqual(one.get(0).toObject(), { name: "fiona" });
  const updated = await checked(client.execute(`UPDATE foo SET name="justin" WHERE name="fiona"`));
  assert.equal(updated.get(0).getRowsAffected(), 1);
  const raw = await client.query("SELECT * FROM foo", { raw: true });
  assert.deepEqual([raw.status, raw.body], [200, {
    results: [{ columns: ["id", "name"], types: ["integer", "text"], values: [[1, "justin"]] }],
  }]);
}

async function parametersAndTypes(url) {
  const client = new DataApiClient(url);
  await checked(
    client.execute("CREATE TABLE kinds (i INTEGER, r REAL, t TEXT, b BLOB, n TEXT, d DATETIME, o BOOLEAN)"),
  );
  const insert = "INSERT INTO kinds VALUES(?, ?, ?, x'00ff10', ?, ?, ?)";
  await checked(client.execute([[insert, 9007199254740991, 1.5, "naïve 🙂 'q'", null, "2026-11-29 01:02:03", true]]));
  const named = "INSERT INTO kinds(i, t) VALUES(:i, :t)";
  await checked(client.execute([[named, { i: -1, t: "named" }]]));
  const rows = await checked(client.query("SELECT * FROM kinds ORDER BY i DESC"));
  assert.deepEqual(rows.toArray(), [
    {
      i: 9007199254740991,
      r: 1.5,
      t: "naïve 🙂 'q'",
      b: "AP8Q",
      n: null,
      d: "2026-11-29T01:02:03Z",
      o: true,
    },
    { i: -1, r: null, t: "named", b: null, n: null, d: null, o: null },
  ]);
  const chosen = await checked(
    client.query([["SELECT t FROM kinds WHERE i=?", -1], ["SELECT count(*) AS n FROM kinds"]]),
  );
  assert.deepEqual(chosen.toArray(), [{ t: "named" }, { n: 2 }]);
}

async function transactions(url) {
  const client = new DataApiClient(url);
  await checked(client.execute("CREATE TABLE bar (id integer not null primary key, name text)"));
  const both = await checked(client.execute([
    `INSERT INTO foo(name) VALUES("fiona")`,
    `INSERT INTO bar(name) VALUES("test")`,
  ], { transaction: true }));
  assert.deepEqual([both.get(0).getLastInsertId(), both.get(1).getLastInsertId()], [2, 1]);
  for (const atomic of [{ transaction: true }, {}]) {
    const results = await client.execute([
      `INSERT INTO bar(name) VALUES("more")`,
      `INSERT INTO bar(id, name) VALUES(1, "twice")`,
    ], atomic);
    assert.equal(results.hasError(), true);
    assert.equal(results.getFirstError().message, "UNIQUE constraint failed: bar.id");
    const { n } = (await checked(client.query("SELECT count(*) AS n FROM bar"))).get(0).toObject();
    assert.equal(n, atomic.transaction ? 1 : 2); // in a transaction all or nothing
  }
  const bulk = Array.from({ length: 500 }, (_, at) => ["INSERT INTO bar(name) VALUES(?)", `name-${at}`]);
  const inserted = await checked(client.execute(bulk, { transaction: true }));
  assert.deepEqual([inserted.getResults().length, inserted.get(499).getLastInsertId()], [500, 502]);
}

async function levels(url) {
  const client = new DataApiClient(url);
  const count = "SELECT count(*) AS n FROM bar";
  for (const level of ["weak", "linearizable", "strong", "auto"]) {
    assert.deepEqual((await checked(client.query(count, { level }))).toArray(), [{ n: 502 }], level);
    assert.deepEqual((await checked(client.query([count, count], { level }))).toArray(), [{ n: 502 }, { n: 502 }]);
  }
  // The follower's own copy, which has what it has read at a stronger level.
  assert.deepEqual((await checked(client.query(`SELECT name FROM foo WHERE id=1`, { level: "none" }))).toArray(), [
    { name: "justin" },
  ]);
  const { time } = await checked(client.query(count, { timings: true }));
  assert.equal(time > 0, true);
}

async function errors(url) {
  const client = new DataApiClient(url);
  for (const send of [(sql) => client.execute(sql), (sql) => client.query(sql)]) {
    const results = await send("SELEC 1");
    assert.equal(results.hasError(), true);
    assert.equal(results.getFirstError().message, `near "SELEC": syntax error`);
  }
  const missing = await client.query("SELECT * FROM missing");
  assert.equal(missing.getFirstError().message, "no such table: missing");
}

async function hostsAndAgents(urls) {
  const httpAgent = new http.Agent({ keepAlive: true });
  const client = new DataApiClient(urls, { httpAgent });
  for (let round = 0; round < 6; round++) {
    const rows = await checked(client.query("SELECT name FROM foo WHERE id=1", { level: "none" }));
    assert.deepEqual(rows.toArray(), [{ name: "justin" }]);
  }
  httpAgent.destroy();
}

/** The whole of a stream. */
async function taken(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

async function backups(url) {
  const client = new BackupApiClient(url);
  assert.equal((await taken(await client.backup())).subarray(0, 15).toString(), "SQLite format 3");
  assert.match((await taken(await client.backup("sql"))).toString(), /^PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n/);
  await taken(await client.load("CREATE TABLE loaded (a); INSERT INTO loaded VALUES (7);"));
  assert.deepEqual((await checked(new DataApiClient(url).query("SELECT a FROM loaded"))).toArray(), [{ a: 7 }]);
  const { body } = await new StatusApiClient(url).status();
  assert.equal(body.store.leader.addr !== "", true);
}

async function users(url) {
  const client = new DataApiClient(url, { authentication: { username: "mary", password: "secret2" } });
  await checked(client.execute("CREATE TABLE foo (a)"));
  assert.deepEqual((await checked(client.query("SELECT count(*) AS n FROM foo", { level: "strong" }))).toArray(), [
    { n: 0 },
  ]);
  for (const options of [{}, { authentication: { username: "mary", password: "wrong" } }]) {
    await assert.rejects(new DataApiClient(url, options).query("SELECT 1"), { status: 401 });
  }
}

await writesAndReads(leader);
await parametersAndTypes(follower);
await transactions(follower);
await levels(follower);
await errors(leader);
await errors(follower);
await hostsAndAgents([leader, follower]);
await backups(follower);
await users(secured);
console.log("all as documented");
