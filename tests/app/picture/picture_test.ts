/** The picture of the cluster, and the warnings in it. */
import { assertEquals } from "@std/assert";
import type { Heard, NodeFacts } from "../../../src/app/picture/heard.ts";
import { pictureOf, type PictureParts } from "../../../src/app/picture/picture.ts";

const NOW_MS = Date.parse("2026-01-01T00:00:00Z");

function facts(more: Partial<NodeFacts> = {}): NodeFacts {
  return {
    name: "n",
    version: "1.0.0",
    apiUrl: "",
    leaderId: "1",
    isLeader: false,
    term: 2,
    commitIndex: 10,
    appliedIndex: 10,
    fullDisks: [],
    nowMs: NOW_MS,
    startedMs: 0,
    memoryBytes: 100e6,
    certificates: {},
    ...more,
  };
}

function heard(id: string, more: Partial<NodeFacts> = {}, how: Partial<Heard> = {}): Heard {
  return { id, addr: `${id}:1`, isVoter: true, clockAheadMs: 0, facts: facts({ name: id, ...more }), ...how };
}

function parts(all: readonly Heard[], more: Partial<PictureParts> = {}): PictureParts {
  const base = { askedId: "1", datacenter: "", leaderId: "1", leaderSinceMs: 5, distances: [], nowMs: NOW_MS };
  return { ...base, heard: all, ...more };
}

const codes = (all: readonly Heard[], more: Partial<PictureParts> = {}) =>
  pictureOf(parts(all, more), undefined).warnings.map(({ code, nodes }) => [code, ...nodes].join(" "));

Deno.test("a healthy cluster has a leader and no warnings", () => {
  const picture = pictureOf(
    parts([heard("2"), heard("1", { isLeader: true, leadsSinceMs: 7 }), heard("3")]),
    undefined,
  );
  assertEquals(picture.leader, { id: "1", sinceMs: 7 });
  assertEquals(picture.nodes.map(({ id, role, health }) => [id, role, health]), [
    ["1", "leader", "healthy"],
    ["2", "follower", "healthy"],
    ["3", "follower", "healthy"],
  ]);
  assertEquals(picture.warnings, []);
});

Deno.test("what is wrong with a cluster is a warning with a next step", () => {
  const lost: Heard = { id: "3", addr: "3:1", isVoter: true, clockAheadMs: 0, error: "connection refused" };
  const cases: [string, readonly Heard[], Partial<PictureParts>, string[]][] = [
    ["a node is gone", [heard("1"), heard("2"), lost], {}, ["unreachable 3", "no-spare-voter"]],
    ["an older node", [heard("1"), heard("2"), { ...lost, isOlder: true }], {}, ["mixed-versions"]],
    ["nobody leads", [heard("1"), heard("2"), heard("3")], { leaderId: "" }, ["no-leader"]],
    ["an even number", [heard("1"), heard("2")], {}, ["even-voters"]],
    ["versions", [heard("1"), heard("2", { version: "2" }), heard("3")], {}, ["mixed-versions"]],
    ["a slow node", [heard("1", { commitIndex: 5000 }), heard("2"), heard("3")], {}, [
      "behind 1 2 3",
    ]],
    ["replicas that differ", [heard("1", { differing: { index: 9, nodes: ["3"] } }), heard("2"), lost], {}, [
      "replicas-differ 3",
      "no-spare-voter",
    ]],
    ["no majority", [heard("1", { differing: { index: 9, nodes: [] } }), heard("2"), heard("3")], {}, [
      "replicas-differ",
    ]],
    ["a clock", [heard("1"), heard("2", {}, { clockAheadMs: -5000 }), heard("3")], {}, ["clock-skew 2"]],
    ["a full disk", [heard("1", { fullDisks: ["log"] })], {}, ["not-ready 1"]],
    ["little space", [heard("1", { disk: { usedBytes: 1, freeBytes: 1e9, totalBytes: 20e9 } })], {}, [
      "disk-nearly-full 1",
    ]],
    ["certificates", [heard("1", { certificates: { HTTPS: "2026-01-03T00:00:00Z" } })], {}, ["certificate-expires 1"]],
    ["expired", [heard("1", { certificates: { HTTPS: "2025-01-03T00:00:00Z" } })], {}, ["certificate-expires 1"]],
  ];
  for (const [name, all, more, expected] of cases) assertEquals(codes(all, more), expected, name);
  for (const [name, all, more] of cases) {
    for (const { nextStep, cause } of pictureOf(parts(all, more), undefined).warnings) {
      assertEquals([nextStep === "", cause === ""], [false, false], name);
    }
  }
});

Deno.test("what is wrong with several nodes is one warning that names them, with the cause of each", () => {
  const gone = (id: string, error: string): Heard => ({ id, addr: `${id}:1`, isVoter: true, clockAheadMs: 0, error });
  const warningsOf = (...all: readonly Heard[]) =>
    pictureOf(parts(all), undefined).warnings.map(({ code, title, cause }) => [code, title, cause]);
  assertEquals(
    warningsOf(heard("1"), heard("2"), heard("3"), gone("4", "refused"), gone("5", "refused"))[0],
    ["unreachable", "4 and 5 do not answer", "refused"],
  );
  assertEquals(
    warningsOf(
      heard("1"),
      heard("2"),
      heard("3"),
      heard("6"),
      gone("4", "late"),
      gone("5", "refused"),
      gone("7", "late"),
    )[
      0
    ],
    ["unreachable", "4, 5 and 7 do not answer", "4 and 7: late; 5: refused"],
  );
  const soon = { HTTPS: "2026-01-03T00:00:00Z" };
  assertEquals(
    warningsOf(heard("1", { certificates: soon }), heard("2", { certificates: soon }), heard("3")),
    [[
      "certificate-expires",
      "Certificates of 1 and 2 expire soon",
      `That for HTTPS expires in 2 days: it is valid until ${soon.HTTPS}`,
    ]],
  );
});

Deno.test("a node that is busy with a statement is to be waited for, whatever the cause says", () => {
  const stepOf = (more: Partial<NodeFacts>) => pictureOf(parts([heard("1", more)]), undefined).warnings[0].nextStep;
  assertEquals(
    stepOf({ fault: "it waits", busyWith: { index: 7, steps: 100 } }).startsWith("Wait: the statement"),
    true,
  );
  assertEquals(stepOf({ fault: "the database is busy with entry 7" }).startsWith("Look at the log"), true);
});

Deno.test("figures that move a little leave the picture as it is", () => {
  const before = pictureOf(parts([heard("1", { memoryBytes: 100e6 })]), undefined);
  const same = pictureOf(parts([heard("1", { memoryBytes: 101e6, nowMs: NOW_MS + 9 })]), before);
  assertEquals(same, before);
  const other = pictureOf(parts([heard("1", { memoryBytes: 150e6 })]), before);
  assertEquals(other.nodes[0].memoryBytes, 150e6);
});
