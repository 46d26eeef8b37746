/**
 * Dockerfile: read instruction by instruction, as there may be no engine to build it with.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { deployText, textsInside } from "./manifests.ts";

const ROOT = new URL("../../", import.meta.url);
const COMPILED = "dist/muster"; // by `deno task compile`; not in the repository
const KNOWN = "FROM RUN COPY USER WORKDIR VOLUME EXPOSE STOPSIGNAL HEALTHCHECK ENTRYPOINT CMD".split(" ");

interface Instruction {
  readonly name: string;
  readonly text: string;
}

const instructions = parse(await deployText("Dockerfile"));
const copied = all("COPY").map((text) => text.split(/\s+/).filter((word) => !word.startsWith("--")));

/** Comments dropped, lines that end with a backslash joined. */
function parse(text: string): Instruction[] {
  const lines = text.split("\n").filter((line) => !/^\s*(#|$)/.test(line)).join("\n");
  return lines.replaceAll(/\\\n\s*/g, "").split("\n").map((line) => {
    const [, name, rest] = /^([A-Z]+) (.+)$/.exec(line) ?? [];
    assert(name !== undefined && rest !== undefined, `no instruction: ${line}`);
    return { name, text: rest };
  });
}

function all(name: string): string[] {
  return instructions.filter((one) => one.name === name).map(({ text }) => text);
}

/** Text of the one instruction of a name. */
function only(name: string): string {
  const [text, ...more] = all(name);
  assert(text !== undefined && more.length === 0, `one ${name}`);
  return text;
}

/** Words of an instruction in exec form: no shell stands between muster and its signals. */
function words(json: string): readonly string[] {
  const parsed = textsInside(JSON.parse(json));
  assert(parsed.length > 0, json);
  return parsed;
}

/** Name under which a copied file is called in the image. */
function command(path: string): string {
  assert(path.startsWith("/usr/local/bin/"), path);
  return path.slice("/usr/local/bin/".length);
}

Deno.test("Dockerfile begins with slim Debian and has known instructions alone", () => {
  assertEquals(instructions[0], { name: "FROM", text: "debian:bookworm-slim" });
  assertEquals(instructions.filter(({ name }) => !KNOWN.includes(name)), []);
  only("FROM");
});

Deno.test("Dockerfile copies files that exist, and all that its context has", async () => {
  const sources = copied.flatMap((paths) => paths.slice(0, -1));
  for (const source of sources) {
    if (source === COMPILED) continue;
    const { mode } = await Deno.stat(new URL(source, ROOT));
    assert(mode !== null && (mode & 0o111) === 0o111, `${source} is executable`);
  }
  const ignore = (await deployText("Dockerfile.dockerignore")).split("\n").filter((line) => !/^(#|$)/.test(line));
  assertEquals(ignore.sort(), ["*", ...sources.map((source) => `!${source}`)].sort());
  const compiler = await Deno.readTextFile(new URL("scripts/compile.ts", ROOT));
  assert(compiler.includes(`"${COMPILED}"`), "scripts/compile.ts makes it");
});

Deno.test("Dockerfile: the user is not root, has a fixed id, and owns the data directory", async () => {
  const [, uid, gid] = /^(\d+):(\d+)$/.exec(only("USER")) ?? [];
  assert(Number(uid) > 0 && Number(gid) > 0);
  const run = only("RUN");
  const volume = only("VOLUME");
  assert(run.includes(`groupadd --gid ${gid} `) && run.includes(`useradd --uid ${uid} --gid ${gid} `));
  assert(run.includes(`install -d -o ${uid} -g ${gid} -m 0750 ${volume} ${volume}/data`));
  assert((await deployText("entrypoint.sh")).includes(`\${DATA_DIR:-${volume}/data}`));
  const names = instructions.map(({ name }) => name);
  assert(names.indexOf("RUN") < names.indexOf("USER") && names.indexOf("USER") < names.indexOf("VOLUME"));
});

Deno.test("Dockerfile installs certificates, and leaves no package lists", () => {
  const run = only("RUN");
  assert(run.includes("install --yes --no-install-recommends ca-certificates &&"));
  assert(run.includes("rm -rf /var/lib/apt/lists/*"));
  assertEquals(run.match(/ca-certificates (?!&&)/), null, "and nothing else");
});

Deno.test("Dockerfile starts the entry point in exec form, by names that it has copied", () => {
  const commands = copied.map((paths) => command(paths[paths.length - 1]));
  assertEquals(words(only("ENTRYPOINT")), ["muster-entrypoint"]);
  assertEquals(words(only("CMD")), ["serve"]);
  const [, health] = /^(?:--[a-z-]+=\w+ )+CMD (.+)$/.exec(only("HEALTHCHECK")) ?? [];
  assert(health !== undefined);
  assertEquals(words(health), ["muster-healthcheck"]);
  assertEquals(commands.sort(), ["muster", "muster-entrypoint", "muster-healthcheck"]);
  assertEquals(only("STOPSIGNAL"), "SIGTERM");
  assertEquals(only("EXPOSE").split(" "), ["4001", "4002"]);
});
