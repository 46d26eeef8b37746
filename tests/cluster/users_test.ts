/**
 * Users in real clusters: who is let in at a leader and through a follower, what SIGHUP changes, who may join.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { basic, bearer } from "../../src/app/users/credentials.ts";
import { hashPassword } from "../../src/app/users/password.ts";
import {
  clusterFlags,
  type NodePlace,
  nodePlace,
  type NodeProcess,
  type StartNode,
  until,
  withNodes,
} from "../harness/processes.ts";

const ROUNDS = 20_000;
const SECRET = "a-s3cret-of-root";
const TOKEN = "c0ffee00-1111-2222-3333-444444444444";
const LOADER = "10ader00-1111-2222-3333-444444444444";
const ROOT = basic("root", SECRET);

/** Users of a node's auth file, as its JSON has them. */
type FileUsers = readonly Readonly<Record<string, unknown>>[];

const EVERYBODY = { username: "*", perms: ["ready"] };
const LOADS = { username: "loader", token: LOADER, perms: ["load"] };
const JOINER = { username: "node", password: "joins", perms: ["join"] };

async function usersOf(...more: FileUsers): Promise<FileUsers> {
  const root = { username: "root", password: await hashPassword(SECRET, ROUNDS), perms: ["all"] };
  return [root, { username: "ci", token: TOKEN, perms: ["execute"] }, LOADS, EVERYBODY, JOINER, ...more];
}

function authPath({ directory }: NodePlace): string {
  return `${directory}-auth.json`;
}

