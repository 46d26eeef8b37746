/**
 * The seeded bugs: small changes that break one rule each, and who must notice them. They are text,
 * applied to a copy of the code (run.ts), so that the code itself has no switch for them; text that no longer occurs is
 * an error, so that the list keeps up with the code.
 *
 * The seed, counting from 1, at which the simulation met each, and the invariant that broke; "assertion" is the core's own:
 *
 *     1    1 I7      5      1 assertion   8       3 I11   11     4 I9          15    94 I6          21     4 liveness
 *     2    1 I8      6   3697 I3          9     339 I11   11b    4 I9          19     8 assertion   21b    4 liveness
 *     2b   4 I8      7    289 assertion   9b   3741 I11 e 12     7 assertion   19c    8 assertion   22     3 S6
 *     3    1 I8      7c   352 assertion                   13b   38 I3
 *     4    1 I7                                           14     1 I12
 *     35   1 I17     35b    1 I17         35c    14 I17   35d    8 I17
 *
 * With the profile files, over the real log, and with sqlite, over the real state machine:
 *
 *     14b  1 I12     24   10 D2          26     1 I16   27     1 I16         28  1580 I16         29     1 I16
 *     18   3 I15                         30    85 I16   31     1 I16         32d   25 L5          34   431 D2
 *
 * With the profile leases:
 *
 *     10b 75 R10         10d 31 R10         10h 16 R10
 *
 * The others are caught by the tests they name. Whole clusters come too seldom into what 7b (no seed of 3500), 10 (2500), 9c (one of
 * 4000), 10c and 10g (380), 10f (500), 13 (500), 19b (800), 23 and 28b (1100) need, and never into 12b: a node that is
 * removed does not learn of it before the others commit it (M9).
 * @module
 */
import { type Absent, type Bug, files, test } from "./bug.ts";
import { LOG_BUGS } from "./log_list.ts";

const swarm = (seeds: number, first = 1) => ({ by: "simulation", seeds, first } as const);
const echoes = (seeds: number, first = 1) => ({ by: "simulation", seeds, first, profile: "echoes" } as const);
const leases = (seeds: number) => ({ by: "simulation", seeds, profile: "leases" } as const);

