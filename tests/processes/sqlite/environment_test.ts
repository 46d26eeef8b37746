/** Faults of the environment, brought about for real: what the driver reports of them, and whose fault they are. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Database, runOnce } from "../../../src/drivers/libsqlite/driver.ts";
import { type Fate, fateOf } from "./environment_child.ts";

const CHILD = new URL("./environment_child.ts", import.meta.url).pathname;
const ENOENT = 2;
const ENOMEM = 12;
const EFBIG = 27;
const ENOSPC = 28;

async function inFolder(work: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "muster-environment-" });
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function childArgs(scenario: string, folder: string): string[] {
  return [Deno.execPath(), "run", "--no-check", "-P=test", CHILD, scenario, folder];
}

/** Runs a scenario, behind what a shell does first. */
async function inShell(scenario: string, folder: string, before: string, wrapper: readonly string[]): Promise<Fate> {
  const [command, ...args] = [...wrapper, "sh", "-c", `${before} && exec "$@"`, folder, ...childArgs(scenario, folder)];
  const { success, stdout, stderr } = await new Deno.Command(command, { args, stdin: "null" }).output();
  const decoder = new TextDecoder();
  assert(success, decoder.decode(stderr));
  return JSON.parse(decoder.decode(stdout).trim().split("\n").at(-1) ?? "");
}

/** A namespace of its own, in which file systems can be mounted: they vanish with the process. */
const NAMESPACE = Deno.build.os === "linux" && Deno.uid() === 0 ? ["unshare", "-m"] : ["unshare", "-rm"];

async function canMount(): Promise<boolean> {
  const [command, ...args] = [...NAMESPACE, "sh", "-c", "mount -t tmpfs tmpfs /mnt"];
  const done = await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output().catch(() =>
    undefined
  );
  if (done?.success) return true;
  console.error("!! no file system can be mounted here: the tests of full disks and read-only folders ran without one");
  assert(Deno.env.get("CI") === undefined, "in CI the test must run");
  return false;
}

const linux = { ignore: Deno.build.os !== "linux" };

Deno.test(
  "a full disk is the environment's fault, whichever file it is found on",
  linux,
  () =>
    inFolder(async (folder) => {
      if (!await canMount()) return;
      const small = 'mount -t tmpfs -o size=1m tmpfs "$0"';
      for (const [scenario, file] of [["fill", "database"], ["fill WAL", "wal"]] as const) {
        const fate = await inShell(scenario, folder, small, NAMESPACE);
        assertEquals([fate.code, fate.io.code, fate.io.errno, fate.cause, fate.stop], [
          13,
          13,
          ENOSPC,
          "environment",
          "none",
        ]);
        assert(fate.io.file === file || file === "database" && fate.io.file === "wal", fate.io.file); // its journal, too
        assertEquals([fate.isDiskFull, fate.isAboutTemporaryFile], [true, false]);
      }
      const start = await inShell("open WAL", folder, small, NAMESPACE);
      assertEquals([start.code & 0xff, start.io.errno, start.cause, start.isDiskFull], [
        10,
        ENOSPC,
        "environment",
        true,
      ]);
      const copy = await inShell("back up", folder, small, NAMESPACE);
      assertEquals([copy.code, copy.io.errno, copy.cause, copy.isDiskFull], [13, ENOSPC, "environment", true]);
      const fate = await inShell("sort", folder, small, NAMESPACE);
      assertEquals([fate.code, fate.io.errno, fate.io.file, fate.cause], [13, ENOSPC, "temporary", "environment"]);
      assertEquals([fate.isDiskFull, fate.isAboutTemporaryFile], [true, true]);
    }),
);

Deno.test("a limit on the length of files is the environment's fault", linux, () =>
  inFolder(async (folder) => {
    // Without the trap the signal would end the process.
    const fate = await inShell("fill WAL", folder, "trap '' XFSZ && ulimit -f 400", []);
    assertEquals([fate.code & 0xff, fate.io.errno, fate.io.file, fate.cause], [10, EFBIG, "wal", "environment"]);
    assertEquals(fate.code, fate.io.code);
  }));

