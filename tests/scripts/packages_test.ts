/** The parts of a release that are made of texts alone: the bill of materials and Homebrew's formula. */
import { assert, assertEquals } from "@std/assert";
import { formula } from "../../scripts/packages/homebrew.ts";
import { billOfMaterials } from "../../scripts/packages/sbom.ts";

Deno.test("billOfMaterials() names every package with its sum, SQLite with its changes, and who needs whom", () => {
  const integrity = `sha512-${new Uint8Array(64).fill(1).toBase64()}`;
  const bill = JSON.parse(billOfMaterials({
    version: "1.2.3",
    epoch: 86_400,
    lock: {
      version: "5",
      specifiers: { "npm:a@1": "1.0.0" },
      npm: { "a@1.0.0": { integrity, dependencies: ["@x/b"] }, "@x/b@2.0.0": { integrity } },
    },
    sqlite: { version: "3.1.0", sha256: "ab", changes: ["one", "two"] },
    libraries: { "libmuster.so": "cd" },
    deno: "2.9.6",
  }));
  assertEquals([bill.bomFormat, bill.specVersion, bill.metadata.timestamp], [
    "CycloneDX",
    "1.5",
    "1970-01-02T00:00:00.000Z",
  ]);
  assertEquals(bill.components.map(({ purl }: { purl: string }) => purl), [
    "pkg:npm/a@1.0.0",
    "pkg:npm/%40x/b@2.0.0",
    "pkg:generic/sqlite@3.1.0",
    "pkg:generic/libmuster.so@1.2.3",
    "pkg:generic/deno@2.9.6",
  ]);
  assertEquals(bill.components[0].hashes, [{ alg: "SHA-512", content: "01".repeat(64) }]);
  assertEquals(bill.components[2].pedigree, { notes: "Changed in the build: one; two" });
  const refs = [bill.metadata.component, ...bill.components].map((one) => one["bom-ref"]);
  assertEquals(new Set(refs).size, refs.length);
  for (const { ref, dependsOn } of bill.dependencies) {
    for (const one of [ref, ...dependsOn]) assert(refs.includes(one), one);
  }
  assertEquals(bill.dependencies.find(({ ref }: { ref: string }) => ref === refs[1]).dependsOn, [refs[2]]);
  assertEquals(bill.dependencies[0].dependsOn, refs.slice(1));
});

Deno.test("formula() has a block for each archive, and text of an address stays text", () => {
  const archives = ["darwin-arm64", "linux-x64", "win32-x64"].map((platform) => ({
    platform,
    file: `muster-${platform}.tar.gz`,
    sha256: platform,
  }));
  const text = formula({ version: "1.2.3", url: 'https://example.com/#{1}"', archives });
  assert(text.includes('    on_arm do\n      url "https://example.com/\\#{1}\\"/muster-darwin-arm64.tar.gz"\n'));
  assertEquals(text.match(/^ {2}on_\w+ do$/gm), ["  on_macos do", "  on_linux do"]);
  assertEquals(text.match(/^ {6}sha256 .*$/gm), ['      sha256 "darwin-arm64"', '      sha256 "linux-x64"']);
  assert(!text.includes("win32"));
});
