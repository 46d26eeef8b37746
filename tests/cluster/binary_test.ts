/**
 * The compiled executable: built as a user builds it, then three nodes run from it.
 */
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { clusterFlags, leaderOf, startCluster, until, withNodes } from "../harness/processes.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const TOOLCHAIN_SCRIPT = new URL("../../../shared/tools/denort.sh", import.meta.url).pathname;

/** The toolchain is downloaded: the registry may be out of reach for a moment. */
const TOOLCHAIN_ATTEMPTS = 4;

async function run(
  command: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<{ success: boolean; output: string }> {
  const child = new Deno.Command(command, { args, env, cwd: ROOT, stdin: "null", stdout: "piped", stderr: "piped" })
    .spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), 240_000);
  const { success, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const decoder = new TextDecoder();
  return { success, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

/** Builds dist/muster; says which way it went. */
async function build(): Promise<void> {
  const plain = await run(Deno.execPath(), ["task", "compile"]);
  if (plain.success) return console.error("!! the executable was built by plain `deno task compile`");
  const toolchain = `${ROOT}dist/toolchain`;
  let made = await run("bash", [TOOLCHAIN_SCRIPT, toolchain]);
  for (let attempt = 1; !made.success && attempt < TOOLCHAIN_ATTEMPTS; attempt++) {
    await delay(attempt * 2000);
    made = await run("bash", [TOOLCHAIN_SCRIPT, toolchain]);
  }
  assert(made.success, `neither way of building worked:\n${plain.output}\n${made.output}`);
  const env = { DENORT_BIN: `${toolchain}/denort`, DENO_TLS_CA_STORE: "system" };
  const built = await run(Deno.execPath(), ["task", "compile", "--deno", `${toolchain}/deno`], env);
  assert(built.success, built.output);
  console.error(
    "!! Deno's own download is out of reach: the executable was built with the offline toolchain (Deno 2.7.11)",
  );
}

Deno.test("three nodes run from the executable: cluster, write, kill -9, read", async () => {
  await build();
  Deno.env.set("MUSTER_BINARY", `${ROOT}dist/muster`);
  try {
    await withNodes(async (root, start) => {
      const nodes = await startCluster(root, start);
      const leader = await leaderOf(nodes);
      await leader.execute(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, at TEXT DEFAULT CURRENT_TIMESTAMP)",
        "INSERT INTO t(id) VALUES(1)",
      );
      await leader.stop("SIGKILL");
      const others = nodes.filter((node) => node !== leader);
      await until(
        "a write is accepted",
        async () => (await others[0].execute("INSERT OR IGNORE INTO t(id) VALUES(2)"), true),
        15_000,
      );
      const back = start(leader.place, clusterFlags(nodes.map(({ place }) => place)));
      await back.ready();
      await until(
        "both rows",
        async () => (await back.row("SELECT count(*) FROM t", "none"))[0] === 2 ? true : undefined,
      );
      const contents = await Promise.all(
        [back, ...others].map((node) => node.send("/db/query?level=none", ["SELECT * FROM t"])),
      );
      assertEquals(contents[1].results, contents[0].results);
      assertEquals(contents[2].results, contents[0].results);
      assertEquals((await others[0].stop("SIGTERM")).code, 0);
    });
  } finally {
    Deno.env.delete("MUSTER_BINARY");
  }
});
