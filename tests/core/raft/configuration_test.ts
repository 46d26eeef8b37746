import { assertEquals, assertThrows } from "@std/assert";
import { DecodeError } from "../../../src/base/codec/cursor.ts";
import {
  changedConfig,
  ConfigHistory,
  decodeConfig,
  EMPTY_CONFIG,
  encodeConfig,
} from "../../../src/core/raft/configuration.ts";
import type { ConfigChange } from "../../../src/core/raft/effects.ts";
import type { Config, Member } from "../../../src/core/raft/message.ts";
import { Random } from "../../harness/random.ts";

function member(id: string, role: Member["role"]): Member {
  return { id, storageId: `disk-${id}`, addr: `${id}.example:4002`, role };
}

const THREE: Config = { at: 7, clusterId: "c", members: ["a", "b", "c"].map((id) => member(id, "voter")) };

Deno.test("decodeConfig() returns what encodeConfig() was given", () => {
  const config: Config = {
    at: 9,
    clusterId: "ü",
    members: [...THREE.members, member("d", "learner"), member("e", "nonvoter")],
  };
  assertEquals(decodeConfig(encodeConfig(config), 9), config);
});

Deno.test("decodeConfig() throws a DecodeError when bytes are damaged, and nothing else", () => {
  const body = encodeConfig(THREE);
  for (let length = 0; length < body.length; length++) {
    assertThrows(() => decodeConfig(body.slice(0, length), 1), DecodeError);
  }
  for (let seed = 1; seed <= 3000; seed++) {
    const random = new Random(seed);
    const damaged = body.slice();
    for (let count = random.between(1, 4); count > 0; count--) {
      damaged[random.below(damaged.length)] = random.below(256);
    }
    try {
      decodeConfig(damaged, 1);
    } catch (error) {
      assertEquals(error instanceof DecodeError, true, `seed ${seed}: ${error}`);
    }
  }
});

Deno.test("decodeConfig() refuses members out of order, twice, without a voter, or of a later version", () => {
  const of = (members: readonly Member[]): Uint8Array => encodeConfig({ ...THREE, members });
  assertThrows(() => decodeConfig(of([member("b", "voter"), member("a", "voter")]), 1), DecodeError, "sorted");
  assertThrows(() => decodeConfig(of([member("a", "voter"), member("a", "voter")]), 1), DecodeError, "twice");
  assertThrows(() => decodeConfig(of([member("a", "learner")]), 1), DecodeError, "no voter");
  assertThrows(() => decodeConfig(of([]), 1), DecodeError, "no voter");
  assertThrows(() => decodeConfig(Uint8Array.from([2, ...encodeConfig(THREE).slice(1)]), 1), DecodeError, "version");
});

Deno.test("changedConfig() changes one member and touches at most one vote when changes are random (M2d, M10)", () => {
  for (let seed = 1; seed <= 500; seed++) {
    const random = new Random(seed);
    let config = THREE;
    for (let step = 0; step < 40; step++) {
      const id = random.pick(["a", "b", "c", "d", "e", "f"]) ?? "a";
      const changes: ConfigChange[] = [
        { k: "add", member: member(id, random.chance(0.5) ? "learner" : "nonvoter") },
        { k: "promote", id },
        { k: "remove", id },
        { k: "readdress", id, storageId: `disk-${id}`, addr: random.pick(["a.example:4002", `${id}:${step}`]) ?? "" },
      ];
      const changed = changedConfig(config, changes[random.below(changes.length)]);
      if (typeof changed === "string") continue;
      const voters = (of: Config): string[] => of.members.filter(({ role }) => role === "voter").map((each) => each.id);
      const before = new Set(voters(config));
      const after = new Set(voters(changed));
      assertEquals(before.symmetricDifference(after).size <= 1, true, `seed ${seed}, step ${step}`);
      // Every configuration that is appended can be read by everyone.
      assertEquals(decodeConfig(encodeConfig(changed), changed.at), changed, `seed ${seed}, step ${step}`);
      config = changed;
    }
  }
});

Deno.test("ConfigHistory tells the newest and the committed one when the log grows and shrinks (M1)", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = new Random(seed);
    const history = new ConfigHistory([], { id: "a" });
    let model: Config[] = [EMPTY_CONFIG];
    let last = 0;
    for (let step = 0; step < 60; step++) {
      last += random.between(1, 3);
      if (random.chance(0.6)) {
        const config = { at: last, clusterId: "c", members: [member(`n${last}`, "voter")] };
        history.push(config);
        model.push(config);
      } else {
        last = random.below(last);
        history.truncate(last + 1);
        model = model.filter(({ at }) => at <= last);
      }
      const commit = random.below(last + 1);
      assertEquals(history.current, model.at(-1), `seed ${seed}, step ${step}`);
      assertEquals(history.voters, (model.at(-1) ?? EMPTY_CONFIG).members.map(({ id }) => id));
      assertEquals(history.committed(commit), model.findLast(({ at }) => at <= commit), `seed ${seed}, step ${step}`);
    }
  }
});
