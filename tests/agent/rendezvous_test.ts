/**
 * Agents that know a URL, a name and a token find each other through a rendezvous, whatever the order of starts and however
 * often it restarts; who has another name or no right token does not meet them.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { agentPlace, type AgentProcess, muster, withAgents } from "../harness/agents.ts";
import { makeCertificates } from "../harness/peers/certificates.ts";
import { freePort, until } from "../harness/processes.ts";
import { Random } from "../harness/random.ts";

const AGENTS = 20;

/** Makes a token. */
async function tokenOf(server: AgentProcess, infrastructure: string): Promise<string> {
  const api = `-http-addr=${server.place.host}:${server.place.httpPort}`;
  const { code, stdout, stderr } = await muster(["rendezvous", "token", "create", api, infrastructure]);
  assertEquals(code, 0, stderr);
  return stdout.trim();
}

function atlas(endpoint: string, infrastructure: string, token: string): string[] {
  return ["-atlas-join", `-atlas=${infrastructure}`, `-atlas-token=${token}`, `-atlas-endpoint=${endpoint}`];
}

async function alive(agent: AgentProcess): Promise<number> {
  return Object.values(await agent.members()).filter((status) => status === "alive").length;
}

Deno.test(`twice ${AGENTS} agents with one URL form a pool for each name while the rendezvous restarts`, () =>
  withAgents(async (root, start) => {
    const seed = Math.floor(Math.random() * 1e6);
    console.log(`seed ${seed}`);
    const random = new Random(seed, 1);
    const meeting = freePort();
    const endpoint = `http://127.0.0.1:${meeting}`;
    const flags = ["-server", "-bootstrap-expect=1", "-rendezvous", `-rendezvous-addr=127.0.0.1:${meeting}`];
    const place = agentPlace(root, "rendezvous");
    let rendezvous = start(place, ...flags);
    await until("a leader", () => rendezvous.leader());
    const [token, other] = [await tokenOf(rendezvous, "acme/prod"), await tokenOf(rendezvous, "acme/test")];

    const places = Array.from({ length: AGENTS }, (_, at) => agentPlace(root, `node-${at}`));
    const strange = Array.from({ length: AGENTS }, (_, at) => agentPlace(root, `stranger-${at}`));
    const order = [...places, ...strange].map((one) => ({ one, at: random.u32() })).sort((a, b) => a.at - b.at)
      .map(({ one }) => one);
    const agents: AgentProcess[] = [];
    const strangers: AgentProcess[] = [];
    for (const [at, one] of order.entries()) {
      const role = one === places[0] || one === strange[0] ? ["-server", "-bootstrap-expect=1"] : [];
      const isStranger = strange.includes(one);
      const given = isStranger ? atlas(endpoint, "acme/test", other) : atlas(endpoint, "acme/prod", token);
      (isStranger ? strangers : agents).push(start(one, ...role, ...given));
      if (at !== AGENTS) continue;
      await rendezvous.stop("SIGKILL");
      rendezvous = start(place, ...flags);
    }
    const refused = start(agentPlace(root, "refused"), ...atlas(endpoint, "acme/prod", other));
    await Promise.all(
      [...agents, ...strangers].map((agent) =>
        until(`${agent.place.name} sees all`, async () => await alive(agent) === AGENTS || undefined, 90_000)
      ),
    );
    for (const pool of [agents, strangers]) {
      await until(
        "the catalog has all",
        async () => (await pool[0].get("/v1/catalog/nodes")).length === AGENTS || undefined,
      );
      const names = pool.map(({ place }) => place.name).sort();
      for (const agent of pool) assertEquals(Object.keys(await agent.members()).sort(), names, agent.place.name);
    }
    await until(
      "a wrong token is told",
      () => refused.log.includes("403 this is not a token of acme/prod") || undefined,
    );
    assertMatch(rendezvous.log, /rendezvous: refused 127\.0\.0\.1: not a token of acme\/prod/);
    assertEquals(await alive(refused), 1);
    for (const { log } of [...agents, ...strangers, refused, rendezvous]) {
      assert(!log.includes(token) && !log.includes(other));
    }

    // A revoked token is refused from then on; who leaves is forgotten at once.
    const api = `-http-addr=127.0.0.1:${place.httpPort}`;
    const keys = async (): Promise<string[]> => await rendezvous.get("/v1/kv/rendezvous/nodes/acme/prod?keys");
    const leaving = agents.find(({ place }) => place !== places[0]) ?? agents[0];
    assert((await keys()).includes(`rendezvous/nodes/acme/prod/${leaving.place.name}`));
    await leaving.stop("SIGTERM");
    assert(!(await keys()).includes(`rendezvous/nodes/acme/prod/${leaving.place.name}`));
    const listed = (await muster(["rendezvous", "token", "list", api, "acme/prod"])).stdout;
    const [, id] = /^acme\/prod {2}([0-9a-f]{12}) {2}20\d\d-/.exec(listed) ?? [];
    assertEquals((await muster(["rendezvous", "token", "revoke", api, "acme/prod", String(id)])).code, 0);
    await until("the token is refused", async () => {
      const headers = { Authorization: `Bearer ${token}` };
      const response = await fetch(`${endpoint}/v1/rendezvous/acme/prod`, { method: "POST", headers, body: "{}" });
      await response.body?.cancel();
      return response.status === 403 || undefined;
    });
  }));

Deno.test("a rendezvous of three servers with HTTPS goes on when one of them dies, also the leader", () =>
  withAgents(async (root, start) => {
    const certificates = await makeCertificates(root);
    const places = ["one", "two", "three"].map((name) => agentPlace(root, name));
    const ports = places.map(() => freePort());
    const flags = [
      "-server",
      "-bootstrap-expect=3",
      `-retry-join=127.0.0.1:${places[0].port}`,
      "-rendezvous",
      `-rendezvous-cert-file=${certificates.serverCert}`,
      `-rendezvous-key-file=${certificates.serverKey}`,
    ];
    const servers = places.map((place, at) => start(place, ...flags, `-rendezvous-addr=127.0.0.1:${ports[at]}`));
    const leader = await until("a leader", () => servers[0].leader());
    const token = await tokenOf(servers[0], "acme/prod");
    const endpoint = ports.map((port) => `https://localhost:${port}`).join(",");
    const given = [...atlas(endpoint, "acme/prod", token), `-atlas-ca-file=${certificates.ca}`];
    const first = start(agentPlace(root, "first"), ...given);
    await until("it is announced", () => first.log.includes("Atlas: announced at https://localhost") || undefined);
    await servers[places.findIndex(({ host, port }) => `${host}:${port}` === leader)].stop("SIGKILL");
    const second = start(agentPlace(root, "second"), ...given);
    await second.sees("first", "alive", 60_000);
    await first.sees("second", "alive");
  }));
