/** Recovery by peers.json: what the file may say, and that all of the log counts as committed afterwards. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { encodeConfig } from "../../../src/core/raft/configuration.ts";
import type { Config, Entry } from "../../../src/core/raft/message.ts";
import { unpackEntries } from "../../../src/core/sql/exchange.ts";
import { MemberFile, waysBack } from "../../../src/drivers/cluster/member_file.ts";
import { parsePeers, recoverByFile, recoveredConfig, RecoveryError } from "../../../src/drivers/cluster/recovery.ts";
import { FileDisk } from "../../../src/drivers/log/files.ts";
import { LogStore } from "../../../src/drivers/log/store.ts";
import type { ReplicaOptions } from "../../../src/drivers/replica/api.ts";
import type { FromWriter, ToWriter } from "../../../src/drivers/sqlite/api.ts";

const CONFIG: Config = {
  at: 1,
  clusterId: "old",
  members: [
    { id: "1", storageId: "d1", addr: "h:1", role: "voter" },
    { id: "2", storageId: "d2", addr: "h:2", role: "voter" },
    { id: "3", storageId: "d3", addr: "h:3", role: "nonvoter" },
  ],
};
const ONE = { id: "1", address: "h:9", non_voter: false };

Deno.test("parsePeers() takes a list of members and says what is wrong with another one", () => {
  assertEquals(parsePeers(JSON.stringify([ONE, { id: "3", address: "[::1]:3", non_voter: true }])), [
    { id: "1", address: "h:9", isVoter: true },
    { id: "3", address: "[::1]:3", isVoter: false },
  ]);
  const cases: readonly (readonly [unknown, string])[] = [
    ["{", "it is not JSON"],
    [{}, "expected a list of members"],
    [[1], 'member 1 has no "id"'],
    [[{ id: "1", address: "h" }], 'the "address" of member "1" must be host:port'],
    [[{ ...ONE, non_voter: 1 }], '"non_voter" of member "1" must be true or false'],
    [[ONE, { ...ONE, address: "x:1" }], "two members have the id 1"],
    [[ONE, { ...ONE, id: "2" }], "two members have the address h:9"],
    [[{ ...ONE, non_voter: true }], "at least one member must be a voter"],
  ];
  for (const [value, message] of cases) {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    assertThrows(() => parsePeers(text), RecoveryError, message);
  }
});

Deno.test("recoveredConfig() keeps the disks of known members, under a new cluster id", async () => {
  const config = await recoveredConfig(parsePeers(JSON.stringify([ONE])), CONFIG, 7);
  assertEquals(config.members, [{ id: "1", storageId: "d1", addr: "h:9", role: "voter" }]);
  assertEquals([config.at, config.clusterId === "old"], [7, false]);
  const stranger = () => recoveredConfig(parsePeers(JSON.stringify([{ ...ONE, id: "x" }])), CONFIG, 7);
  await assertRejects(stranger, RecoveryError, 'node "x" was no member');
});

/** A log of a configuration and two writes, none of them known to be committed. */
async function writeLog(directory: string): Promise<void> {
  const persisted = Promise.withResolvers<void>();
  const store = openLog(directory, persisted.resolve);
  const command = (index: number): Entry => ({ index, term: 2, kind: "command", body: new Uint8Array(8) });
  const append: Entry[] = [{ index: 1, term: 2, kind: "config", body: encodeConfig(CONFIG) }, command(2), command(3)];
  store.persist({ ticket: 1, hard: { term: 2, vote: "1" }, append, commit: 1 });
  await persisted.promise;
  await store.close();
}

function openLog(directory: string, onPersisted: () => void = () => {}, applied = 0): LogStore {
  return LogStore.open(new FileDisk(directory), { identity: { nodeId: "1", storageId: "d1" }, applied }, {
    onPersisted,
    onSpace() {},
    onInstall: () => undefined,
    onFatal(error) {
      throw error;
    },
    log() {},
  });
}

async function withDirectory(work: (directory: string, writer: MessagePort, given: number[]) => Promise<void>) {
  const directory = await Deno.makeTempDir({ prefix: "muster-recovery-" });
  const { port1, port2 } = new MessageChannel();
  const given: number[] = [];
  port2.onmessage = ({ data }: MessageEvent<ToWriter>) => {
    if (data.k !== "apply") return;
    for (const { index } of unpackEntries(data.entries)) given.push(index);
    const answer: FromWriter = { k: "applied", index: given.at(-1) ?? 0, term: 2, durable: 0 };
    port2.postMessage(answer);
  };
  try {
    await work(directory, port1, given);
  } finally {
    port1.close();
    port2.close();
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("recoverByFile() applies the whole log, writes the new configuration, and renames the file", () =>
  withDirectory(async (directory, writer, given) => {
    const log: string[] = [];
    const options = { directory, nodeId: "1", storageId: "d1", advertisedAddr: "h:1" } as ReplicaOptions;
    const parts = { options, writer, applied: 1, fatal() {}, log: (line: string) => log.push(line) };
    await writeLog(directory);
    assertEquals(await recoverByFile(parts), 1, "without a file nothing is done");
    await Deno.writeTextFile(`${directory}/peers.json`, '[\n  {"id": "1", "address": "h:9"},\n]\n');
    const comma = `${directory}/peers.json: not valid JSON at line 3, column 1: value expected`;
    await assertRejects(() => recoverByFile(parts), RecoveryError, comma);
    await Deno.writeTextFile(`${directory}/peers.json`, "[]");
    await assertRejects(() => recoverByFile(parts), RecoveryError, `${directory}/peers.json: at least one member`);
    await Deno.writeTextFile(`${directory}/peers.json`, JSON.stringify([ONE]));
    assertEquals(await recoverByFile(parts), 3);
    assertEquals(given, [2, 3]);
    assert(log.includes(`no member of ${directory}/peers.json has this node's address h:1`));
    assertEquals(log.at(-1), "recovered: 2 entries that were not known to be committed are; the members are 1 at h:9");
    const names = [...Deno.readDirSync(directory)].map(({ name }) => name);
    assertEquals([names.includes("peers.json"), names.includes("peers.info")], [false, true]);
    const store = openLog(directory, () => {}, 3);
    const { hard, last, commit, configs } = store.recovered;
    assertEquals([hard, last, commit], [{ term: 3, vote: null }, { index: 3, term: 2 }, 3]);
    assertEquals(configs.at(-1)?.members.map(({ addr }) => addr), ["h:9"]);
    await store.close();
  }));

Deno.test("the members of the last configuration are kept in a file, as ways back into the cluster", () =>
  withDirectory(async (directory) => {
    assertEquals(waysBack(directory, "1", ["j:1"]), ["j:1"], "there is no file yet");
    const log: string[] = [];
    const file = new MemberFile(directory, (line) => log.push(line));
    file.write(CONFIG);
    await file.flush();
    assertEquals(parsePeers(await Deno.readTextFile(`${directory}/members.json`)).map(({ id }) => id), ["1", "2", "3"]);
    assertEquals(waysBack(directory, "1", ["h:2", "j:1"]), ["h:2", "h:3", "j:1"]);
    assertEquals(waysBack(directory, "9", ["j:1"]), [], "it was removed");
    const nowhere = new MemberFile(`${directory}/none`, (line) => log.push(line));
    nowhere.write(CONFIG);
    await nowhere.flush();
    assertEquals([log.length, log[0].startsWith(`could not write ${directory}/none/members.json: `)], [1, true]);
  }));
