/** The commands that the documentation shows do what it says: they are run as they stand there, and print what it shows. */
import { assert, assertEquals } from "@std/assert";
import { agentPlace, withAgents } from "../harness/agents.ts";
import { musterHere } from "../harness/command_line.ts";
import { runWith } from "../harness/peers/process.ts";
import { musterCommand, until } from "../harness/processes.ts";

const ROOT = new URL("../../", import.meta.url);

/** A block of code of a page, and the block behind it that is marked as its output. */
interface Block {
  text: string;
  output?: string;
}

/** Blocks of code of a page. */
async function blocksOf(page: string): Promise<Block[]> {
  const blocks: Block[] = [];
  let fence: string | undefined;
  let isOpen = false;
  for (const line of (await Deno.readTextFile(new URL(page, ROOT))).split("\n")) {
    if (line.startsWith("```")) {
      fence = fence === undefined ? line.slice(3) : undefined;
      isOpen = false;
      continue;
    }
    if (fence === undefined && !line.startsWith("    ")) {
      isOpen = false;
      continue;
    }
    const text = fence === undefined ? line.slice(4) : line;
    const last = blocks.at(-1);
    if (fence === "output" && last) last.output = last.output === undefined ? text : `${last.output}\n${text}`;
    else if (isOpen && last) last.text += `\n${text}`;
    else blocks.push({ text });
    isOpen = true;
  }
  return blocks;
}

/** Whether lines are what the page shows: `…` stands for anything there, an empty line between answers for nothing. */
function isOutput(lines: string, shown: string): boolean {
  const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const pattern = shown.split("\n").map((line) => line.split("…").map(escaped).join(".*")).join("\n");
  return new RegExp(`^\\s*${pattern}\\s*$`).test(lines);
}

async function pages(): Promise<string[]> {
  const docs: string[] = [];
  for await (const { name } of Deno.readDir(new URL("docs/", ROOT))) {
    if (name.endsWith(".md")) docs.push(`docs/${name}`);
  }
  return ["README.md", ...docs.sort()];
}

