/** The files of gossip while they cannot be written, and after that (G5.10, G5.12). */
import { assertEquals, assertMatch } from "@std/assert";
import { encodeKeyText } from "../../../src/core/swim/key_text.ts";
import { Keyring } from "../../../src/core/swim/keyring.ts";
import {
  beginKeyring,
  hasKeyring,
  KeyringFile,
  readKeyring,
  remembersOthers,
  SnapshotFile,
  startKeys,
} from "../../../src/drivers/membership/files.ts";
import { Membership } from "../../../src/drivers/membership/membership.ts";
import { withDirectory } from "../../harness/directory.ts";

/** Something that is in the way of each new file of that name, as a full disk is. */
async function obstruct(directory: string, name: string): Promise<() => Promise<void>> {
  const path = `${directory}/${name}.new`;
  await Deno.mkdir(`${path}/in the way`, { recursive: true });
  return () => Deno.remove(path, { recursive: true });
}

function opener(directory: string, rejoinAfterLeave = false) {
  const said: string[] = [];
  const options = {
    rejoinAfterLeave,
    onError: (error: unknown) => said.push(String(error)),
    onRecovery: () => said.push("recovered"),
  };
  return { said, open: () => new SnapshotFile(directory, options) };
}

Deno.test("a snapshot that cannot be written does not end the node, and is written whole when there is room", () =>
  withDirectory(async (directory) => {
    const { said, open } = opener(directory);
    const first = open();
    first.add({ k: "alive", name: "old", address: "10.0.0.1:1" });
    first.close();
    const clear = await obstruct(directory, "members.snapshot");
    const file = open();
    assertEquals([...file.snapshot.alive.keys()], ["old"], "what is in the file is known all the same");
    file.add({ k: "not-alive", name: "old" });
    file.add({ k: "alive", name: "new", address: "10.0.0.2:1" });
    file.flush();
    file.flush();
    assertEquals(said.length, 1, "said once");
    assertMatch(said[0], /Cannot write .*\/members\.snapshot: /);
    await clear();
    file.flush();
    assertEquals(said.slice(1), ["recovered"]);
    file.add({ k: "alive", name: "later", address: "10.0.0.3:1" });
    file.flush();
    const [again, alive] = [open(), ["new", "later"]];
    assertEquals([...again.snapshot.alive.keys()], alive);
    again.close();
    file.close();
  }));

Deno.test("a node that left while the snapshot could not be written stays away", () =>
  withDirectory(async (directory) => {
    const { open } = opener(directory);
    open().close();
    const first = open();
    first.add({ k: "alive", name: "other", address: "10.0.0.1:1" });
    first.close();
    const clear = await obstruct(directory, "members.snapshot");
    const file = open();
    file.add({ k: "leave" });
    file.close();
    await clear();
    const again = open();
    assertEquals(again.snapshot.alive.size, 0);
    again.close();
  }));

Deno.test("a leave outlasts the compaction of the file, and counts unless a rejoin is wanted", () =>
  withDirectory(async (directory) => {
    const { open } = opener(directory, true);
    const file = open();
    file.add({ k: "alive", name: "other", address: "10.0.0.1:1" });
    file.add({ k: "leave" });
    file.flush();
    for (let nth = 0; nth < 4000; nth++) {
      file.add({ k: "clocks", clocks: { member: BigInt(nth), event: 10n ** 18n, query: 10n ** 18n } });
    }
    file.flush();
    file.close();
    const rejoining = opener(directory, true).open();
    assertEquals(rejoining.snapshot.alive.size, 1);
    rejoining.close();
    await Deno.writeTextFile(`${directory}/members.snapshot`, "alive: other 10.0.0.1:1\nleave\n");
    const staying = opener(directory).open();
    assertEquals(staying.snapshot.alive.size, 0);
    staying.close();
  }));