const CONSENSUS: readonly Bug[] = [
  {
    id: "1",
    title: "entries of older terms are committed by counting copies (C1)",
    symptom: "a committed entry is overwritten after two changes of leader",
    file: "src/core/raft/replication.ts",
    find: "if (index <= s.commit || s.log.termAt(index) !== s.term) return;",
    replace: "if (index <= s.commit) return;",
    caught: swarm(100),
  },
  {
    id: "2",
    title: "votes, and requests for them, leave before they are durable (O2)",
    symptom: "two leaders in one term after a crash",
    file: "src/core/raft/state.ts",
    find: 's.out.send.push({ m, gate: "all", index: 0 });',
    replace: 's.out.send.push({ m, gate: "free", index: 0 });',
    caught: swarm(100),
  },
  {
    id: "2b",
    title: "a vote is never written to disk (E2)",
    symptom: "two votes of one node in one term after a crash",
    file: "src/core/raft/election.ts",
    find: "    s.vote = m.from;\n    s.hardDirty = true;",
    replace: "    s.vote = m.from;",
    caught: swarm(100),
  },
  {
    id: "3",
    title: "a follower acknowledges entries before they are durable (O2)",
    symptom: "an acknowledged write is lost with the power",
    file: "src/core/raft/follower.ts",
    find: 'gate: "log",',
    replace: 'gate: "free",',
    caught: swarm(100),
  },
  {
    id: "4",
    title: "the leader counts itself before its own write is durable (O4)",
    symptom: "an acknowledged write is lost with the power of a single node",
    file: "src/core/raft/replication.ts",
    find: "own: s.log.durable,",
    replace: "own: s.log.last,",
    caught: swarm(100),
  },
  {
    id: "5",
    title: "a follower cuts its log behind every append (L3)",
    symptom: "a delayed short append erases acknowledged entries",
    file: "src/core/raft/follower.ts",
    find: "  if (known === entries.length) return;\n",
    replace: `  if (known === entries.length) {
    const end = entries.at(-1)?.index ?? s.log.last;
    if (end >= s.commit && end < s.log.last) {
      s.log.truncate(end + 1);
      s.configs.truncate(end + 1);
    }
    return;
  }
`,
    caught: swarm(100),
  },
  {
    id: "6",
    title: "a follower commits as far as its own log reaches (L5)",
    symptom: "a stale suffix is applied, and nodes differ",
    file: "src/core/raft/follower.ts",
    find: "commitTo(s, Math.min(m.commit, match));",
    replace: "commitTo(s, Math.min(m.commit, s.log.last));",
    caught: swarm(20, 3690),
  },
  {
    id: "7",
    title: "an append reply reports the follower's own last index (L4)",
    symptom: "a commit without a majority",
    file: "src/core/raft/follower.ts",
    find: "  sendAccepted(s, m, match);",
    replace: "  sendAccepted(s, m, s.log.last);",
    caught: swarm(1500),
  },
  {
    id: "7b",
    title: "a leader takes acknowledgements of an older term (L9)",
    symptom: "a commit without a majority",
    file: "src/core/raft/raft.ts",
    find: "      if (m.term < s.term) return;\n",
    replace: "",
    caught: test("tests/core/raft/scenarios_test.ts"),
  },
  {
    id: "7c",
    title: "a leader takes acknowledgements of a member's former disk (L9, B2)",
    symptom: "a commit without a majority",
    file: "src/core/raft/replication.ts",
    find: "  if (m.round < peer.roundMin) return undefined;\n",
    replace: "",
    caught: swarm(2000),
  },
  {
    id: "12",
    title: "a configuration is not rolled back with its entry (M1)",
    symptom: "a wrong quorum",
    file: "src/core/raft/follower.ts",
    find: "    s.configs.truncate(first);\n",
    replace: "",
    caught: swarm(500),
  },
  {
    id: "12b",
    title: "a leader outside of its configuration counts itself (M6)",
    symptom: "a commit by a minority",
    file: "src/core/raft/replication.ts",
    find: "const own = s.configs.isVoter ? of.own : 0;\n  const values: number[] = [];",
    replace: "const own = of.own;\n  const values: number[] = s.configs.isVoter ? [] : [own];",
    caught: test("tests/core/raft/scenarios_test.ts"),
  },
  {
    id: "15",
    title: "the acknowledgement of an old write marks replaced entries as durable (O3)",
    symptom: "entries are counted or read that are not on disk",
    file: "src/core/raft/tickets.ts",
    find:
      "    for (let at = acknowledged; at < pending.length; at++) durable = Math.min(durable, pending[at].touched - 1);\n",
    replace: "",
    caught: swarm(2000),
  },
  {
    id: "21",
    title: "the window of messages in flight is never freed after a loss (L7)",
    symptom: "a peer that gets no more entries",
    file: "src/core/raft/progress.ts",
    find: "  clear(): void {\n    this.#count = 0;\n    this.#bytesInFlight = 0;\n",
    replace: "  clear(): void {\n",
    caught: swarm(100),
  },
  {
    id: "21b",
    title: "lost appends are never noticed (L10)",
    symptom: "a peer that gets no more entries",
    file: "src/core/raft/replication.ts",
    find: "    if (peer.match < peer.sentAtHeartbeat) peer.nudge = true;\n",
    replace: "",
    caught: swarm(100),
  },
  {
    id: "23",
    title: "granting a pre-vote restarts the election timer (E4)",
    symptom: "no leader for a long time",
    file: "src/core/raft/election.ts",
    find: '  send(s, { k: "preVoteReply", from: s.id, to: m.from, term: granted ? m.term : s.term, granted });',
    replace: "  if (granted) restartTimer(s);\n" +
      '  send(s, { k: "preVoteReply", from: s.id, to: m.from, term: granted ? m.term : s.term, granted });',
    caught: test("tests/core/raft/scenarios_test.ts"),
  },
];

