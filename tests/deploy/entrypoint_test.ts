/**
 * entrypoint.sh, run for real: a program that shows its arguments stands for muster, another for `hostname`.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { SERVE_FLAGS } from "../../src/program/config/serve_flags.ts";
import { deployPath } from "./manifests.ts";

/** The first is what a container has; both are Debian's dash where the tests run in a container like it. */
const SHELLS = ["sh", "dash"];
const ENTRYPOINT = deployPath("entrypoint.sh");
const SHOW = '#!/bin/sh\nfor arg in "$@"; do printf "%s\\n" "$arg"; done\n';
const HOSTNAME = '#!/bin/sh\nif [ "${1-}" = -f ]; then echo pod-0.example.org; else echo pod-0; fi\n';
const HOSTNAME_ALONE = '#!/bin/sh\n[ "${1-}" != -f ] || { echo no name server >&2; exit 1; }\necho pod-0\n';

interface Case {
  readonly name: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The arguments that muster is started with. */
  readonly expected: readonly string[];
}

const HTTP = ["-http-addr", "0.0.0.0:4001"];
const HTTP_ADV = ["-http-adv-addr", "pod-0.example.org:4001"];
const RAFT = ["-raft-addr", "0.0.0.0:4002"];
const RAFT_ADV = ["-raft-adv-addr", "pod-0.example.org:4002"];
const ID = ["-node-id", "pod-0"];
const ADDED = [...HTTP, ...HTTP_ADV, ...RAFT, ...RAFT_ADV, ...ID];
const DATA = "/muster/data";

const CASES: readonly Case[] = [
  { name: "no argument", expected: ["serve", ...ADDED, DATA] },
  { name: "the image's own command", args: ["serve"], expected: ["serve", ...ADDED, DATA] },
  {
    name: "flags, and a value with spaces and quotes",
    args: ["-disco-mode=dns", "-disco-config", '{"name": "it\'s $HOME"}', "-bootstrap-expect=3"],
    expected: [
      "serve",
      ...ADDED,
      ...["-disco-mode=dns", "-disco-config", '{"name": "it\'s $HOME"}', "-bootstrap-expect=3"],
      DATA,
    ],
  },
  {
    name: "one dash and a value behind it",
    args: ["-node-id", "7"],
    expected: ["serve", ...HTTP, ...HTTP_ADV, ...RAFT, ...RAFT_ADV, "-node-id", "7", DATA],
  },
  {
    name: "one dash and =",
    args: ["-node-id=7"],
    expected: ["serve", ...HTTP, ...HTTP_ADV, ...RAFT, ...RAFT_ADV, "-node-id=7", DATA],
  },
  {
    name: "two dashes and a value behind them",
    args: ["--http-adv-addr", "a:1", "--raft-adv-addr", "a:2"],
    expected: ["serve", ...HTTP, ...RAFT, ...ID, "--http-adv-addr", "a:1", "--raft-adv-addr", "a:2", DATA],
  },
  {
    name: "two dashes and =, the advertised ports following",
    args: ["--http-addr=0.0.0.0:80", "--raft-addr=[::]:81"],
    expected: [
      "serve",
      ...["-http-adv-addr", "pod-0.example.org:80", "-raft-adv-addr", "pod-0.example.org:81", ...ID],
      ...["--http-addr=0.0.0.0:80", "--raft-addr=[::]:81", DATA],
    ],
  },
  {
    name: "a flag that only begins like another, and a value that looks like one",
    args: ["-http-allow-origin", "-node-id", "-fk"],
    expected: ["serve", ...ADDED, "-http-allow-origin", "-node-id", "-fk", DATA],
  },
  {
    name: "the environment",
    env: {
      HTTP_ADDR: "10.0.0.1:80",
      HTTP_ADV_ADDR: "h:80",
      RAFT_ADDR: "10.0.0.1:81",
      RAFT_ADV_ADDR: "r:81",
      NODE_ID: "n 1",
      DATA_DIR: "/my data",
      ENABLE_FK: "1",
    },
    expected: [
      "serve",
      ...["-http-addr", "10.0.0.1:80", "-http-adv-addr", "h:80", "-raft-addr", "10.0.0.1:81", "-raft-adv-addr", "r:81"],
      ...["-node-id", "n 1", "-fk", "/my data"],
    ],
  },
  {
    name: "empty variables, which are as good as none",
    env: {
      HTTP_ADDR: "",
      HTTP_ADV_ADDR: "",
      RAFT_ADDR: "",
      RAFT_ADV_ADDR: "",
      NODE_ID: "",
      DATA_DIR: "",
      ENABLE_FK: "",
    },
    expected: ["serve", ...ADDED, DATA],
  },
  {
    name: "flags and the environment: flags win",
    args: ["-fk=false", "-node-id=7", "-http-addr=a:1", "-http-adv-addr=a:1", "-raft-addr=a:2", "-raft-adv-addr=a:2"],
    env: {
      HTTP_ADDR: "b:1",
      HTTP_ADV_ADDR: "b:1",
      RAFT_ADDR: "b:2",
      RAFT_ADV_ADDR: "b:2",
      NODE_ID: "b",
      ENABLE_FK: "1",
    },
    expected: [
      "serve",
      ...[
        "-fk=false",
        "-node-id=7",
        "-http-addr=a:1",
        "-http-adv-addr=a:1",
        "-raft-addr=a:2",
        "-raft-adv-addr=a:2",
        DATA,
      ],
    ],
  },
  { name: "a data directory alone", args: ["/data"], expected: ["serve", ...ADDED, "/data"] },
  { name: "a relative one", args: ["./data"], expected: ["serve", ...ADDED, "./data"] },
  { name: "serve and a directory", args: ["serve", "data"], expected: ["serve", ...ADDED, "data"] },
  {
    name: "a data directory behind a value, DATA_DIR or not",
    args: ["-join", "a:4002", "/data"],
    env: { DATA_DIR: "/other" },
    expected: ["serve", ...ADDED, "-join", "a:4002", "/data"],
  },
  {
    name: "a data directory behind a flag without value",
    args: ["-raft-non-voter", "/data"],
    expected: ["serve", ...ADDED, "-raft-non-voter", "/data"],
  },
  { name: "flags ended by --", args: ["-fk", "--", "-data"], expected: ["serve", ...ADDED, "-fk", "--", "-data"] },
  { name: "-- without a directory", args: ["-fk", "--"], expected: ["serve", ...ADDED, "-fk", "--", DATA] },
  { name: "a flag that lacks its value", args: ["-join"], expected: ["serve", ...ADDED, "-join"] },
  {
    name: "a flag behind the data directory, which muster refuses",
    args: ["/data", "-node-id=7"],
    expected: ["serve", ...ADDED, "/data", "-node-id=7"],
  },
  { name: "another command", args: ["version"], env: { NODE_ID: "n" }, expected: ["version"] },
  { name: "another command with arguments", args: ["help", "serve", ""], expected: ["help", "serve", ""] },
];

