/**
 * The npm packages: installed by npm, the command run by it, the client imported by Node.js with its types; the client for JSR.
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { buildJsr, buildNpm, mainPackage } from "../../scripts/packages/npm.ts";
import { executableAt } from "../../scripts/packages/platforms.ts";
import { run } from "../clients/clients.ts";
import { BINARY, requireBinary } from "../harness/binary.ts";
import { freePort, until } from "../harness/processes.ts";
import { withDirectory } from "../harness/directory.ts";

const PROGRAM = `
import { connect } from "muster";
import { SqlError } from "muster/client";
const db = connect(process.argv[2]);
await db.execute("CREATE TABLE t(v)");
await db.execute("INSERT INTO t VALUES(?)", [7]);
console.log(JSON.stringify(await db.query("SELECT v FROM t")), typeof SqlError);
process.exit(0);
`;
const TYPED = `
import { connect, type Row } from "muster/client";
const rows: readonly Row[] = await connect("http://localhost:4001").query("SELECT 1");
// @ts-expect-error -- a number is no address
connect(1);
console.log(rows);
`;

Deno.test("npm installs the packages; npx muster runs a node, and programs import the client with its types", () =>
  withDirectory(async (folder) => {
    await requireBinary();
    const [platform, main] = await buildNpm([await executableAt(BINARY)], { out: folder, epoch: 86_400 });
    const offline = { cwd: folder, env: { npm_config_offline: "true", npm_config_update_notifier: "false" } };
    const dry = await run("npm", ["publish", main, "--dry-run", "--tag", "latest", "--json"], offline);
    assertMatch(dry, /"name": "muster"/);
    const packed = JSON.parse(await run("npm", ["pack", main, "--json"], offline))[0];
    assertEquals(packed.files.map(({ path }: { path: string }) => path).sort(), [
      "LICENSE",
      "README.md",
      "bin/muster.mjs",
      "lib/client.d.mts",
      "lib/client.mjs",
      "package.json",
    ]);
    await Deno.writeTextFile(`${folder}/package.json`, `{"type":"module"}`);
    await run("npm", ["install", "--no-audit", "--no-fund", platform, `${folder}/${packed.filename}`], offline);
    assertMatch(await run("npx", ["muster", "version"], offline), /^muster v\d/);

    const http = freePort();
    const args = ["serve", `-http-addr=127.0.0.1:${http}`, `-raft-addr=127.0.0.1:${freePort()}`, `${folder}/data`];
    const child = new Deno.Command(`${folder}/node_modules/.bin/muster`, {
      args,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    })
      .spawn();
    try {
      await until("the node is ready", async () => {
        const response = await fetch(`http://127.0.0.1:${http}/readyz`);
        await response.body?.cancel();
        return response.ok || undefined;
      });
      await Deno.writeTextFile(`${folder}/program.mjs`, PROGRAM);
      assertEquals(await run("node", ["program.mjs", `http://127.0.0.1:${http}`], offline), '[{"v":7}] function\n');
    } finally {
      child.kill("SIGTERM");
    }
    assertEquals((await child.status).code, 0);
    await Deno.writeTextFile(`${folder}/typed.ts`, TYPED);
    await run(Deno.execPath(), ["check", "--quiet", "--no-lock", "--node-modules-dir=manual", "typed.ts"], offline);
  }));

Deno.test("the command says what to do where its platform's package is missing", () =>
  withDirectory(async (folder) => {
    await buildNpm([], { out: folder, epoch: 0 });
    const launched = async (platforms: readonly string[]) => {
      const path = `${folder}/npm/muster`;
      await Deno.writeTextFile(`${path}/package.json`, JSON.stringify(mainPackage("muster", platforms)));
      const { code, stderr } = await new Deno.Command("node", { args: [`${path}/bin/muster.mjs`, "version"] }).output();
      return [code, new TextDecoder().decode(stderr)] as const;
    };
    const [code, said] = await launched(["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64", "win32-x64"]);
    assertEquals(code, 1);
    assertMatch(said, /^Cannot run muster: the package @muster\/\S+ is not installed; install again/);
    assertMatch(
      (await launched(["sunos-sparc"]))[1],
      /^Cannot run muster: there is no executable for \S+ \(there is one for sunos-sparc\)/,
    );
  }));

Deno.test("JSR would take the client", () =>
  withDirectory(async (folder) => {
    const jsr = await buildJsr({ out: folder, epoch: 86_400 });
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["publish", "--dry-run", "--allow-dirty", "--no-lock"],
      cwd: jsr,
      stdin: "null",
    }).output();
    const said = new TextDecoder().decode(stderr);
    assert(success, said);
    assertMatch(said, /Dry run complete/);
  }));