Deno.test("every command and every flag that the documentation shows is there", async () => {
  const helps = new Map<string, string>();
  const helpOf = async (words: readonly string[]): Promise<string> => {
    for (let count = Math.min(3, words.length); count > 0; count--) {
      const name = words.slice(0, count).join(" ");
      const known = helps.get(name);
      const { code, stdout } = known === undefined
        ? await musterHere(["help", ...words.slice(0, count)])
        : { code: 0, stdout: known };
      const help = code === 0 ? stdout : "";
      helps.set(name, help);
      if (help !== "") return help;
    }
    return "";
  };
  let seen = 0;
  for (const page of await pages()) {
    for (const block of await blocksOf(page)) {
      for (const line of block.text.replaceAll("\\\n", " ").split("\n")) {
        const [, command] = /^(?:deno task )?muster (?!:)(.*?)(?: +#.*)?$/.exec(line.trim()) ?? [];
        if (command === undefined || /^(help|docs|version)\b| -help\b/.test(command)) continue;
        const own = command.split(/ (?:&&|\||<|--|\.\/) ?/)[0].replace(/'[^']*'|"[^"]*"/g, "TEXT");
        const words = own.split(/ +/);
        const agents = words[0] === "rendezvous" ? await helpOf(["agent"]) : ""; // whose flags it has as well
        const help = agents + await helpOf(words.filter((word) => /^[a-z-]+$/.test(word)));
        assert(help !== "", `${page} has a command that there is not: ${line}`);
        for (const word of words.filter((word) => /^--?[a-z]/.test(word))) {
          const flag = word.replace(/^--?/, "").split("=")[0];
          assert(
            new RegExp(`^ *-${flag}\\b`, "m").test(help),
            `${page} has a flag that there is not, -${flag}: ${line}`,
          );
          seen++;
        }
      }
    }
  }
  assert(seen > 60, `only ${seen} flags were found in the documentation`);
});

/** Pages whose requests are run. */
const PAGES = [
  "README.md",
  "docs/api.md",
  "docs/backup.md",
  "docs/changes.md",
  "docs/consul.md",
  "docs/kv.md",
  "docs/metrics.md",
  "docs/operations.md",
  "docs/services.md",
  "docs/shell.md",
  "docs/sql.md",
  "docs/troubleshooting.md",
];

/** What needs more than one agent, or ends what is there. */
const ELSEWHERE =
  /deno task (?!muster )|muster (agent|serve|rendezvous|join|debug|watch|run|lock|shell )|\bdig\b|\/boot|172\.20|new\.sqlite3|ssh|systemctl|helm|docker|kubectl/;
/** Rows and files that the examples speak of, and where they are run. */
const BEFORE = `
muster() { MUSTER COMMAND "$@"; }
deno() { shift; shift; muster "$@"; }
curl() {
  local code=0
  local limit=10; [ "$1" = -N ] && limit=1
  command curl -fsS --max-time $limit "$@" || code=$?
  echo
  [ $code = 28 ] && [ "$1" = -N ] && return 0   # a stream goes on until it is left
  [ $code = 22 ] && grep -Eq -- "$EXPECTED" <<< "$*" && return 0
  return $code
}
`;

Deno.test("requests and commands of the documentation are run as they stand there", () =>
  withAgents(async (root, start) => {
    const place = agentPlace(root, "one");
    const agent = start(place, "-server", "-bootstrap-expect=1");
    await agent.up();
    await until("it leads", () => agent.leader());
    const address = new URL(agent.url).host;
    const { command, args } = musterCommand();
    const prelude = BEFORE.replace("MUSTER COMMAND", [command, ...args].map((word) => `'${word}'`).join(" "));
    await Deno.mkdir(`${root}/work`);
    await Deno.writeTextFile(`${root}/work/web.json`, '{"service": {"name": "web", "port": 80}}');
    await Deno.writeTextFile(`${root}/work/schema.sql`, "CREATE TABLE IF NOT EXISTS s(x);\n");
    let run = 0;
    let compared = 0;
    for (const page of PAGES) {
      await agent.sql(
        "CREATE TABLE IF NOT EXISTS foo (id INTEGER NOT NULL PRIMARY KEY, name TEXT, age INTEGER)",
        "CREATE TABLE IF NOT EXISTS t(x)",
        "CREATE TABLE IF NOT EXISTS jobs(id INTEGER PRIMARY KEY, done)",
        "CREATE TABLE IF NOT EXISTS players(name, score)",
        "CREATE TABLE IF NOT EXISTS accounts(name, money)",
      );
      if (page === "README.md") await agent.sql("DROP TABLE foo");
      for (const { text: block, output } of await blocksOf(page)) {
        if (!/^(curl|muster|deno task muster|[A-Z]+=\$\()/m.test(block) || ELSEWHERE.test(block)) continue;
        await agent.http("PUT", "/v1/agent/service/register", '{"Name": "web", "Port": 80}');
        const index = (await agent.http("GET", "/v1/kv/app/color")).headers.get("X-Consul-Index") ?? "1";
        const script = block.replace(/(?:localhost|127\.0\.0\.1):(?:4001|8500)\b/g, address)
          .replace(/\b(at|since)=1234\b/g, `$1=${index}`);
        const { code, out, errors } = await runWith("bash", [
          "-c",
          `cd '${root}/work'; export MUSTER_HTTP_ADDR=${address} EXPECTED='${EXPECTED}'; ${prelude}\nset -e\n${script}`,
        ], "");
        assertEquals(code, 0, `${page}:\n${block}\n${out.slice(-2000)}\n${errors}`);
        const wrong = /"error": ?"(?!.*token)[^"]*"/.exec(out);
        assert(wrong === null, `${page}:\n${block}\n${wrong?.[0]}`);
        run++;
        if (output === undefined) continue;
        const lines = out.split("\n").filter((line) => line.trim() !== "").join("\n");
        assert(isOutput(lines, output), `${page} shows\n${output}\nand not\n${lines}\nbehind\n${block}`);
        compared++;
      }
    }
    console.log(`${run} blocks of the documentation were run, the output of ${compared} was compared`);
    assert(run >= 20 && compared >= 5, `only ${run} blocks were run, and ${compared} compared`);
  }));

/** Requests that are refused where nobody has made what they speak of. */
const EXPECTED = "changes.since|check-index|muster_fence|check/pass|deregister/web";
