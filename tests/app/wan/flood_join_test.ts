/** Servers of a datacenter are brought into the pool of all datacenters (G5.13), between two pools that the test plays. */
import { assertEquals } from "@std/assert";
import { FloodJoin, missingServers } from "../../../src/app/wan/flood_join.ts";
import type { MemberRecord } from "../../../src/drivers/membership/api.ts";

const VERSIONS = { protocolMin: 1, protocolMax: 5, protocolCur: 2, delegateMin: 2, delegateMax: 5, delegateCur: 4 };

function member(name: string, { addr = "192.0.2.1", status = "alive", ...tags }: {
  addr?: string;
  status?: MemberRecord["status"];
  role?: string;
  dc?: string;
  wan_join_port?: string;
} = {}): MemberRecord {
  return { name, addr, port: 8301, status, tags: { role: "consul", dc: "dc1", ...tags }, ...VERSIONS };
}

Deno.test("servers that tell their port and are not alive in the other pool are missing there, clients never", () => {
  const lan = [
    member("a", { wan_join_port: "8302" }),
    member("b", { wan_join_port: "9302", addr: "2001:db8::2" }),
    member("c", { wan_join_port: "8302", addr: "192.0.2.3" }),
    member("client", { role: "node", wan_join_port: "8302" }),
    member("off"),
    member("odd", { wan_join_port: "x" }),
    member("gone", { wan_join_port: "8302", status: "failed" }),
  ];
  const wan = [member("a.dc1"), member("c.dc1", { status: "failed" }), member("b.dc2")];
  assertEquals(missingServers(lan, wan), ["[2001:db8::2]:9302", "192.0.2.3:8302"]);
});

Deno.test("a server joins those that come, one round at a time, and nobody once it leaves", async () => {
  const lan = [member("a", { wan_join_port: "8302" })];
  const wan = [member("a.dc1")];
  const asked: (readonly string[])[] = [];
  const answers: PromiseWithResolvers<void>[] = [];
  const lines: string[] = [];
  const flood = new FloodJoin({
    lan: { members: () => lan },
    wan: {
      name: "a.dc1",
      members: () => wan,
      async join(addresses) {
        asked.push(addresses);
        const answer = Promise.withResolvers<void>();
        answers.push(answer);
        await answer.promise;
        return { joined: 0, others: 0, errors: ["refused"] };
      },
    },
  }, (line) => lines.push(line));
  try {
    assertEquals(asked, []);
    lan.push(member("b", { wan_join_port: "8302", addr: "192.0.2.2" }));
    flood.soon();
    lan.push(member("c", { wan_join_port: "8302", addr: "192.0.2.3" }));
    flood.soon();
    flood.soon();
    assertEquals(asked, [["192.0.2.2:8302"]], "the second round waits for the first");
    wan.push(member("b.dc1"));
    answers[0].resolve();
    for (let turn = 0; asked.length < 2 && turn < 100; turn++) await Promise.resolve();
    assertEquals(asked, [["192.0.2.2:8302"], ["192.0.2.3:8302"]]);
    wan[0] = member("a.dc1", { status: "leaving" });
    flood.soon();
    answers[1].resolve();
    for (let turn = 0; turn < 100; turn++) await Promise.resolve();
    assertEquals(asked.length, 2, "one that leaves joins nobody");
    assertEquals(lines, ["(WAN) could not join a server of this datacenter: refused"], "what stays so is told once");
  } finally {
    flood.close();
  }
});