const READS: readonly Bug[] = [
  {
    id: "8",
    title: "a read index is given out before the first commit of the term (R1)",
    symptom: "a new leader returns an old value",
    file: "src/core/raft/read_index.ts",
    find: "} else if (s.commit < lead.firstIndex) {",
    replace: "} else if (s.commit < 0) {",
    caught: swarm(200),
  },
  {
    id: "9",
    title: "a read is confirmed by a round that began before it (R2)",
    symptom: "a stale read after a partition",
    file: "src/core/raft/read_index.ts",
    find: "    lead.reads.push({ ref, index: s.commit, round: lead.round + 1 });\n  }",
    replace: "    lead.reads.push({ ref, index: s.commit, round: lead.round });\n  }",
    caught: swarm(500),
  },
  {
    id: "9b",
    title: "any answer confirms the newest round (R4)",
    symptom: "a stale read after a pause",
    file: "src/core/raft/replication.ts",
    find: "  if (m.round > peer.round) peer.round = m.round;",
    replace: "  peer.round = lead.round;",
    caught: echoes(20, 3731),
  },
  {
    id: "9c",
    title: "learners confirm reads (M4, R3)",
    symptom: "a stale read after a partition",
    file: "src/core/raft/replication.ts",
    find: "  for (const id of s.configs.voters) values.push(",
    replace:
      '  const counted = of.key === "round" ? s.configs.current.members.map(({ id }) => id) : s.configs.voters;\n' +
      "  for (const id of counted) values.push(",
    caught: test("tests/core/raft/scenarios_test.ts"),
  },
];

const LEASES: readonly Bug[] = [
  {
    id: "10",
    title: "a lease is counted from the receipt of an answer (R10)",
    symptom: "a stale read after a pause",
    file: "src/core/raft/replication.ts",
    find: "  peer.promiseMs = m.promiseMs ?? 0;\n",
    replace: "  peer.promiseMs = m.promiseMs ?? 0;\n" +
      "  const answered = lead.rounds.find(({ round }) => round === m.round);\n" +
      "  if (answered && s.clock) Object.assign(answered, { sentMs: s.clock.ms });\n",
    caught: test("tests/core/raft/scenarios_test.ts"),
  },
  {
    id: "10b",
    title: "a lease is kept when leadership is handed over (T5)",
    symptom: "a stale read while the new leader writes",
    file: "src/core/raft/transfer.ts",
    find: "  lead.isHandedOver = true;\n",
    replace: "",
    caught: leases(100),
  },
  {
    id: "10c",
    title: "a voter votes right after its restart (R10)",
    symptom: "a stale read after two failures at once",
    file: "src/core/raft/lease.ts",
    find: "s.boundUntilMs = now.ms + lease.quietMs;",
    replace: "s.boundUntilMs = now.ms;",
    caught: test("tests/core/raft/scenarios_test.ts"),
  },
  {
    id: "10d",
    title: "the lease is looked at before the transaction is opened (R10; the driver as simulated)",
    symptom: "an old state after a pause",
    file: "tests/sim/reads.ts",
    find: "    const opened = { ...read, index: node.applied };\n" +
      "    this.#later(node, () => this.#holds(node, read.term) ? this.#serve(node, opened) : this.#isLost(node, read));",
    replace: "    const holds = this.#holds(node, read.term);\n" +
      "    this.#later(node, () => holds ? this.#serve(node, { ...read, index: node.applied }) : this.#isLost(node, read));",
    caught: leases(500),
  },
  {
    id: "10e",
    title: "the lease is not looked at again behind the read (R10; the driver)",
    symptom: "an old state after a pause",
    file: "src/app/database/linearizable.ts",
    find: "if (hasLease(parts) && state.term === term) {",
    replace: "if (state.term === term) {",
    caught: test("tests/app/database/linearizable_test.ts"),
  },
  {
    id: "10j",
    title: "a read ahead of its round counts in whatever term that is confirmed (R11; the driver)",
    symptom: "a stale read after a node has led, not led, and led again",
    file: "src/app/database/linearizable.ts",
    find: "  if (state.term === term) return await reading;\n",
    replace: "  if (state.term >= term) return await reading;\n",
    caught: test("tests/app/database/linearizable_test.ts"),
  },
  {
    id: "10k",
    title: "a read runs ahead of its round before a leader has applied what it knows to be committed (R11; the driver)",
    symptom: "a client does not see what another node has acknowledged",
    file: "src/app/database/linearizable.ts",
    find: "  return isLeader && appliedTerm === term && applied >= commit;\n",
    replace: "  return isLeader && appliedTerm === term;\n",
    caught: test("tests/app/database/linearizable_test.ts"),
  },
  {
    id: "10f",
    title: "a promise is measured in ticks, which come in bursts after a pause (R10)",
    symptom: "a stale read after a pause of a follower",
    file: "src/core/raft/lease.ts",
    find: "(s.clock === undefined || s.clock.ms < s.boundUntilMs)",
    replace: "s.leader !== null && s.timer.sinceLeader < s.options.electionTicks",
    caught: test("tests/core/raft/scenarios_test.ts"),
  },
  {
    id: "10g",
    title: "answers of nodes that promise nothing count for a lease (R10)",
    symptom: "a stale read where not all nodes have the option",
    file: "src/core/raft/replication.ts",
    find: "  peer.promiseMs = m.promiseMs ?? 0;",
    replace: "  peer.promiseMs = m.promiseMs || 1000;",
    caught: test("tests/core/raft/scenarios_test.ts"),
  },
  {
    id: "10h",
    title: "nobody notices that the machine was suspended (R10)",
    symptom: "a stale read when it goes on",
    file: "src/base/shared/lease.ts",
    find: "return Math.abs(wallMs - ms - skewMs) <= CLOCKS_APART_MS_MAX;",
    replace: "return Math.abs(wallMs - ms - skewMs) <= Infinity;",
    caught: leases(500),
  },
  {
    id: "10i",
    title: "a majority's word is as young as the newest round, whichever it has echoed (R3, R10)",
    symptom: "a stale read at level none with freshness, or weak, after a pause",
    file: "src/core/raft/rounds.ts",
    find: "lead.rounds.findLast((noted) => noted.round <= round)",
    replace: "lead.rounds.at(-1)",
    caught: test("tests/core/raft/rounds_test.ts"),
  },
];

