/** Backups in a directory: whole or not at all (Q18.1). */
import { assertEquals, assertRejects } from "@std/assert";
import { FileStore } from "../../../src/drivers/uploader/file_store.ts";

const signal = new AbortController().signal;

async function withStore(work: (store: FileStore, directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "muster-uploads-" });
  try {
    await work(new FileStore({ type: "file", directory, name: "db" }), directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function names(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
}

Deno.test("FileStore writes a backup and its metadata in rqlite's words, and reads both", () =>
  withStore(async (store, directory) => {
    assertEquals(await store.idOf("db"), undefined);
    await store.put("db", {
      pieces: ReadableStream.from([new Uint8Array([1, 2]), new Uint8Array([3])]),
      id: "8",
      signal,
    });
    const { id, timestamp, name } = JSON.parse(await Deno.readTextFile(`${directory}/METADATA.json`));
    assertEquals([id, typeof timestamp, name], ["8", "number", `${directory}/db`]);
    assertEquals(await store.idOf("db"), "8");
    assertEquals(new Uint8Array(await new Response(await store.get("db")).arrayBuffer()), new Uint8Array([1, 2, 3]));
    await store.remove("db");
    assertEquals(await store.idOf("db"), undefined);
  }));

Deno.test("FileStore leaves the earlier backup as it is where a new one fails, and nothing beside it", () =>
  withStore(async (store, directory) => {
    await store.put("db", { pieces: ReadableStream.from([new Uint8Array([1])]), id: "8", signal });
    const failing = async function* () {
      yield new Uint8Array(100_000);
      throw new Error("no room");
    };
    await assertRejects(() => store.put("db", { pieces: failing(), id: "9", signal }), Error, "no room");
    assertEquals([names(directory), await store.idOf("db")], [["METADATA.json", "db"], "8"]);
    assertEquals((await Deno.stat(`${directory}/db`)).size, 1);
  }));

Deno.test("FileStore removes what a killed process has left", () =>
  withStore(async (store, directory) => {
    await Deno.writeTextFile(`${directory}/.muster-upload-1.tmp`, "x");
    await Deno.writeTextFile(`${directory}/mine.tmp`, "x");
    await store.put("db", { pieces: ReadableStream.from([new Uint8Array([1])]), id: "8", signal });
    assertEquals(names(directory), ["METADATA.json", "db", "mine.tmp"]);
  }));

Deno.test("FileStore refuses a database without the changes beside it, in its log or in a journal that is not over", () =>
  withStore(async (store, directory) => {
    await Deno.writeTextFile(`${directory}/db`, "SQLite format 3\0");
    for (const [side, first] of [["-wal", 0x37], ["-journal", 0xd9]] as const) {
      const path = `${directory}/db${side}`;
      await Deno.writeFile(path, new Uint8Array([first, 1]));
      await assertRejects(() => store.get("db"), Error, `changes in ${path} would be lost`);
      for (const harmless of [[0, 0], []]) {
        await Deno.writeFile(path, new Uint8Array(harmless));
        await (await store.get("db")).cancel();
      }
    }
  }));
