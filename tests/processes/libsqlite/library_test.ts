/**
 * The libraries that are kept: whole, complete, and made of the sources that stand here. That of this machine is built again,
 * and is the same to the byte; all of them would take minutes.
 */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { LIBRARY, sha256, SOURCES_SUM, sourcesSum } from "../../../scripts/sqlite/source.ts";
import {
  bundledLibrary,
  LIBRARIES,
  LibraryError,
  openLibrary,
  SYMBOLS,
} from "../../../src/drivers/libsqlite/library.ts";

const decoder = new TextDecoder("latin1");

Deno.test("the kept libraries are those of SHA256SUMS, one for each platform", async () => {
  const sums = (await Deno.readTextFile(`${LIBRARY}/SHA256SUMS`)).trim().split("\n").map((line) => line.split("  "));
  assertEquals(sums.map(([, file]) => file), LIBRARIES.map(({ file }) => file));
  for (const [sum, file] of sums) assertEquals(await sha256(await Deno.readFile(`${LIBRARY}/${file}`)), sum, file);
});

Deno.test("every kept library holds the functions that are called", async () => {
  for (const { os, file } of LIBRARIES) {
    const text = decoder.decode(await Deno.readFile(`${LIBRARY}/${file}`));
    const before = os === "darwin" ? "\0_" : os === "windows" ? "" : "\0"; // as their formats have it
    for (const [symbol, signature] of Object.entries(SYMBOLS)) {
      if ("optional" in signature) continue; // of another library
      assert(text.includes(`${before}${symbol}\0`), `${file}: ${symbol}`);
    }
  }
});

Deno.test("the kept libraries were built from the sources and with the options that stand here", async () => {
  const kept = (await Deno.readTextFile(SOURCES_SUM)).trim();
  const hint = "build them again with `deno task sqlite-library`, which `deno task sqlite-library --check` proves";
  assertEquals(await sourcesSum(), kept, hint);
});

Deno.test("the library of this machine is built again, the same to the byte", async () => {
  const args = ["task", "sqlite-library", "--check"];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, stdin: "null" }).output();
  assert(success, decoder.decode(stderr));
  assertStringIncludes(decoder.decode(stdout), "is what its sources make");
});

Deno.test("openLibrary() and bundledLibrary() say what to do where there is no library, or one that is not ours", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const missing = `${folder}/no.so`;
    for (const path of [missing, `${folder}/text.so`]) {
      if (path !== missing) await Deno.writeTextFile(path, "not a library");
      const error = assertThrows(() => openLibrary(path), LibraryError);
      assertStringIncludes(error.message, `Cannot load the SQLite library "${path}"`);
      assertStringIncludes(error.message, "deno task sqlite-library");
      assertStringIncludes(error.message, "-sqlite-library PATH");
    }
    const error = assertThrows(() => bundledLibrary({ ...Deno.build, os: "freebsd" }), LibraryError);
    assertStringIncludes(error.message, "-sqlite-library PATH");
    assert((await Deno.stat(bundledLibrary())).isFile);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