Deno.test("a keyring that cannot be written says why, and is written when there is room", () =>
  withDirectory(async (directory) => {
    const said: string[] = [];
    const file = new KeyringFile(directory, {
      onError: (error) => said.push(String(error)),
      onRecovery: () => said.push("recovered"),
    });
    const keyring = new Keyring([new Uint8Array(32).fill(1)]);
    const clear = await obstruct(directory, "keyring.json");
    assertMatch(file.keep(keyring) ?? "", /^Cannot write .*\/keyring\.json: /);
    assertMatch(file.keep(keyring) ?? "", /^Cannot write /);
    assertEquals([said.length, readKeyring(directory)], [1, undefined]);
    await clear();
    assertEquals(file.keep(keyring), undefined);
    assertEquals([said[1], readKeyring(directory)?.keys], ["recovered", keyring.keys]);
    file.close();
  }));

Deno.test("an operation on keys that could not be kept is answered as failed, with the reason", () =>
  withDirectory(async (directory) => {
    const key = (fill: number) => encodeKeyText(new Uint8Array(32).fill(fill));
    const config = { name: "one", bind: { host: "127.0.0.1", port: 0 }, tags: {}, directory, encryptionKey: key(1) };
    const node = await Membership.start({ ...config, advertise: { host: "127.0.0.1", port: 0 } });
    try {
      const clear = await obstruct(directory, "keyring.json");
      const failed = await node.keys("install", { key: key(2) });
      assertEquals([failed.responses, failed.failures], [1, 1]);
      assertMatch(failed.messages.one, /^Cannot write .*\/keyring\.json: /);
      await clear();
      const { failures } = await node.keys("use", { key: key(2) });
      assertEquals([failures, readKeyring(directory)?.keys.length], [0, 2]);
    } finally {
      await node.close();
    }
  }));

Deno.test("a kept keyring wins over another key, unless no other member was ever met by it", () =>
  withDirectory(async (directory) => {
    const key = (fill: number) => encodeKeyText(new Uint8Array(32).fill(fill));
    const start = (text?: string) => {
      const { keyring, from, isOther } = startKeys(directory, text);
      return [keyring?.primary[0], from, isOther];
    };
    assertEquals([start(), start(key(1)), hasKeyring(directory)], [
      [undefined, "nowhere", false],
      [1, "new", false],
      false,
    ]);
    const { keyring } = startKeys(directory, key(1));
    if (keyring) beginKeyring(directory, keyring);
    assertEquals([start(), start(key(1)), hasKeyring(directory)], [[1, "kept", false], [1, "kept", false], true]);
    assertEquals(start(key(2)), [2, "new", false], "the first key may have been wrong");
    const one = await startNode(directory, "one", key(2));
    const two = await startNode(undefined, "two", key(2));
    const { port } = one.node.local;
    assertEquals((await two.node.join([`127.0.0.1:${port}`])).joined, 1);
    await Promise.all([one.node.close(), two.node.close()]);
    assertEquals([start(), start(key(1)), start(key(2))], [[2, "kept", false], [2, "kept", true], [2, "kept", false]]);
    const again = await startNode(directory, "one", key(1));
    await again.node.close();
    assertEquals(again.said, ["WARNING: LAN keyring exists but -encrypt given, using keyring"]);
    assertEquals(one.said, []);
  }));

async function startNode(directory: string | undefined, name: string, encryptionKey: string) {
  const address = { host: "127.0.0.1", port: 0 };
  const config = { name, bind: address, advertise: address, tags: {}, encryptionKey, ...(directory && { directory }) };
  const said: string[] = [];
  const log = (line: string, level: string) => level === "warn" ? void said.push(line) : undefined;
  return { node: await Membership.start(config, { log }), said };
}

Deno.test("a directory remembers others until the node has left them", () =>
  withDirectory(async (directory) => {
    assertEquals(remembersOthers(directory, "own"), false, "there is no file");
    const file = opener(directory).open();
    file.add({ k: "alive", name: "own", address: "192.0.2.1:8302" });
    file.flush();
    assertEquals(remembersOthers(directory, "own"), false);
    file.add({ k: "alive", name: "other", address: "192.0.2.2:8302" });
    file.flush();
    assertEquals(remembersOthers(directory, "own"), true);
    file.add({ k: "leave" });
    file.close();
    assertEquals(remembersOthers(directory, "own"), false);
    await Deno.remove(`${directory}/members.snapshot`);
    await Deno.mkdir(`${directory}/members.snapshot`);
    assertEquals(remembersOthers(directory, "own"), false, "it cannot be read");
  }));
