/**
 * The seeded bugs around the log's files and what disks hold: part of list.ts.
 * @module
 */
import { type Bug, files, test } from "./bug.ts";

const STORE = "src/drivers/log/store.ts";

const FILES: readonly Bug[] = [
  {
    id: "26",
    title: "a batch counts as durable before its sync (D2)",
    symptom: "an acknowledged write is lost with the power",
    file: STORE,
    find: "    yield file.write(offset, bytes);\n    yield file.sync();",
    replace: "    yield file.write(offset, bytes);",
    caught: files(100),
  },
  {
    id: "27",
    title: "the name of a new segment is never synced (D6)",
    symptom: "a segment is gone with the power",
    file: STORE,
    find: "    yield this.#disk.sync();\n    this.#file.close();",
    replace: "    this.#file.close();",
    caught: files(100),
  },
  {
    id: "28",
    title: "a segment gets batches before its header is durable (D6)",
    symptom: "a node does not start after a power loss",
    file: STORE,
    find: "this.#untilSpace(() => new Task(this.#writeDurably(file, 0, header)));",
    replace: "this.#untilSpace(() => file.write(0, header));",
    caught: files(20, 1571),
  },
  {
    id: "28b",
    title: "a segment's header promises a commit of what comes behind it (C5)",
    symptom: "a node does not start after a power loss",
    file: STORE,
    find: "commit: Math.min(batch.commit, previous.index),",
    replace: "commit: batch.commit,",
    caught: test("tests/drivers/log/store_test.ts"),
  },
  {
    id: "29",
    title: "what was read at the start is not made durable before more is written (D13)",
    symptom: "a node forgets what it acknowledged after a restart",
    file: "src/drivers/log/prepare.ts",
    find: "    file.syncNow();\n",
    replace: "",
    caught: files(100),
  },
  {
    id: "30",
    title: "a torn write is taken for damage where its header lies in two sectors (D17)",
    symptom: "a node does not start after a power loss",
    file: "src/drivers/log/recovery.ts",
    find: "Math.max(headerEnd, lastWritten + 1);",
    replace: "lastWritten + 1;",
    caught: files(200),
  },
  {
    id: "30b",
    title: "a log whose oldest segments were half deleted begins in the middle (D6)",
    symptom: "a node does not start after a crash",
    file: "src/drivers/log/recovery.ts",
    find: "  if (from <= log.base.index) log.isHeadless = true;\n",
    replace: "",
    caught: test("tests/drivers/log/store_test.ts"),
  },
  {
    id: "31",
    title: "a full disk's write is given up, not repeated (D15)",
    symptom: "an acknowledged write is lost",
    file: STORE,
    find: "        yield this.#disk.pause(SPACE_RETRY_MS);",
    replace: "        return;",
    caught: files(100),
  },
];

const OLD_DISKS: readonly Bug[] = [
  {
    id: "32",
    title: "a node goes on that lacks what its leader was told it holds (B3, L5)",
    symptom: "a node whose disk is an older copy of itself stays behind, and votes",
    file: "src/core/raft/follower.ts",
    find: "    checkHolds(s.log, m.commit);\n    if (m.commit.term > 0) commitTo(s, m.commit.index);",
    replace: "    commitTo(s, Math.min(m.commit.index, s.log.last));",
    caught: test("tests/core/raft/scenarios_test.ts"),
  },
  {
    id: "32b",
    title: "a node that finds its disk to be an older copy is started again (B3; exit code 3)",
    symptom: "it votes between one start and the next end",
    file: "src/drivers/replica/damage.ts",
    find: "error instanceof LogDamageError || error instanceof LostEntriesError ||",
    replace: "error instanceof LogDamageError ||",
    caught: test("tests/drivers/replica/damage_test.ts"),
  },
  {
    id: "32c",
    title: "a heartbeat commits whatever entry is in the place of the one that it names (L5)",
    symptom: "a node whose disk is an older copy of itself commits entries of a deposed leader",
    file: "src/core/raft/lost_entries.ts",
    find: "const isOther = term > 0 && held !== undefined && held !== term;",
    replace: "const isOther = false;",
    caught: test("tests/core/raft/scenarios_test.ts"),
  },
  {
    id: "32d",
    title: "a node that starts does not ask what it promised (B3, recall.ts)",
    symptom: "an older copy of a node's disk votes and acknowledges while others know better",
    file: "src/core/raft/raft.ts",
    find: "    if (options.recall) startCheck(s);\n    else campaignIfAlone(s);",
    replace: "    campaignIfAlone(s);",
    caught: files(100),
  },
  {
    id: "32e",
    title: "a node that starts takes a majority's word for what it promised (B3, recall.ts)",
    symptom: "an older copy of a node's disk is taken in unless the right node answers first",
    file: "src/core/raft/recall.ts",
    find: "const hasAll = [...ids].every((id) => check.answered.has(id) || check.gone.has(id));",
    replace: "const hasAll = true;",
    caught: test("tests/core/raft/scenarios_test.ts"),
  },
  {
    id: "32f",
    title: "a leader forgets what was acknowledged to it when it leads no more (B3, recall.ts)",
    symptom: "an older copy of a node's disk is taken in after a change of leader",
    file: "src/core/raft/state.ts",
    find: "  const before = s.part;\n  rememberMatches(s);",
    replace: "  const before = s.part;",
    caught: test("tests/core/raft/scenarios_test.ts"),
  },
  {
    id: "33",
    title: "a whole batch in the place of another one is read as that one (D9)",
    symptom: "entries that were replaced are sent and applied",
    file: STORE,
    find: "const batch = whole?.header.crc === place.crc ? whole.batch : undefined;",
    replace: "const batch = whole?.batch;",
    caught: test("tests/drivers/log/misdirected_test.ts"),
  },
  {
    id: "34",
    title: "the log ends where nothing is in the place of the next batch, whatever follows (D17)",
    symptom: "a node forgets what it acknowledged when a write landed elsewhere",
    file: "src/drivers/log/recovery.ts",
    find: "  if (lastWritten < offset) return;",
    replace:
      "  if (lastWritten < offset || bytes.subarray(offset, offset + BATCH_HEADER_BYTES).every((byte) => byte === 0)) return;",
    caught: files(50, 401),
  },
];

/** All of them. */
export const LOG_BUGS: readonly Bug[] = [...FILES, ...OLD_DISKS];