const MEMBERSHIP: readonly Bug[] = [
  {
    id: "11",
    title: "the configuration changes before the first commit of the term (M2a)",
    symptom: "disjoint majorities, two leaders commit",
    file: "src/core/raft/membership.ts",
    find: '  if (s.commit < lead.firstIndex) return "not_ready";\n',
    replace: "",
    caught: swarm(100),
  },
  {
    id: "11b",
    title: "two changes of the configuration at a time (M2b)",
    symptom: "disjoint majorities, two leaders commit",
    file: "src/core/raft/membership.ts",
    find: '  if (s.configs.current.at > s.commit) return "config_pending";\n',
    replace: "",
    caught: swarm(100),
  },
  {
    id: "19",
    title: "an empty disk inherits what the former one acknowledged (B2)",
    symptom: "a commit without a majority",
    file: "src/core/raft/membership.ts",
    find: "const isSame = peer?.sendMax === Infinity && memberOf(old, id)?.storageId === storageId;",
    replace: "const isSame = peer !== undefined;",
    caught: swarm(2000),
  },
  {
    id: "19b",
    title: "a node with an empty disk campaigns as its predecessor (B2)",
    symptom: "a leader without the committed entries",
    file: "src/core/raft/configuration.ts",
    find: "return this.#self.storageId === undefined || member.storageId === this.#self.storageId;",
    replace: "return true;",
    caught: test("tests/core/raft/scenarios_test.ts"),
  },
  {
    id: "19c",
    title: "messages reach whichever disk has the name (B2; the driver as simulated)",
    symptom: "a node with an empty disk votes and acknowledges as its predecessor",
    file: "tests/sim/network.ts",
    find: "if (wanted !== undefined && wanted !== node.disk.storageId) {",
    replace: "if (wanted === null) {",
    caught: swarm(500),
  },
];

