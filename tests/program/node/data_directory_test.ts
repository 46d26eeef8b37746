/** A new data directory: it is there after a power loss, with all the directories that were made for it. */
import { assertEquals } from "@std/assert";
import { openDataDirectory } from "../../../src/program/node/data_directory.ts";

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
