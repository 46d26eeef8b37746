/**
 * Shows two agents that find each other, on this machine: each alone at first, one join, the members, names by DNS and HTTP,
 * SQL through the client, a graceful leave, a death, a return. Each step prints the command that a person would type.
 *
 *     deno task story [--no-wait]
 *
 * Ends with the addresses to try things at, and waits for Ctrl-C; `--no-wait` ends at once. Exits 1 when anything is not as
 * expected.
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { agentPlace, type AgentProcess, dig, type StartAgent, withAgents } from "../tests/harness/agents.ts";
import { Interrupted, until, untilInterrupted } from "../tests/harness/processes.ts";
import { messageOf } from "../src/base/codec/error_text.ts";

const USAGE = `Usage: deno task story [--no-wait]

Two agents on this machine that find each other. Waits for Ctrl-C at the end; with --no-wait it does not.`;

function title(text: string): void {
  console.log(`\n── ${text}`);
}

/** Shows a command of the agent's and what it prints. */
async function show(agent: AgentProcess, ...args: string[]): Promise<void> {
  const { host, httpPort } = agent.place;
  console.log(`\n$ MUSTER_HTTP_ADDR=${host}:${httpPort} muster ${args.join(" ")}`);
  const [stdout, stderr] = await agent.muster(...args).then(({ stdout, stderr }) => [stdout, stderr]);
  console.log(`${stdout}${stderr}`.trimEnd());
}

async function lookUp(agent: AgentProcess, name: string): Promise<string> {
  const { host, dnsPort } = agent.place;
  console.log(`\n$ dig @${host} -p ${dnsPort} ${name}`);
  const answer = await dig(agent.place, name, "+noall", "+answer", "+comments");
  const shown = answer.split("\n").filter((line) => /status:|\sIN\s/.test(line)).join("\n");
  console.log(shown);
  return shown;
}

async function tell(root: string, start: StartAgent) {
  title("A server, agent-one, and a client, agent-two: nobody has told them of each other");
  const one = start(agentPlace(root, "agent-one", "127.0.0.2"), "-server", "-bootstrap-expect=1");
  let two = start(agentPlace(root, "agent-two", "127.0.0.3"));
  await Promise.all([one.up(), two.up()]);
  await show(one, "members");
  await show(two, "members");

  title("One address is enough, a client's as good as a server's");
  await show(one, "join", two.addr);
  await Promise.all([one.sees("agent-two", "alive"), two.sees("agent-one", "alive")]);
  await show(two, "members");

  title("Names, by DNS from any agent, and the catalog");
  await until(
    "the name",
    async () => (await dig(one.place, "agent-two.node.consul", "+short")) === "127.0.0.3" || undefined,
  );
  await lookUp(one, "agent-two.node.consul");
  await lookUp(two, "agent-one.node.dc1.muster");
  await show(two, "catalog", "nodes");

  title("SQL, replicated by the servers, through the client");
  const sql = [
    "CREATE TABLE pets (name TEXT, kind TEXT)",
    "INSERT INTO pets VALUES('Rex', 'dog')",
    "SELECT * FROM pets",
  ];
  for (const text of sql) console.log(`  ${text}`, await two.sql(text));
  const query = "SELECT name, address, status FROM muster.members";
  console.log(`  ${query}`, await two.sql(query));

  title("Ctrl-C on the client: it leaves, and its name goes");
  console.log(`exit code ${await two.stop("SIGINT")}`);
  await one.sees("agent-two", "left");
  await show(one, "members");
  await until(
    "the name is gone",
    async () => /NXDOMAIN/.test(await dig(one.place, "agent-two.node.consul")) || undefined,
  );
  await lookUp(one, "agent-two.node.consul");

  title("Back, then kill -9: the others notice by themselves");
  two = start(two.place, `-join=${one.addr}`);
  await one.sees("agent-two", "alive");
  await two.stop("SIGKILL");
  const killedMs = performance.now();
  await one.sees("agent-two", "failed");
  console.log(`noticed after ${((performance.now() - killedMs) / 1000).toFixed(1)} s`);
  await show(one, "members");

  title("Started again it finds its pool by itself");
  two = start(two.place);
  await one.sees("agent-two", "alive");
  await show(one, "members");
  return { one, two };
}

async function play(root: string, start: StartAgent, { waits }: { waits: boolean }): Promise<void> {
  const { one, two } = await tell(root, start);
  if (!waits) return;
  console.log(`\nBoth run until Ctrl-C: HTTP at ${one.url} and ${two.url}; try muster monitor, info, event -name=x.`);
  await new Promise<void>(() => {});
}

async function main(): Promise<number> {
  const flags = parseArgs(Deno.args, {
    boolean: ["no-wait", "help"],
    unknown: (name: string) => {
      console.error(`unknown argument ${name}\n\n${USAGE}`);
      Deno.exit(2);
    },
  });
  if (flags.help) {
    console.log(USAGE);
    return 0;
  }
  try {
    await withAgents((root, start) => untilInterrupted(play(root, start, { waits: !flags["no-wait"] })));
    return 0;
  } catch (error) {
    if (error instanceof Interrupted) return 0;
    console.error(messageOf(error));
    return 1;
  }
}

Deno.exit(await main());