const SNAPSHOTS: readonly Bug[] = [
  {
    id: "13",
    title: "a snapshot drops a log that goes on beyond it (S7)",
    symptom: "acknowledged entries are lost",
    file: "src/core/raft/follower.ts",
    find: "  if (s.log.termAt(base.index) === base.term) return void commitTo(s, base.index);\n",
    replace: "",
    caught: test("tests/core/raft/snapshot_received_test.ts"),
  },
  {
    id: "13b",
    title: "a snapshot keeps a log that contradicts it (S7)",
    symptom: "entries that were never committed are applied",
    file: "src/core/raft/follower.ts",
    find: "if (s.log.termAt(base.index) === base.term) return void",
    replace: "if (s.log.termAt(base.index) !== undefined) return void",
    caught: swarm(2000),
  },
  {
    id: "13c",
    title: "entries that an installed snapshot stands for are handed out once more (S7)",
    symptom: "entries are applied twice",
    file: "src/core/raft/raft.ts",
    find: "        if (s.log.base.index > this.#applyHanded) this.#applyHanded = s.log.base.index;\n",
    replace: "",
    caught: test("tests/core/raft/snapshot_received_test.ts"),
  },
  {
    id: "14",
    title: "the log is cut above what the database holds durably (S2; the driver as simulated)",
    symptom: "a gap between database and log after a power loss",
    file: "tests/sim/node.ts",
    find:
      "    this.disk.applied = Math.max(this.disk.applied, this.applied);\n    const wanted = this.disk.applied - trailing;",
    replace: "    const wanted = this.applied - trailing;",
    caught: swarm(100),
  },
  {
    id: "14b",
    title: "the log is cut above what the database holds durably (S2; the log's files)",
    symptom: "a gap between database and log after a power loss",
    file: "src/drivers/log/store.ts",
    find: "bytes < keepBytes || previous.index > index ||",
    replace: "bytes < keepBytes ||",
    caught: files(100),
  },
  {
    id: "22",
    title: "the log is cut behind a snapshot that is being sent (S6; the driver as simulated)",
    symptom: "snapshots without end",
    file: "tests/sim/node.ts",
    find: "Math.min(wanted, ...this.pins.values());",
    replace: "wanted;",
    caught: swarm(200),
  },
  {
    id: "22b",
    title: "the log is cut behind a snapshot that is being sent (S6; the driver)",
    symptom: "snapshots without end",
    file: "src/drivers/replica/snapshot_sender.ts",
    find: "return Math.min(Infinity, ...this.#pins.values());",
    replace: "return Infinity;",
    caught: test("tests/drivers/replica/snapshot_sender_test.ts"),
  },
];

const REST: readonly Bug[] = [
  {
    id: "35",
    title: "a leader rests beyond its heartbeat (I17)",
    symptom: "followers campaign against a leader that is well",
    file: "src/core/raft/raft.ts",
    find: "heartbeatInterval(s, lead) - lead.heartbeatElapsed,",
    replace: "heartbeatInterval(s, lead) + 1 - lead.heartbeatElapsed,",
    caught: swarm(20),
  },
  {
    id: "35b",
    title: "a leader rests while a peer has not heard of a commit (I17)",
    symptom: "a write through a follower is answered a heartbeat late",
    file: "src/core/raft/replication.ts",
    find: " && peer.commitSent >= s.commit);",
    replace: ");",
    caught: swarm(20),
  },
  {
    id: "35c",
    title: "a leader rests while it transfers its leadership (I17)",
    symptom: "a transfer takes longer",
    file: "src/core/raft/replication.ts",
    find: "return s.transfer === undefined && s.log.tickets",
    replace: "return s.log.tickets",
    caught: swarm(100),
  },
  {
    id: "35d",
    title: "a leader rests while a learner is to be promoted (I17)",
    symptom: "a node becomes a voter late",
    file: "src/core/raft/replication.ts",
    find: '!s.configs.current.members.some(({ role }) => role === "learner")',
    replace: "true",
    caught: swarm(100),
  },
];

const AROUND: readonly Bug[] = [
  {
    id: "16",
    title: "the applied index is written in a later transaction than its entry (A1)",
    symptom: "an entry is applied twice after a crash",
    file: "src/drivers/sqlite/state_machine.ts",
    find: "    this.#advance.run([BigInt(entry.index), BigInt(entry.term), this.#timeMs]);\n",
    replace: "    const row = [BigInt(entry.index), BigInt(entry.term), this.#timeMs];\n" +
      "    const self = Object(this);\n" +
      "    self.late?.();\n" +
      "    self.late = () => this.#advance.run(row);\n",
    caught: test("tests/drivers/sqlite/exactly_once_test.ts"),
  },
  {
    id: "17",
    title: "a full disk is recorded as the result of an entry (A13)",
    symptom: "nodes differ",
    file: "src/drivers/sqlite/failure.ts",
    find: '[13, { name: "SQLITE_FULL", rule: IF_FAILED }]',
    replace: '[13, { name: "SQLITE_FULL", rule: "statement" }]',
    caught: test("tests/processes/sqlite/environment_test.ts"),
  },
  {
    id: "18",
    title: "random() is SQLite's own, in triggers and everywhere (A20)",
    symptom: "nodes differ",
    file: "src/drivers/sqlite/determinism.ts",
    find: "    this.#control.setRandom(\n",
    replace: "    if (hi < 0) this.#control.setRandom(\n",
    caught: { by: "simulation", seeds: 20, profile: "sqlite" },
  },
  {
    id: "20",
    title: "a received entry is a view of the buffer that the next one is read into",
    symptom: "an entry changes after it was acknowledged",
    file: "src/base/codec/frame.ts",
    find: "payload: this.#buffer.slice(this.#start + FRAME_HEADER_BYTES, end)",
    replace: "payload: this.#buffer.subarray(this.#start + FRAME_HEADER_BYTES, end)",
    caught: test("tests/base/codec/frame_owner_test.ts"),
  },
  {
    id: "24",
    title: "a damaged batch is cut off although whole ones follow it (D17)",
    symptom: "a node forgets what it acknowledged",
    file: "src/drivers/log/recovery.ts",
    find: "  if (later !== undefined) {",
    replace: "  if (later === -1) {",
    caught: files(200),
  },
  {
    id: "25",
    title: "a forwarded request that may have arrived is sent again (X2)",
    symptom: "a write is carried out twice",
    file: "src/drivers/replica/http_ports.ts",
    find: "if (!(error instanceof NotSentError) || attempt >= retries) throw outdated(error, from);",
    replace: "if (attempt >= retries) throw error;",
    caught: test("tests/drivers/transport/forward_test.ts"),
  },
];

