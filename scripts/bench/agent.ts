/**
 * What an agent answers: names over DNS, by `dnsperf`, in turn with a program of this runtime that sends each packet back; and
 * the catalog over HTTP.
 * @module
 */
import { agentPlace, AgentProcess } from "../../tests/harness/agents.ts";
import { freePort, until } from "../../tests/harness/processes.ts";
import type { Measurement, Sample, Site } from "./measurements.ts";

const HTTP_CONNECTIONS = 32;
const NAME = "bench-one";
const ECHO =
  `const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: Number(Deno.args[0]) });
const buffer = new Uint8Array(1024);
console.log("listens");
for (;;) {
  const [packet, from] = await socket.receive(buffer);
  packet[2] |= 0x80; // an answer, or dnsperf does not take it for one
  socket.send(packet, from);
}`;

/** The measurements of agents, which muster alone has. */
export function agentMeasurements(): Measurement[] {
  return [
    {
      id: "dns/echo",
      title: "UDP packets sent back by a program of this runtime",
      unit: "/s",
      nodes: 0,
      isOfMuster: true,
      run: (site) => withEcho(site, (port) => queries(site, port)),
    },
    {
      id: "dns/node",
      title: "DNS, A of a node",
      unit: "/s",
      nodes: 0,
      isOfMuster: true,
      run: (site) => withAgent(site, ({ place }) => queries(site, place.dnsPort)),
    },
    {
      id: "catalog/nodes",
      title: `GET /v1/catalog/nodes, ${HTTP_CONNECTIONS} connections`,
      unit: "/s",
      nodes: 0,
      isOfMuster: true,
      run: (site) =>
        withAgent(site, async ({ url }) => {
          const load = { url: `${url}/v1/catalog/nodes`, bodies: [], connections: HTTP_CONNECTIONS };
          const result = await site.generator.run({ ...load, seconds: site.seconds }, site.root);
          return { ...result, value: result.perSecond };
        }),
    },
  ];
}

async function withAgent(site: Site, work: (agent: AgentProcess) => Promise<Sample>): Promise<Sample> {
  const place = agentPlace(await Deno.makeTempDir({ dir: site.root }), NAME);
  const agent = new AgentProcess(place, ["-server", "-bootstrap-expect=1"], false);
  try {
    await agent.up();
    await until(
      "the node in the catalog",
      async () => (await agent.get("/v1/catalog/nodes")).length === 1 || undefined,
    );
    return await work(agent);
  } finally {
    await agent.stop("SIGKILL");
  }
}

async function withEcho(site: Site, work: (port: number) => Promise<Sample>): Promise<Sample> {
  const program = `${await Deno.makeTempDir({ dir: site.root })}/echo.ts`;
  await Deno.writeTextFile(program, ECHO);
  const port = freePort();
  const echo = new Deno.Command(Deno.execPath(), {
    args: ["run", "--unstable-net", "--allow-net=127.0.0.1", program, String(port)],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  try {
    await echo.stdout.getReader().read();
    return await work(port);
  } finally {
    echo.kill("SIGKILL");
    await echo.status;
  }
}

/** Answers a second to questions for one name. @throws {Error} Where there is no `dnsperf`. */
async function queries({ root, seconds }: Site, port: number): Promise<Sample> {
  const names = await Deno.makeTempFile({ dir: root });
  await Deno.writeTextFile(names, `${NAME}.node.consul A\n`);
  const args = ["-s", "127.0.0.1", "-p", `${port}`, "-d", names, "-c", "8", "-q", "64", "-l", `${seconds}`];
  const { stdout, stderr } = await new Deno.Command("dnsperf", { args, stdout: "piped", stderr: "piped" }).output()
    .catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      throw new Error("dnsperf is not installed: on Debian, apt install dnsperf");
    });
  const text = new TextDecoder().decode(stdout);
  const [, perSecond] = /Queries per second: +([\d.]+)/.exec(text) ?? [];
  if (perSecond === undefined) throw new Error(`dnsperf: ${text}${new TextDecoder().decode(stderr)}`);
  const [, lost = "0"] = /Queries lost: +(\d+)/.exec(text) ?? [];
  return { value: Number(perSecond), failures: Number(lost) };
}
