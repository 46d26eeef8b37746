/**
 * The checker on short histories that are told to it by hand: it accepts the good ones and finds what is wrong in the
 * others. Mutations of the checker (bugs/list.ts, `c1` and on) must fail here.
 */
import { assertThrows } from "@std/assert";
import type { Config, Entry } from "../../src/core/raft/message.ts";
import { Checker, SimFailure } from "./checker.ts";
import { Disk } from "./disk.ts";

const CONFIG: Config = {
  at: 1,
  clusterId: "sim",
  members: ["a", "b", "c", "d"].map((id) => ({ id, storageId: `disk-${id}`, addr: id, role: "voter" })),
};

function entry(index: number, term: number, text = ""): Entry {
  return { index, term, kind: "command", body: new TextEncoder().encode(text) };
}

/** A checker and the disks of four voters, all of which hold `log`. */
function cluster(log: readonly Entry[]): { checker: Checker; disks: Disk[] } {
  const checker = new Checker();
  const disks = CONFIG.members.map(({ storageId }) => new Disk(storageId));
  for (const disk of disks) {
    disk.entries.push(...log);
    checker.addDisk(disk);
  }
  return { checker, disks };
}

function commits(checker: Checker, id: string, log: readonly Entry[], term?: number): void {
  const leader = term === undefined ? undefined : { term, config: CONFIG };
  checker.committed({ id, log }, { from: 1, to: log.length }, leader);
}

Deno.test("Checker accepts a leader, a commit by a majority, its application and its acknowledgement", () => {
  const log = [entry(1, 1), entry(2, 2)];
  const { checker, disks } = cluster(log);
  disks[3].entries.length = 0;
  checker.elected("a", 2, log);
  checker.elected("a", 2, log);
  commits(checker, "a", log, 2);
  commits(checker, "b", log);
  checker.applied("a", disks[0], log[0], 0);
  checker.applied("a", disks[0], log[1], 1);
  checker.acknowledged(log[1]);
  checker.readGranted("a", 2, 2);
});

Deno.test("Checker finds two leaders in one term (I1)", () => {
  const { checker } = cluster([]);
  checker.elected("a", 1, []);
  assertThrows(() => checker.elected("b", 1, []), SimFailure, "I1: b and a lead term 1");
});

Deno.test("Checker finds a vote that changed, and a term that fell (I2)", () => {
  const { checker } = cluster([]);
  const before = { term: 2, vote: "a" };
  checker.hardWritten("c", before, { term: 3, vote: "b" });
  assertThrows(() => checker.hardWritten("c", before, { term: 2, vote: "b" }), SimFailure, "I2: c voted twice");
  assertThrows(() => checker.hardWritten("c", before, { term: 1, vote: null }), SimFailure, "I2: the durable term");
});

Deno.test("Checker finds another entry, or the same one of another term, in a committed one's place (I3)", () => {
  const { checker } = cluster([]);
  commits(checker, "a", [entry(1, 1, "x")]);
  assertThrows(() => commits(checker, "b", [entry(1, 1, "y")]), SimFailure, "I3: b commits another entry at 1");
  assertThrows(() => commits(checker, "b", [entry(1, 2, "x")]), SimFailure, "I3: b commits another entry at 1");
});

Deno.test("Checker finds a leader without the committed entries (I4)", () => {
  const { checker } = cluster([]);
  commits(checker, "a", [entry(1, 1), entry(2, 1)]);
  assertThrows(() => checker.elected("b", 2, [entry(1, 1)]), SimFailure, "I4: leader b of 2 lacks");
  assertThrows(() => checker.elected("b", 2, [entry(1, 1), entry(2, 2)]), SimFailure, "I4: leader b of 2 differs at 2");
});

Deno.test("Checker asks a leader elected by late votes for nothing that a later term committed (I4)", () => {
  const log = [entry(1, 1), entry(2, 3)];
  const { checker } = cluster(log);
  checker.elected("a", 3, log.slice(0, 1));
  commits(checker, "a", log.slice(0, 1));
  checker.committed({ id: "a", log }, { from: 2, to: 2 }, { term: 3, config: CONFIG });
  checker.elected("b", 2, log.slice(0, 1));
  assertThrows(() => checker.elected("b", 4, log.slice(0, 1)), SimFailure, "I4: leader b of 4 lacks");
});

