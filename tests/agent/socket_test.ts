/** An agent whose HTTP is at a Unix socket, alone or beside a port. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { agentPlace, type AgentProcess, muster, withAgents } from "../harness/agents.ts";
import { until } from "../harness/processes.ts";

/** What the socket answers to a command. */
const ask = (socket: string, ...words: string[]) => muster(words, { MUSTER_HTTP_ADDR: `unix://${socket}` });

async function answering(agent: AgentProcess, socket: string): Promise<string> {
  return await until(`the socket of ${agent.place.name} answers`, async () => {
    if (!agent.running) throw new Error(agent.log);
    const { code, stdout } = await ask(socket, "members");
    return code === 0 ? stdout : undefined;
  });
}

Deno.test("HTTP is at a Unix socket, beside a port or alone, on servers and clients (C5.2)", () =>
  withAgents(async (root, start) => {
    const [place, clientPlace] = [agentPlace(root, "server"), agentPlace(root, "client")];
    const [socket, alone] = [`${root}/server.sock`, `${root}/client.sock`];
    const file = async (name: string, http: string) => {
      await Deno.writeTextFile(`${root}/${name}.json`, JSON.stringify({ addresses: { http } }));
      return `-config-file=${root}/${name}.json`;
    };
    const flags = ["-server", "-bootstrap-expect=1", await file("server", `unix://${socket} ${place.host}`)];
    let server = start(place, ...flags);
    await server.up();
    await until("it leads", () => server.leader());
    assertMatch(await answering(server, socket), /^server /m);
    assertEquals((await ask(socket, "kv", "put", "key", "value")).stdout, "Success! Data written to: key\n");
    assertEquals((await server.http("GET", "/v1/kv/key?raw")).text, "value");

    const join = `-retry-join=${place.host}:${place.port}`;
    const client = start(clientPlace, join, await file("client", `unix://${alone}`));
    await answering(client, alone);
    await server.sees("client", "alive");
    assertEquals((await ask(alone, "kv", "get", "key")).stdout, "value\n");
    assert(!client.log.includes(`http://${clientPlace.host}`));

    const again = start(agentPlace(root, "other"), join, await file("client", `unix://${alone}`));
    await again.says(/cannot listen on HTTP address unix:.*: somebody listens there already/);
    assertEquals((await ask(alone, "leave")).code, 0);
    await until("the client has ended", () => !client.running || undefined);
    assertEquals(await Deno.lstat(alone).catch(() => "gone"), "gone");

    await server.stop("SIGKILL");
    assert((await Deno.lstat(socket)).isSocket);
    assertMatch((await ask(socket, "members")).stderr, /Connection refused.*is an agent running there\?/s);
    server = start(place, ...flags);
    await server.says(/replacing the socket .*server\.sock, at which nobody listens/);
    assertMatch(await answering(server, socket), /^server /m);
    await server.stop("SIGTERM");

    await Deno.writeTextFile(socket, "data");
    server = start(place, ...flags);
    await server.says(/cannot listen on HTTP address unix:.*: there is a file that is no socket/);
    assertEquals(await Deno.readTextFile(socket), "data");
  }));