/** Runs `work` in a new directory with a stand-in for muster, and one for `hostname`, first on the PATH. */
async function withStandIns(hostname: string, work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "muster-deploy-" });
  try {
    for (const [name, text] of [["muster", SHOW], ["hostname", hostname]]) {
      await Deno.writeTextFile(`${directory}/${name}`, text, { mode: 0o755 });
    }
    await work(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function start(
  directory: string,
  shell: string,
  { args = [], env = {} }: Pick<Case, "args" | "env">,
): Promise<{ code: number; lines: string[]; errors: string }> {
  const { code, stdout, stderr } = await new Deno.Command(shell, {
    args: [ENTRYPOINT, ...args],
    clearEnv: true,
    env: { PATH: `${directory}:/usr/bin:/bin`, ...env },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, lines: decoder.decode(stdout).split("\n").slice(0, -1), errors: decoder.decode(stderr) };
}

Deno.test("entrypoint.sh is sound to both shells, and begins as the kernel wants it", async () => {
  for (const shell of SHELLS) {
    const { code, stderr } = await new Deno.Command(shell, { args: ["-n", ENTRYPOINT] }).output();
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  }
  assert((await Deno.readTextFile(ENTRYPOINT)).startsWith("#!/bin/sh\n"));
});

Deno.test("entrypoint.sh adds what is missing, for every way of writing it", async (t) => {
  await withStandIns(HOSTNAME, async (directory) => {
    for (const one of CASES) {
      await t.step(one.name, async () => {
        for (const shell of SHELLS) {
          assertEquals(await start(directory, shell, one), { code: 0, lines: [...one.expected], errors: "" });
        }
      });
    }
  });
});

Deno.test("entrypoint.sh knows of each of muster's flags whether a value follows it", async () => {
  await withStandIns(HOSTNAME, async (directory) => {
    await Promise.all(SERVE_FLAGS.map(async ({ name, kind }) => {
      const { lines } = await start(directory, "sh", { args: [`-${name}`, "x"] });
      // "x" is the data directory, or the flag's value with the data directory behind it
      const end = kind === "bool" ? [`-${name}`, "x"] : [`-${name}`, "x", DATA];
      assertEquals(lines.slice(-end.length), end);
    }));
  });
});

Deno.test("entrypoint.sh takes the bare host name when there is no full one", async () => {
  await withStandIns(HOSTNAME_ALONE, async (directory) => {
    const { lines, errors } = await start(directory, "sh", {});
    assertEquals(lines.slice(0, 5), ["serve", ...HTTP, "-http-adv-addr", "pod-0:4001"]);
    assertEquals(errors, "");
  });
});

Deno.test("entrypoint.sh starts the program that MUSTER names, in its own process, and hands on its exit code", async () => {
  await withStandIns(HOSTNAME, async (directory) => {
    const other = `${directory}/other one`;
    await Deno.writeTextFile(other, '#!/bin/sh\necho "$$ $2 $3"\nexit 3\n', { mode: 0o755 });
    const child = new Deno.Command("sh", {
      args: [ENTRYPOINT],
      clearEnv: true,
      env: { PATH: `${directory}:/usr/bin:/bin`, MUSTER: other },
      stdin: "null",
      stdout: "piped",
    }).spawn();
    const { code, stdout } = await child.output();
    assertEquals(code, 3);
    assertEquals(new TextDecoder().decode(stdout), `${child.pid} ${HTTP.join(" ")}\n`);
    const { code: passed } = await start(directory, "sh", { args: ["version"], env: { MUSTER: other } });
    assertEquals(passed, 3);
  });
});
