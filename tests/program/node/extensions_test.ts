import { assertEquals, assertRejects } from "@std/assert";
import { zipSync } from "fflate";
import { createTarGzip } from "nanotar";
import { SUFFIX } from "../../../src/drivers/libsqlite/extension.ts";
import { ExtensionsError, installExtensions, readExtensions } from "../../../src/program/node/extensions.ts";
import { withDirectory } from "../../harness/directory.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

async function namesIn(...paths: string[]): Promise<string[]> {
  return (await readExtensions(paths)).map(({ name, bytes }) => `${name}=${new TextDecoder().decode(bytes)}`);
}

Deno.test("extensions are read from files, directories, zip and tar.gz archives, in the order of the list", () =>
  withDirectory(async (root) => {
    await Deno.writeTextFile(`${root}/z.so`, "z");
    await Deno.mkdir(`${root}/some/below`, { recursive: true });
    for (const name of ["b.so", "a.so", ".hidden"]) await Deno.writeTextFile(`${root}/some/${name}`, name);
    await Deno.writeFile(`${root}/zip`, zipSync({ "d.so": bytesOf("d"), "c.so": [bytesOf("c"), { level: 9 }] }));
    const files = [{ name: "./" }, { name: "./f.so", data: "f" }, { name: "e.so", data: "e" }];
    await Deno.writeFile(`${root}/tar`, await createTarGzip(files));
    assertEquals(
      await namesIn(`${root}/z.so`, `${root}/some`, `${root}/zip`, `${root}/tar`),
      ["z.so=z", "a.so=a.so", "b.so=b.so", "c.so=c", "d.so=d", "e.so=e", "f.so=f"],
    );
  }));

Deno.test("an archive with directories, two extensions of one name, and what cannot be read are refused", () =>
  withDirectory(async (root) => {
    await Deno.writeFile(`${root}/zip`, zipSync({ "sub/d.so": bytesOf("d") }));
    await Deno.writeFile(`${root}/tar`, await createTarGzip([{ name: "sub/" }, { name: "sub/f.so", data: "f" }]));
    await Deno.writeFile(`${root}/cut`, zipSync({ "d.so": bytesOf("d") }).subarray(0, 20));
    await Deno.writeTextFile(`${root}/x`, "x");
    await Deno.mkdir(`${root}/other`);
    await Deno.writeTextFile(`${root}/other/x${SUFFIX}`, "x");
    for (
      const [paths, why] of [
        [["zip"], "zip file contains subdirectories"],
        [["tar"], "tar.gz file contains subdirectories"],
        [["cut"], `Cannot read the extensions in ${root}/cut`],
        [["absent"], `Cannot read the extensions in ${root}/absent`],
        [["x", "other"], "-extensions-path has two extensions that are called x"],
      ] as const
    ) {
      await assertRejects(() => readExtensions(paths.map((path) => `${root}/${path}`)), ExtensionsError, why);
    }
  }));

Deno.test("installExtensions() leaves those of this start, and no folder without any", () =>
  withDirectory((root) => {
    const directory = `${root}/extensions`;
    installExtensions([{ name: "old.so", bytes: bytesOf("old") }], directory);
    const paths = installExtensions(
      [{ name: "b.so", bytes: bytesOf("b") }, { name: "a.so", bytes: bytesOf("a") }],
      directory,
    );
    assertEquals(paths, [`${directory}/b.so`, `${directory}/a.so`]);
    assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name).sort(), ["a.so", "b.so"]);
    assertEquals(Deno.readTextFileSync(paths[1]), "a");
    assertEquals(installExtensions([], directory), []);
    assertEquals([...Deno.readDirSync(root)], []);
  }));
