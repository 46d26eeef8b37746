/**
 * The Debian package: built from the executable, installed into a root of its own, and its service run from there.
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { buildDeb, control } from "../../scripts/packages/deb.ts";
import { executableAt, executables, PackageError, platformOf } from "../../scripts/packages/platforms.ts";
import { parseHcl } from "../../src/base/codec/hcl.ts";
import { BINARY, requireBinary } from "../harness/binary.ts";
import { freePort, until } from "../harness/processes.ts";
import { run } from "../clients/clients.ts";
import { withDirectory } from "../harness/directory.ts";

/** Settings of dpkg for another root, for whoever runs the tests. */
const DPKG = [
  "--force-not-root",
  "--force-script-chrootless",
  "--force-depends",
  "--force-bad-path",
  "--log=/dev/null",
];

/** A root that dpkg knows as an empty system. */
async function emptyRoot(root: string): Promise<void> {
  for (const path of ["var/lib/dpkg/info", "var/lib/dpkg/updates", "etc"]) {
    await Deno.mkdir(`${root}/${path}`, { recursive: true });
  }
  const files = {
    "var/lib/dpkg/status": "",
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
  };
  for (const [path, text] of Object.entries(files)) await Deno.writeTextFile(`${root}/${path}`, text);
}

/** Has systemd check the installed units, with the path by which the program is reached from outside of the root. */
async function verifyUnits(root: string): Promise<void> {
  for (const name of ["muster.service", "muster-agent.service"]) {
    const text = await Deno.readTextFile(`${root}/usr/lib/systemd/system/${name}`);
    await Deno.writeTextFile(`${root}/${name}`, text.replaceAll("=/usr/bin/", `=${root}/usr/bin/`));
    const { success, stderr } = await new Deno.Command("systemd-analyze", {
      args: ["verify", "--man=no", `${root}/${name}`],
    }).output();
    assertEquals([success, new TextDecoder().decode(stderr)], [true, ""]);
  }
}

/** Runs the installed service as its unit says, until it is ready; then stops it. */
async function serveFrom(root: string): Promise<void> {
  const unit = await Deno.readTextFile(`${root}/usr/lib/systemd/system/muster.service`);
  assertMatch(unit, /^User=muster\nGroup=muster$/m);
  const [, program, line] = /^ExecStart=(\S+) (.*)$/m.exec(unit) ?? [];
  const http = freePort();
  const flags = `-http-addr=127.0.0.1:${http} -raft-addr=127.0.0.1:${freePort()}`;
  const words = line.replace("$MUSTER_FLAGS", flags).replace("/var/lib/", `${root}/var/lib/`).split(" ");
  const child = new Deno.Command(root + program, { args: words, stdin: "null", stdout: "null", stderr: "null" })
    .spawn();
  try {
    await until("the installed node is ready", async () => {
      const response = await fetch(`http://127.0.0.1:${http}/readyz`);
      await response.body?.cancel();
      return response.ok || undefined;
    });
  } finally {
    child.kill("SIGTERM");
  }
  assertEquals((await child.status).code, 0);
}

Deno.test("the Debian package is installed, its node serves, and its data outlive a purge", () =>
  withDirectory(async (folder) => {
    await requireBinary();
    const executable = await executableAt(BINARY);
    const deb = await buildDeb(executable, { out: folder, compression: "none", epoch: 86_400 });
    assertMatch(deb, new RegExp(`/muster_\\d+\\.\\d+\\.\\d+_${executable.platform.debian}\\.deb$`));
    const listed = (await run("dpkg-deb", ["--contents", deb])).trim().split("\n");
    for (const line of listed) assertMatch(line, /^[-d]rw[-x]r-[-x]r-[-x] root\/root .* 1970-01-02 00:00 /);
    for (const path of ["bin/muster", "share/man/man1/muster.1.gz", "share/fish/vendor_completions.d/muster.fish"]) {
      assert(listed.some((line) => line.endsWith(` ./usr/${path}`)), path);
    }

    const root = `${folder}/root`;
    await emptyRoot(root);
    await run("dpkg", [`--root=${root}`, ...DPKG, "--install", deb]);
    assertMatch(
      await Deno.readTextFile(`${root}/etc/passwd`),
      /^muster:[^:]*:\d+:\d+:[^:]*:\/var\/lib\/muster:.*nologin$/m,
    );
    assertEquals((await Deno.stat(`${root}/var/lib/muster`)).mode, 0o40750);
    assertEquals((await Deno.stat(`${root}/etc/muster.d`)).mode, 0o40750);
    assertEquals(await run("dpkg", [`--root=${root}`, "--verify", "muster"]), "");
    assertMatch(await run(`${root}/usr/bin/muster`, ["docs", "backup"]), /^# Backup/);
    await verifyUnits(root);
    await serveFrom(root);

    await run("dpkg", [`--root=${root}`, ...DPKG, "--purge", "muster"]);
    assert((await Deno.stat(`${root}/var/lib/muster`)).isDirectory);
    for (const path of ["usr/bin/muster", "etc/default/muster", "etc/muster.d", "var/lib/muster-agent"]) {
      assertEquals(await Deno.stat(`${root}/${path}`).catch(() => "gone"), "gone", path);
    }
  }));

Deno.test("the settings of the package are accepted as they are installed, and change nothing", async () => {
  assertEquals(parseHcl(await Deno.readTextFile("scripts/packages/deb/agent.hcl")), {});
});

Deno.test("only an executable of a known platform is packaged, by what stands in it", () =>
  withDirectory(async (folder) => {
    const elf = new Uint8Array(64);
    elf.set([0x7f, 0x45, 0x4c, 0x46]);
    for (const [machine, name] of [[0x3e, "linux-x64"], [0xb7, "linux-arm64"], [0x28, undefined]] as const) {
      elf[18] = machine;
      assertEquals(platformOf(elf)?.name, name);
    }
    await Deno.writeTextFile(`${folder}/muster`, "#!/bin/sh\n".repeat(20));
    for (const path of ["muster", "missing"]) {
      const failure = await executableAt(`${folder}/${path}`).catch((error) => error);
      assert(failure instanceof PackageError, String(failure));
    }
    elf[18] = 0xb7;
    await Deno.writeFile(`${folder}/muster`, elf);
    assertEquals((await executables(folder)).map(({ platform }) => platform.debian), ["arm64"]);
    await Deno.writeFile(`${folder}/muster-linux-x64`, elf);
    const failure = await executables(folder).catch((error) => error);
    assert(failure instanceof PackageError && failure.message.includes("it is for linux-arm64"), String(failure));
    assertMatch(control({ architecture: "arm64", maintainer: "A <a@b.c>", kilobytes: 7 }), /^Installed-Size: 7$/m);
  }));
