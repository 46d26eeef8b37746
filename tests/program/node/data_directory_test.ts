/** A new data directory: it is there after a power loss, with all the directories that were made for it. */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { noteDamage } from "../../../src/program/node/damage.ts";
import { DataDirectoryError, openDataDirectory } from "../../../src/program/node/data_directory.ts";

Deno.test("every directory that got a new one in it is synced, and none when the directory was there", async () => {
  const root = await Deno.makeTempDir({ prefix: "muster-directory-" });
  const open = Deno.openSync;
  const synced: string[] = [];
  Deno.openSync = (path, options) => {
    const file = open(path, options);
    const sync = file.syncSync.bind(file);
    file.syncSync = () => {
      synced.push(String(path).replace(root, ""));
      sync();
    };
    return file;
  };
  try {
    openDataDirectory(`${root}/new//deep/data/`, "1").release();
    assertEquals(synced.slice(0, 3), ["/new//deep", "/new", ""]);
    assertEquals(synced.filter((path) => path === "/new/deep/data").length >= 3, true); // raft, sqlite, gossip
    synced.length = 0;
    openDataDirectory(`${root}/new/deep/data`, "1").release();
    assertEquals(synced, []);
  } finally {
    Deno.openSync = open;
    await Deno.remove(root, { recursive: true });
  }
});

/** A directory of its own, gone afterwards. */
function inDirectory(work: (path: string) => void): void {
  const root = Deno.makeTempDirSync({ prefix: "muster-directory-" });
  try {
    work(`${root}/data`);
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}

Deno.test("a directory keeps the ids of its node, and is refused to another one, to a second process and to unknown formats", () =>
  inDirectory((path) => {
    const first = openDataDirectory(path, "");
    assertEquals([first.isNew, first.nodeId.length, first.rejoin], [true, 36, []]);
    assertThrows(() => openDataDirectory(path, ""), DataDirectoryError, "is in use by another process");
    first.release();
    const again = openDataDirectory(path, "");
    assertEquals([again.isNew, again.nodeId, again.storageId], [false, first.nodeId, first.storageId]);
    again.release();
    assertThrows(
      () => openDataDirectory(path, "2"),
      DataDirectoryError,
      `belongs to node "${first.nodeId}", not to "2"`,
    );
    for (
      const [text, message] of [
        ['{"format":9}', "has format 9, this muster knows 1"],
        ["{", "is damaged: expected JSON with format, nodeId and storageId"],
        ['{"format":1,"nodeId":1}', "is damaged"],
      ]
    ) {
      Deno.writeTextFileSync(`${path}/node.json`, text);
      assertThrows(() => openDataDirectory(path, ""), DataDirectoryError, message);
    }
    Deno.writeTextFileSync(`${path}x`, "");
    assertThrows(() => openDataDirectory(`${path}x`, ""), DataDirectoryError, "Cannot make the data directory");
  }));

Deno.test("data that were noted as damaged are set aside once, where the operator allows it", () =>
  inDirectory((path) => {
    const { storageId, release } = openDataDirectory(path, "1");
    release();
    Deno.writeTextFileSync(`${path}/raft/x.log`, "damaged");
    const damage = { nodeId: "1", reason: "a batch is damaged", members: ["b:2", "c:2"] };
    assertEquals(noteDamage(path, { ...damage, members: [] }), undefined, "nobody could fill it anew");
    assertMatch(noteDamage(path, damage) ?? "", /^the next start sets the data aside in .*\/damaged-/);
    assertEquals(noteDamage(path, damage), undefined, "it is noted already");
    const kept = openDataDirectory(path, "1");
    assertEquals(kept.storageId, storageId, "not without the flag");
    kept.release();
    const anew = openDataDirectory(path, "1", { rejoinsDamaged: true });
    assertEquals([anew.nodeId, anew.storageId === storageId, anew.rejoin], ["1", false, ["b:2", "c:2"]]);
    anew.release();
    const [aside] = [...Deno.readDirSync(path)].map(({ name }) => name).filter((name) => name.startsWith("damaged-"));
    assertEquals(Deno.readTextFileSync(`${path}/${aside}/raft/x.log`), "damaged");
    assertEquals([...Deno.readDirSync(`${path}/raft`)], []);
    assertEquals(noteDamage(path, damage), undefined, "a disk that does it twice is an operator's case");
    Deno.writeTextFileSync(`${path}/damaged.json`, '{"aside":"../x","members":[]}');
    assertThrows(
      () => openDataDirectory(path, "1", { rejoinsDamaged: true }),
      DataDirectoryError,
      "damaged.json is not as it was written: remove it",
    );
  }));