Deno.test("Checker finds two contents of one index and term (I5)", () => {
  const { checker } = cluster([]);
  checker.appended("a", [entry(1, 1, "x")], [entry(1, 1, "x")]);
  assertThrows(() => checker.appended("b", [entry(1, 1, "y")], [entry(1, 1, "y")]), SimFailure, "I5: b holds another");
});

Deno.test("Checker finds a gap in what is applied, and what is applied before it is durable (I6)", () => {
  const log = [entry(1, 1), entry(2, 1)];
  const { checker, disks } = cluster(log);
  commits(checker, "a", log);
  assertThrows(() => checker.applied("a", disks[0], log[1], 0), SimFailure, "I6: a applies 2 after 0");
  disks[1].entries.length = 0;
  assertThrows(() => checker.applied("b", disks[1], log[0], 0), SimFailure, "I6: b applies 1 before it is durable");
});

Deno.test("Checker finds a commit by half of the voters, and one of an older term (I7)", () => {
  const log = [entry(1, 1)];
  const { checker, disks } = cluster(log);
  disks[2].entries.length = disks[3].entries.length = 0;
  assertThrows(() => commits(checker, "a", log, 1), SimFailure, "I7: a commits 1 with 2 durable copies of 4");
  disks[2].entries.push(...log);
  assertThrows(() => commits(checker, "a", log, 2), SimFailure, "I7: leader a of 2 commits 1 of term 1 by counting");
});

Deno.test("Checker finds promises that leave before they are durable (I8)", () => {
  const { checker, disks: [disk] } = cluster([]);
  disk.hard = { term: 3, vote: "a" };
  const reply = { k: "requestVoteReply", from: "c", to: "a", term: 3, granted: true } as const;
  checker.leaving(disk, reply);
  checker.leaving(disk, { ...reply, to: "b", granted: false });
  assertThrows(() => checker.leaving(disk, { ...reply, to: "b" }), SimFailure, "I8: c votes for b");
  assertThrows(
    () => checker.leaving(disk, { ...reply, term: 4 }),
    SimFailure,
    "I8: c sends requestVoteReply of term 4",
  );
  const hint = { index: 0, term: 0 };
  const accepted = { k: "appendReply", from: "c", to: "a", term: 3, ok: true, index: 1, hint, round: 0 } as const;
  assertThrows(() => checker.leaving(disk, accepted), SimFailure, "I8: c acknowledges 1");
});

Deno.test("Checker finds configurations that are too early or one too many (I9)", () => {
  const { checker } = cluster([]);
  const log = [entry(1, 1), entry(2, 2), entry(3, 2)];
  const node = { id: "a", log };
  checker.reconfigured(node, { entry: log[2], previous: 1, commit: 2 });
  const tooMany = () => checker.reconfigured(node, { entry: log[2], previous: 2, commit: 1 });
  assertThrows(tooMany, SimFailure, "I9: a appends a configuration at 3 while 2 is open");
  const tooEarly = () => checker.reconfigured(node, { entry: log[2], previous: 1, commit: 1 });
  assertThrows(tooEarly, SimFailure, "I9: a reconfigures before a commit of its term");
});

Deno.test("Checker finds an acknowledged write that is not committed, or whose place another one has (I10)", () => {
  const { checker } = cluster([]);
  commits(checker, "a", [entry(1, 1, "x")]);
  assertThrows(() => checker.acknowledged(entry(1, 1, "y")), SimFailure, "I10: the write at 1");
  assertThrows(() => checker.acknowledged(entry(2, 1, "z")), SimFailure, "I10: the write at 2");
});

Deno.test("Checker finds a read that does not see an acknowledged write (I11)", () => {
  const { checker } = cluster([]);
  assertThrows(() => checker.readGranted("b", 4, 5), SimFailure, "I11: b grants a read at 4");
});

Deno.test("Checker finds a read by a lease whose term is over (R10)", () => {
  const { checker } = cluster([]);
  commits(checker, "a", [entry(1, 1)]);
  checker.leaseServed("b", 1);
  assertThrows(() => checker.leaseServed("b", 0), SimFailure, "R10: b serves a read by its lease of 0 though 1");
});

Deno.test("Checker finds work at a tick of rest (I17)", () => {
  const { checker } = cluster([]);
  const none = { send: [], reads: [], proposals: [], answers: [], needSnapshot: [] };
  checker.rested("b", none);
  for (const work of [{ commit: 1 }, { apply: { from: 1, to: 1 } }, { needSnapshot: ["a"] }]) {
    assertThrows(() => checker.rested("b", { ...none, ...work }), SimFailure, "I17: b has work to do");
  }
});