function writeUsers(place: NodePlace, users: FileUsers): void {
  Deno.writeTextFileSync(authPath(place), JSON.stringify(users));
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

async function ask(node: NodeProcess, path: string, authorization: string, body?: string): Promise<Answer> {
  const response = await fetch(node.url + path, {
    method: body === undefined ? "GET" : "POST",
    headers: { "Content-Type": "application/json", ...(authorization === "" ? {} : { Authorization: authorization }) },
    ...(body === undefined ? {} : { body }),
    signal: AbortSignal.timeout(30_000),
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

async function execute(node: NodeProcess, authorization: string): Promise<number> {
  return (await ask(node, "/db/execute", authorization, `["INSERT INTO t VALUES (1)"]`)).status;
}

/** Three nodes with users, the leader first. */
async function startWithUsers(root: string, start: StartNode): Promise<NodeProcess[]> {
  const places = ["1", "2", "3"].map((id) => nodePlace(root, id));
  const users = await usersOf();
  const nodes = places.map((place) => {
    writeUsers(place, users);
    return start(place, [...clusterFlags(places), "-auth", authPath(place), "-join-as", "node"]);
  });
  await Promise.all(nodes.map((node) => node.ready()));
  const { text } = await ask(nodes[0], "/status?key=store.leader.node_id", ROOT);
  return nodes.sort((a, b) => Number(b.place.id === JSON.parse(text)) - Number(a.place.id === JSON.parse(text)));
}

Deno.test("a cluster lets in who may, at the leader and through a follower, and reads the file again (Q17.1, Q17.1.2)", () =>
  withNodes(async (root, start) => {
    const [leader, follower] = await startWithUsers(root, start);
    const made = await ask(leader, "/db/execute", ROOT, `["CREATE TABLE t (a)"]`);
    assertEquals([made.status, made.text], [200, `{"results":[{}]}`]);

    for (const node of [leader, follower]) {
      const stranger = await ask(node, "/db/execute", "", `["INSERT INTO t VALUES (1)"]`);
      assertEquals([stranger.status, stranger.text], [401, ""]);
      assertEquals(stranger.headers.get("WWW-Authenticate"), `Basic realm="rqlite"`);
      for (const wrong of [basic("root", "wrong"), basic("nobody", SECRET), bearer(`${TOKEN}0`)]) {
        assertEquals(await execute(node, wrong), 401);
      }
      assertEquals(await execute(node, ROOT), 200);
      assertEquals(await execute(node, bearer(TOKEN)), 200);
      assertEquals((await ask(node, "/status?key=http.auth", bearer(TOKEN))).status, 401);
      assertEquals((await ask(node, "/status?key=http.auth", ROOT)).text, `"enabled"`);
    }
    const { http } = JSON.parse((await ask(leader, "/debug/vars?key=http", ROOT)).text);
    assert(http.auth_ok > 0 && http.auth_fail > 0);

    // A follower writes what was queued for itself, and hands a file on with what its client has shown.
    const queued = await ask(follower, "/db/execute?queue&wait", bearer(TOKEN), `["INSERT INTO t VALUES (2)"]`);
    assertEquals(queued.status, 200, queued.text);
    assertEquals((await ask(leader, "/db/query?q=SELECT+count(*)+FROM+t+WHERE+a=2", ROOT)).status, 200);
    const copy = await fetch(`${leader.url}/db/backup`, { headers: { Authorization: ROOT } });
    const file = await copy.bytes();
    for (const [token, status] of [[`${TOKEN}0`, 401], [TOKEN, 401], [LOADER, 200]] as const) {
      const target = `${follower.url}/db/load?token=${token}`;
      const loaded = await fetch(target, { method: "POST", body: file, signal: AbortSignal.timeout(30_000) });
      assertEquals([loaded.status, await loaded.text()], [status, status === 200 ? `{"results":[]}` : ""]);
    }

    // Each node has its own file: one that the leader does not know is refused there.
    writeUsers(follower.place, await usersOf({ username: "mary", password: "pw", perms: ["execute"] }));
    follower.signal("SIGHUP");
    await follower.says(/read .* again: 6 users/);
    const there = await ask(follower, "/db/execute", basic("mary", "pw"), `["INSERT INTO t VALUES (1)"]`);
    assertEquals([there.status, there.text], [401, "remote Execute not authorized\n"]);

    // A file with a fault changes nothing, and its content is not repeated.
    Deno.writeTextFileSync(authPath(leader.place), `[{"username":"root","password":"${SECRET}`);
    leader.signal("SIGHUP");
    await leader.says(/the users stay as they were: .*auth\.json: \w+ at line 1, column \d+/);
    assertEquals(await execute(leader, ROOT), 200);

    writeUsers(leader.place, [{ username: "root", password: "another one", perms: ["all"] }]);
    leader.signal("SIGHUP");
    await leader.says(/read .* again: 1 users/);
    assertEquals(await execute(leader, ROOT), 401);
    assertEquals(await execute(leader, basic("root", "another one")), 200);

    const status = (await ask(leader, "/status", basic("root", "another one"))).text;
    for (const text of [leader.log, follower.log, status]) {
      for (const secret of [SECRET, TOKEN, "pbkdf2", "another one", basic("root", "another one").slice(6)]) {
        assert(!text.includes(secret), `found ${secret}`);
      }
    }
  }));

Deno.test("a node that joins shows a user who may: as a voter, or as a non-voter (Q17.1.4)", () =>
  withNodes(async (root, start) => {
    const first = nodePlace(root, "1");
    writeUsers(first, await usersOf({ username: "reader", token: TOKEN.replace("c", "d"), perms: ["join-read-only"] }));
    const leader = start(first, ["-auth", authPath(first)]);
    await leader.ready();
    const join = (id: string, ...flags: string[]) => {
      const place = nodePlace(root, id);
      Deno.copyFileSync(authPath(first), authPath(place));
      return start(place, ["-join", leader.clusterAddr, "-auth", authPath(place), "-join-interval", "100ms", ...flags]);
    };
    const refusals: [string[], RegExp][] = [
      [[], /unauthorized to join as a voter \(did you forget to set -join-as\?\)/],
      [["-join-as", "nobody"], /has no such user[^]*unauthorized to join as a voter \(did you forget/],
      [["-join-as", "reader"], /unauthorized to join as a voter\n/],
      [["-join-as", "node", "-raft-non-voter"], /unauthorized to join as a non-voter\n/],
      [["-join-as", "root"], /fatal: -join-as root: a node cannot show a password of which it has only a hash/],
    ];
    await Promise.all(refusals.map(async ([flags, said], at) => {
      const node = join(`refused-${at}`, "-join-attempts", "1", ...flags);
      assertEquals((await node.ended()).code, 1);
      assertMatch(node.log, said);
    }));
    const voter = join("voter", "-join-as", "node");
    const reader = join("reader", "-join-as", "reader", "-raft-non-voter");
    await Promise.all([voter.ready(), reader.ready()]);
    const nodes = await until("three nodes", async () => {
      const found = JSON.parse((await ask(leader, "/nodes?nonvoters", ROOT)).text);
      return Object.keys(found).length === 3 ? found : undefined;
    });
    assertEquals([nodes.voter.voter, nodes.reader.voter], [true, false]);
  }));

Deno.test("a node does not start with an auth file that has a fault, and says where it is", () =>
  withNodes(async (root, start) => {
    const place = nodePlace(root, "1");
    writeUsers(place, [{ username: "bob", password: SECRET, perms: ["everything"] }]);
    const node = start(place, ["-auth", authPath(place)]);
    assertEquals((await node.ended()).code, 1);
    assertMatch(
      node.log,
      /fatal: failed to get credential store: .*entry 1 \(bob\): element 1 of perms is no permission/,
    );
    assert(!node.log.includes(SECRET));
    const missing = start(nodePlace(root, "2"), ["-auth", `${root}/none.json`]);
    assertEquals((await missing.ended()).code, 1);
    assertMatch(missing.log, /fatal: failed to get credential store: .*none\.json/);
  }));