Deno.test(
  "files and folders that cannot be written are the environment's fault",
  linux,
  () =>
    inFolder(async (folder) => {
      if (!await canMount()) return;
      const readOnly = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0"';
      // SQLite tries to read what it cannot write, and there is no file.
      const absent = await inShell("write", folder, readOnly, NAMESPACE);
      assertEquals([absent.code, absent.io.errno, absent.io.file, absent.cause], [
        14,
        ENOENT,
        "database",
        "environment",
      ]);
      const database = new Database(`${folder}/db`, { readOnly: false, foreignKeys: false });
      runOnce(database, "CREATE TABLE t(a)");
      database.close();
      const present = await inShell("write", folder, readOnly, NAMESPACE);
      assertEquals([present.code & 0xff, present.cause], [8, "environment"]);
      assertMatch(present.message, /readonly database/);
    }),
);

Deno.test(
  "without a folder for temporary files a statement that needs one fails by the environment's fault",
  linux,
  async () => {
    if (!await canMount()) return;
    // Every folder that SQLite would take instead is read-only.
    const hide = "unset TMPDIR SQLITE_TMPDIR && mount -t tmpfs tmpfs /mnt && " +
      "for d in /var/tmp /usr/tmp /tmp; do [ ! -d $d ] || { mount --bind $d $d && mount -o remount,bind,ro $d; }; done && cd /tmp";
    const fate = await inShell("sort without a folder", "/mnt", hide, NAMESPACE);
    assertEquals([fate.code, fate.cause, fate.io.file], [10 | 25 << 8, "environment", "temporary"]);
    assertEquals(fate.isAboutTemporaryFile, true);
  },
);

Deno.test("a lack of the system's memory is the environment's fault", linux, async () => {
  const fate = await inShell("memory", "-", "true", []);
  assertEquals([fate.code, fate.stop, fate.cause], [7, "none", "environment"]);
  assertEquals(fate.io, { code: 7, errno: ENOMEM, file: "none" });
  assertEquals(fate.isAboutTemporaryFile, true); // it concerns one statement
});

Deno.test("a lock of another process is the environment's fault, and passes", () =>
  inFolder(async (folder) => {
    const database = new Database(`${folder}/db`, { readOnly: false, foreignKeys: false });
    runOnce(database, "CREATE TABLE t(a)");
    const [command, ...args] = childArgs("lock", folder);
    const child = new Deno.Command(command, { args, stdin: "piped", stdout: "piped" }).spawn();
    const output = child.stdout.getReader();
    assertMatch(new TextDecoder().decode((await output.read()).value), /locked/);
    const fate = fateOf(() => runOnce(database, "INSERT INTO t VALUES(1)"));
    assertEquals([fate.code & 0xff, fate.cause, fate.isLocked], [5, "environment", true]);
    await child.stdin.close();
    while (!(await output.read()).done);
    assert((await child.status).success);
    assertEquals(fateOf(() => runOnce(database, "INSERT INTO t VALUES(1)")).code, 0);
    database.close();
  }));

Deno.test(
  "an index of the WAL that cannot be opened is the environment's fault",
  linux,
  () =>
    inFolder(async (folder) => {
      const path = `${folder}/db`;
      const database = new Database(path, { readOnly: false, foreignKeys: false });
      runOnce(database, "PRAGMA journal_mode = WAL");
      runOnce(database, "CREATE TABLE t(a)");
      database.close();
      await Deno.symlink(`${folder}/elsewhere`, `${path}-shm`); // SQLite follows none
      const again = new Database(path, { readOnly: false, foreignKeys: false });
      const fate = fateOf(() => runOnce(again, "SELECT * FROM t"));
      assertEquals([fate.code & 0xff, fate.io.file, fate.cause], [14, "database", "environment"]); // it goes with that
      again.close();
    }),
);
