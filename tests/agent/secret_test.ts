/** Agents with an encrypted pool: their cluster port is protected by a secret that is derived from the key of the gossip. */
import { assertEquals, assertRejects } from "@std/assert";
import { decodeKeyText } from "../../src/core/swim/key_text.ts";
import { openStream } from "../../src/drivers/transport/rpc.ts";
import { ClusterSecret } from "../../src/drivers/transport/secret.ts";
import { secretsOf } from "../../src/program/node/cluster_secret.ts";
import { agentPlace, leaderAmong, muster, withAgents } from "../harness/agents.ts";
import { until } from "../harness/processes.ts";
import { STRANGER } from "../harness/stranger.ts";

/** Says hello at a cluster port, with what belongs to a key of the gossip. */
async function knock(addr: string, key?: string, text?: string): Promise<string> {
  const texts = text !== undefined ? [text] : key === undefined ? [] : await secretsOf([decodeKeyText(key)]);
  const { connection, peer } = await openStream(addr, STRANGER, {
    timeoutMs: 10_000,
    frameBytesMax: 1024,
    secret: ClusterSecret.of({ texts, isOptional: false }),
  });
  connection.close();
  return peer.id;
}

async function newKey(): Promise<string> {
  return (await muster(["keygen"])).stdout.trim();
}

Deno.test("with -encrypt the cluster port asks for a secret, which follows the keyring and is not the key itself", () =>
  withAgents(async (root, start) => {
    const [old, fresh] = [await newKey(), await newKey()];
    const flags = ["-server", "-bootstrap-expect=2", `-encrypt=${old}`];
    const [place, other] = [agentPlace(root, "one"), agentPlace(root, "two")];
    const one = start(place, ...flags);
    const two = start(other, ...flags, `-retry-join=${one.addr}`);
    const client = start(agentPlace(root, "client"), `-encrypt=${old}`, `-retry-join=${one.addr}`);
    await Promise.all([one, two, client].map((agent) => agent.up()));
    await leaderAmong([one, two]);
    await until("a write through the client", () => client.sql("CREATE TABLE t(a)").then(() => true, () => undefined));

    await assertRejects(() => knock(one.addr), Error, "this cluster has a secret");
    await assertRejects(() => knock(one.addr, undefined, old), Error, "the cluster secret is another one");
    await assertRejects(() => knock(one.addr, fresh), Error, "the cluster secret is another one");
    await knock(one.addr, old);

    for (const [action, key] of [["install", fresh], ["use", fresh], ["remove", old]]) {
      const { code, stderr } = await one.muster("keyring", `-${action}=${key}`);
      assertEquals([code, stderr.trim()], [0, ""]);
    }
    await assertRejects(() => knock(two.addr, old), Error, "the cluster secret is another one");
    await knock(two.addr, fresh);
    await two.stop("SIGKILL");
    const again = start(other, ...flags); // its keyring wins over the key that it is started with
    await again.up();
    await leaderAmong([one, again]);
    await until(
      "a write after the change",
      () => client.sql("INSERT INTO t VALUES(1)").then(() => true, () => undefined),
    );
    for (const agent of [one, two, client, again]) {
      for (const key of [old, fresh]) {
        assertEquals([agent.log.includes(key), agent.log.includes((await secretsOf([decodeKeyText(key)]))[0])], [
          false,
          false,
        ]);
      }
    }
  }));

Deno.test("while the secret is optional a node without it is let in, and no longer afterwards, also where only the keyring has the key", () =>
  withAgents(async (root, start) => {
    const key = await newKey();
    const server = start(
      agentPlace(root, "server"),
      "-server",
      "-bootstrap-expect=1",
      `-encrypt=${key}`,
      "-cluster-secret-optional",
    );
    await server.up();
    await leaderAmong([server]);
    await knock(server.addr);
    assertEquals(await server.stop("SIGKILL") > 0, true);
    const strict = start(server.place, "-server", "-bootstrap-expect=1");
    await strict.up();
    await assertRejects(() => knock(strict.addr), Error, "this cluster has a secret");
    await strict.says(/refused node "stranger": this cluster has a secret/);
  }));