const CHECKER = "tests/sim/checker.ts";
const CHECKER_TEST = test("tests/sim/checker_test.ts");

/** Mutations of the checker itself: its own test must notice that a broken history is accepted. */
const CHECKERS: readonly Bug[] = [
  {
    id: "c1",
    title: "checker: two leaders in one term are accepted (I1)",
    symptom: "the simulation is blind",
    file: CHECKER,
    find: "check(other === undefined || other === node, `I1:",
    replace: "check(other === undefined || other !== undefined, `I1:",
    caught: CHECKER_TEST,
  },
  {
    id: "c3",
    title: "checker: another entry is accepted in a committed one's place (I3)",
    symptom: "the simulation is blind",
    file: CHECKER,
    find: "check(isSame, `I3: ${node.id} commits another entry at ${index}`);",
    replace: "check(isSame || !isSame, `I3: ${node.id} commits another entry at ${index}`);",
    caught: CHECKER_TEST,
  },
  {
    id: "c7",
    title: "checker: half of the voters are accepted as a majority (I7)",
    symptom: "the simulation is blind",
    file: CHECKER,
    find: "check(copies * 2 > voters,",
    replace: "check(copies * 2 >= voters,",
    caught: CHECKER_TEST,
  },
  {
    id: "c8",
    title: "checker: a vote before it is durable is accepted (I8)",
    symptom: "the simulation is blind",
    file: CHECKER,
    find: "check(disk.hard.vote === vote,",
    replace: "check(disk.hard.vote !== undefined,",
    caught: CHECKER_TEST,
  },
  {
    id: "c10",
    title: "checker: a lost write is accepted (I10)",
    symptom: "the simulation is blind",
    file: CHECKER,
    find: "check(isSame, `I10:",
    replace: "check(isSame !== undefined, `I10:",
    caught: CHECKER_TEST,
  },
  {
    id: "c11",
    title: "checker: a stale read is accepted (I11)",
    symptom: "the simulation is blind",
    file: CHECKER,
    find: "check(index >= floor,",
    replace: "check(index <= floor || index >= floor,",
    caught: CHECKER_TEST,
  },
  {
    id: "c12",
    title: "checker: a lease that is over is accepted (R10)",
    symptom: "the simulation is blind",
    file: CHECKER,
    find: "check(newest <= term,",
    replace: "check(newest <= term || newest > term,",
    caught: CHECKER_TEST,
  },
  {
    id: "c13",
    title: "checker: work at a tick of rest is accepted (I17)",
    symptom: "the simulation is blind",
    file: CHECKER,
    find: "check(!hasWork,",
    replace: "check(!hasWork || hasWork,",
    caught: CHECKER_TEST,
  },
];

/** All bugs, in the order of their numbers. */
export const BUGS: readonly Bug[] = [
  ...CONSENSUS,
  ...READS,
  ...LEASES,
  ...MEMBERSHIP,
  ...SNAPSHOTS,
  ...REST,
  ...LOG_BUGS,
  ...AROUND,
  ...CHECKERS,
]
  .toSorted((a, b) => order(a.id) - order(b.id) || (a.id < b.id ? -1 : 1));

/** Bugs that cannot be seeded, as the code has no such part. */
export const ABSENT: readonly Absent[] = [];

function order(id: string): number {
  return id.startsWith("c") ? 1000 + Number(id.slice(1)) : Number.parseInt(id);
}
