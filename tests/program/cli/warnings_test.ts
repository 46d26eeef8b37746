/** What a configuration has that is ignored is told in the log: from the command's own log on, which takes a level. */
import { assertEquals, assertMatch } from "@std/assert";
import { musterHere } from "../../harness/command_line.ts";

Deno.test("serve names the unknown keys of -auto-backup, -disco-config and -cdc-config", async () => {
  const root = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${root}/no_directory`, "");
    const backup = { type: "file", interval: "1h", keeps: 2, sub: { dir: `${root}/copies`, name: "copy" } };
    await Deno.writeTextFile(`${root}/backup.json`, JSON.stringify(backup));
    await Deno.writeTextFile(`${root}/cdc.json`, JSON.stringify({ endpoint: "stdout", batch: 3 }));
    const { code, stderr } = await musterHere([
      "serve",
      `-auto-backup=${root}/backup.json`,
      `-cdc-config=${root}/cdc.json`,
      "-disco-mode=dns",
      "-bootstrap-expect=3",
      '-disco-config={"nmae":"a"}',
      `${root}/no_directory`, // where the start ends
    ]);
    assertEquals(code, 1);
    assertMatch(stderr, /^\[disco\] .* -disco-config: unknown key "nmae" is ignored; known are name/m);
    assertMatch(stderr, /^\[uploader\] .* -auto-backup: unknown key "keeps" is ignored; known are version/m);
    assertMatch(stderr, /^\[cdc\] .* -cdc-config: unknown key "batch" is ignored; known are endpoint/m);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
