/**
 * Shows two agents that find each other, on this machine: a service in a file, each agent alone at first, one join, the
 * members, names by DNS and HTTP, SQL through the client, a graceful leave, a death, a return, and health checks that fail.
 * Each step prints the command that a person would type.
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

Two agents on this machine that find each other, their services and checks. Waits for Ctrl-C at the end; with --no-wait it does not.`;

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
  const answer = await dig(agent.place, ...name.split(" "), "+noall", "+answer", "+comments");
  const shown = answer.split("\n").filter((line) => /status:|\sIN\s/.test(line)).join("\n");
  console.log(shown);
  return shown;
}

/** Shows a request to the HTTP API and what it answers. */
async function curl(agent: AgentProcess, path: string): Promise<unknown> {
  console.log(`\n$ curl '${agent.url}${path}'`);
  const answer = await agent.get(path);
  console.log(JSON.stringify(answer));
  return answer;
}

/** Writes a file of configuration. */
function define(directory: string, name: string, definition: unknown): void {
  const text = JSON.stringify(definition);
  console.log(`\n$ echo '${text}' > ${directory}/${name}`);
  Deno.mkdirSync(directory, { recursive: true });
  Deno.writeTextFileSync(`${directory}/${name}`, text);
}

/** A service in a file, found by DNS and HTTP. */
async function tellOfServices(root: string, start: StartAgent): Promise<AgentProcess> {
  title("A service in a file, before there is any cluster");
  const files = `${root}/consul.d`;
  define(files, "web.json", { service: { name: "web", tags: ["rails"], port: 80 } });
  const place = agentPlace(root, "agent-one", "127.0.0.2");
  const one = start(
    place,
    "-server",
    "-bootstrap-expect=1",
    `-config-dir=${files}`,
    "-enable-local-script-checks",
  );
  await one.up();
  await until("the service", async () => (await one.get("/v1/catalog/service/web?stale")).length === 1 || undefined);
  await until("its name", async () => (await dig(place, "web.service.consul", "+short")) !== "" || undefined);
  await lookUp(one, "web.service.consul");
  await lookUp(one, "rails.web.service.consul SRV");
  await curl(one, "/v1/catalog/service/web");
  await curl(one, "/v1/health/service/web?passing");
  return one;
}

/** Checks, of a node and of a service, one of which fails. */
async function tellOfChecks(root: string, one: AgentProcess): Promise<void> {
  title("Health checks: one of the machine, one of the service, which nobody serves");
  const files = `${root}/consul.d`;
  define(files, "ping.json", { check: { name: "ping", args: ["/bin/sh", "-c", "true"], interval: "1s" } });
  const check = { tcp: "127.0.0.2:1", interval: "1s" };
  define(files, "web.json", { service: { name: "web", tags: ["rails"], port: 80, check } });
  await show(one, "reload");
  await until("they have run", async () => {
    const critical: { Output: string }[] = await one.get("/v1/health/state/critical");
    return critical.length === 1 && critical[0].Output !== "" || undefined;
  });
  await curl(one, "/v1/health/state/critical");
  await until(
    "its name is gone",
    async () => (await dig(one.place, "web.service.consul", "+short")) === "" || undefined,
  );
  await lookUp(one, "web.service.consul");
}

async function tell(root: string, start: StartAgent) {
  const one = await tellOfServices(root, start);
  title("A server, agent-one, and a client, agent-two: nobody has told them of each other");
  let two = start(agentPlace(root, "agent-two", "127.0.0.3"));
  await two.up();
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

  await tellOfChecks(root, one);
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
