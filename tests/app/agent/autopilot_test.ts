/** The care for servers: settings, and which failed server is taken out. */
import { assertEquals, assertThrows } from "@std/assert";
import { AUTOPILOT_DEFAULTS, autopilotConfig, autopilotJson, deadServer } from "../../../src/app/agent/autopilot.ts";
import { DecodeError } from "../../../src/base/codec/cursor.ts";
import type { MemberRecord } from "../../../src/drivers/membership/api.ts";

/** Members by id and state, one letter each: `a1` is alive, `f2` has failed, `l3` has left. */
const members = (...texts: string[]): MemberRecord[] =>
  texts.map((text) => ({
    name: `s${text[1]}`,
    addr: "192.0.2.1",
    port: 8301,
    tags: { role: "consul", id: text[1] },
    status: text[0] === "a" ? "alive" : text[0] === "f" ? "failed" : "left",
    protocolMin: 1,
    protocolMax: 5,
    protocolCur: 2,
    delegateMin: 2,
    delegateMax: 5,
    delegateCur: 4,
  }));

Deno.test("a failed server goes when the cluster is safer without it, and only then", () => {
  const dead = (voters: string, texts: string[], more = {}) =>
    deadServer([...voters], members(...texts), { ...AUTOPILOT_DEFAULTS, ...more });
  assertEquals(dead("123", ["a1", "a2", "f3"]), undefined, "nobody has taken its place");
  assertEquals(dead("1234", ["a1", "a2", "f3", "a4"]), "3");
  assertEquals(dead("1234", ["a1", "a2", "f3", "a4"], { cleansUp: false }), undefined);
  assertEquals(dead("1234", ["a1", "a2", "f3", "a4"], { minQuorum: 4 }), undefined);
  assertEquals(dead("1234", ["a1", "f2", "f3", "a4"]), undefined, "half of them cannot decide");
  assertEquals(dead("123456", ["a1", "a2", "a3", "a4", "f5", "f6"]), "5");
  assertEquals(dead("12", ["a1", "f2"]), undefined);
  assertEquals(dead("1234", ["a1", "a2", "a3", "a4"]), undefined);
  assertEquals(dead("1234", ["a1", "a2", "a4"]), undefined, "who is not known is not known to have failed");
  assertEquals(dead("1234", ["a1", "a2", "f3", "a3", "a4"]), undefined, "it is back under another name");
});

Deno.test("settings are read by Consul's names, and what is missing stays", () => {
  const config = autopilotConfig({ CleanupDeadServers: false, LastContactThreshold: "1s", MaxTrailingLogs: 5 });
  assertEquals(config, { ...AUTOPILOT_DEFAULTS, cleansUp: false, lastContactMs: 1000, trailingLogs: 5 });
  assertEquals(autopilotConfig({ ServerStabilizationTime: 2e9 }, config), { ...config, stabilizationMs: 2000 });
  assertEquals(autopilotConfig(autopilotJson(config)), config);
  for (const body of [{ CleanupDeadServers: 1 }, { MaxTrailingLogs: -1 }, { LastContactThreshold: "soon" }]) {
    assertThrows(() => autopilotConfig(body), DecodeError, "Expected");
  }
});
