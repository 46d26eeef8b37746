/** An agent's attempts to join at its start, in a pool that the test plays (C4.1). */
import { assertEquals, assertRejects } from "@std/assert";
import { Callee, type Methods, type ToCallee } from "../../../src/base/worker/channel.ts";
import type { JoinResult, MembershipMethods } from "../../../src/drivers/membership/api.ts";
import { PoolClient } from "../../../src/drivers/membership/client.ts";
import { parseProvider } from "../../../src/core/provider/provider.ts";
import { joinAtStart, JoinError } from "../../../src/program/node/pool.ts";

const OWN: JoinResult = { joined: 1, others: 0, errors: [] };
const OTHER: JoinResult = { joined: 2, others: 1, errors: [] };
const NOBODY: JoinResult = { joined: 0, others: 0, errors: ["Failed to join x"] };

/** Addresses of each attempt of the last call of {@linkcode join}. */
const asked: string[][] = [];

/** Joins, where the pool answers as `results` say, one after the other, and has `alive` members. */
async function join(
  results: readonly JoinResult[],
  { alive = 1, bootstrapExpect = 0, bootstrap = false, startJoin = [], retryJoin = [], retryMax = 0, lookUp }: {
    alive?: number;
    bootstrapExpect?: number;
    bootstrap?: boolean;
    startJoin?: string[];
    retryJoin?: string[];
    retryMax?: number;
    lookUp?: () => Promise<string[]>;
  },
): Promise<string[]> {
  const { port1, port2 } = new MessageChannel();
  const left = [...results];
  const lines: string[] = [];
  asked.length = 0;
  const methods = {
    join: ({ addresses }: { addresses: string[] }) => {
      asked.push(addresses);
      return left.shift() ?? OTHER;
    },
    members: () => Array.from({ length: alive }, () => ({ status: "alive" })),
  } as unknown as Methods<MembershipMethods>;
  const callee = new Callee<MembershipMethods>(port2, methods);
  port2.onmessage = ({ data }: MessageEvent<ToCallee<MembershipMethods>>) => callee.take(data);
  const provider = lookUp && parseProvider("provider=mdns");
  const providers = { entries: provider ? [provider] : [], kubernetes: { host: "", port: "" }, links: [] };
  const agent = { bootstrap, startJoin, retryJoin, providers, retryMax, retryIntervalMs: 1 };
  try {
    const { signal } = new AbortController();
    await joinAtStart(new PoolClient(port1), {
      agent,
      bootstrapExpect,
      lookUp: lookUp ?? (() => Promise.reject(new Error("there is no provider"))),
      signal,
      log: (line) => lines.push(line),
    });
    assertEquals(left, [], "no attempt too few");
    return lines;
  } finally {
    port1.close();
    port2.close();
  }
}

Deno.test("retry-join goes on until another member has answered", async () => {
  const lines = await join([OWN, NOBODY, OWN, OTHER], { retryJoin: ["servers.test"], bootstrapExpect: 3 });
  assertEquals(lines.length, 5);
  assertEquals(lines[1].includes('error="only this node itself has answered"'), true, lines[1]);
  assertEquals(lines[4], "Join cluster completed. Synced with initial agents: cluster=LAN num_agents=2");
});

Deno.test("an agent that others have joined, and a server that forms a cluster alone, are done with themselves", async () => {
  const completed = "Join cluster completed. Synced with initial agents: cluster=LAN num_agents=1";
  for (const options of [{ alive: 2 }, { bootstrapExpect: 1 }, { bootstrap: true }]) {
    assertEquals((await join([OWN], { ...options, retryJoin: ["me"] })).at(-1), completed);
    assertEquals((await join([OWN], { ...options, startJoin: ["me"] })).at(-1), "(LAN) joined: number_of_nodes=1");
  }
});

Deno.test("a start-join that reaches this node alone fails, and so do the attempts of retry-join when they are used up", async () => {
  const error = await assertRejects(() => join([OWN], { startJoin: ["me"] }), JoinError);
  assertEquals(error.message, "Error joining the pool: only this node itself has answered");
  const used = await assertRejects(() => join([OWN, OWN], { retryJoin: ["me"], retryMax: 2 }), JoinError);
  assertEquals(used.message, "max join LAN retry exhausted, exiting");
});

Deno.test("a provider is asked anew for each attempt, beside the addresses; one that fails or knows nobody is told", async () => {
  const known: (string[] | Error)[] = [new Error("401"), [], ["a:1"], ["a:1", "b"]];
  const lookUp = () => {
    const next = known.shift() ?? [];
    return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
  };
  const lines = await join([OWN, OTHER], { lookUp });
  assertEquals(asked.map((addresses) => addresses.toSorted()), [["a:1"], ["a:1", "b"]]);
  assertEquals(lines.slice(0, 4), [
    "Joining cluster...: cluster=LAN addresses=[provider=mdns]",
    'Cannot discover address: address="provider=mdns" error="401"',
    'Join cluster failed, will retry: cluster=LAN retry_interval=0.001s error="No servers to join"',
    'Join cluster failed, will retry: cluster=LAN retry_interval=0.001s error="No servers to join"',
  ]);
  assertEquals(lines.at(-1), "Join cluster completed. Synced with initial agents: cluster=LAN num_agents=2");
  await join([OTHER], { lookUp, retryJoin: ["x"] });
  assertEquals(asked, [["x"]]);
  const many = () => Promise.resolve(Array.from({ length: 100 }, (_, at) => `10.0.0.${at}`));
  await join([OTHER], { lookUp: many });
  assertEquals(new Set(asked[0]).size, 16);
});
