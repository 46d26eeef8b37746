/**
 * The verdict on a run: whether the nodes hold the same data, and whether some order of the operations explains every
 * answer.
 * @module
 */
import { until } from "../../tests/harness/processes.ts";
import { checkLinearizability, explainViolation } from "../../tests/harness/history/linearizability.ts";
import { checkListAppend, explainAnomaly, type Transaction } from "../../tests/harness/history/list_append.ts";
import { checkLogWitness } from "../../tests/harness/history/log_witness.ts";
import type { RegisterOperation } from "../../tests/harness/history/register.ts";
import { checkLocks, type LockOperation } from "../../tests/harness/history/locks.ts";
import type { ChangesResult } from "../../tests/harness/history/changes.ts";
import type { FenceResult } from "../../tests/harness/history/fences.ts";
import { send } from "./client.ts";
import { FENCES_QUERY } from "./fences.ts";
import { LOCK_DELAY_MS } from "./locks.ts";
import type { ChaosCluster, ChaosNode } from "./cluster.ts";

const READ_MS_MAX = 30_000;
const UNDECIDED_MAX = 0.01;
/** A session's end may take as long as an election to be committed. */
const LOCK_SLACK_MS = 1000;
const KEYS_QUERY = "SELECT key, CAST(value AS TEXT), modify_index, lock_index, session FROM muster.kv ORDER BY key";

type Rows = readonly (readonly unknown[])[];

/** The data of a node, or of the cluster. */
export interface Content {
  readonly registers: Rows;
  readonly lists: Rows;
  /** Keys of agents: key, value, modify index, lock index, session. */
  readonly keys: Rows;
  /** Ids of fenced writes. */
  readonly fenced: Rows;
}

/** Result of the checkers. */
export interface Checked {
  /** Keys of registers. */
  readonly keys: number;
  /** Keys whose search was given up. */
  readonly undecided: number;
  /** Operations that the log was a witness for. */
  readonly witnessed: number;
  readonly transactions: number;
  /** Keys of `/v1/kv`. */
  readonly agentKeys?: number;
  /** Times that a session held a lock. */
  readonly tenures?: number;
  /** Fenced writes that are there, and those of who had lost his lock, which were refused. */
  readonly fenced?: Omit<FenceResult, "faults">;
  /** Entries of the log of changes, and those that were delivered again. */
  readonly changes?: Omit<ChangesResult, "faults">;
  /** The violations found, each described in one text. */
  readonly violations: readonly string[];
}

/** Reads everything at a node. Reads are safe to repeat. */
export async function readAll(
  node: ChaosNode,
  level: "none" | "linearizable",
  hasKeys: boolean,
): Promise<Content> {
  return await until(`everything from node ${node.id}`, async () => {
    const reply = await send(`${node.url}/db/query?transaction&level=${level}&linearizable_timeout=5s`, [
      "SELECT k, v FROM registers ORDER BY k",
      "SELECT k, v FROM lists ORDER BY k",
      ...(hasKeys ? [KEYS_QUERY, FENCES_QUERY] : []),
    ], READ_MS_MAX);
    if (reply.outcome !== "done") throw new Error(reply.reason);
    const [registers, lists, keys = [], fenced = []] = reply.results.map(({ values }) => values ?? []);
    return { registers, lists, keys, fenced };
  }, READ_MS_MAX);
}

/** Waits until all nodes have applied the same, and compares what they hold; returns how they differ. */
export async function compareNodes(cluster: ChaosCluster, hasKeys: boolean): Promise<string[]> {
  const index = await until("the same applied index everywhere", async () => {
    const [first, ...others] = await Promise.all(cluster.nodes.map((node) => cluster.status(node)));
    const applied = first?.store.raft.applied_index;
    const isSame = others.every((status) =>
      status?.store.raft.applied_index === applied && status?.store.raft.last_log_index === applied
    );
    return isSame ? applied : undefined;
  });
  const [first, ...others] = await Promise.all(cluster.nodes.map(async (node) => ({
    id: node.id,
    text: JSON.stringify(await readAll(node, "none", hasKeys)),
  })));
  return others.filter(({ text }) => text !== first.text).map(({ id, text }) =>
    `nodes ${first.id} and ${id} differ at index ${index}: ${difference(first.text, text)}`
  );
}

function difference(a: string, b: string): string {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  const around = (text: string) => JSON.stringify(text.slice(Math.max(0, at - 60), at + 60));
  return `${around(a)} and ${around(b)}`;
}

/** Lets the checkers look at the histories. */
export function checkHistories(
  operations: readonly RegisterOperation[],
  transactions: readonly Transaction[],
): Checked {
  const { keys, violations, undecided } = checkLinearizability(operations);
  const { compared, faults } = checkLogWitness(operations);
  const texts = [
    ...violations.map((violation) => explainViolation(violation)),
    ...faults.map((fault) => `log witness: ${fault}`),
    ...checkListAppend(transactions).map(explainAnomaly),
  ];
  if (undecided.length > keys * UNDECIDED_MAX) texts.push(`${undecided.length} of ${keys} keys are undecided`);
  return {
    keys,
    undecided: undecided.length,
    witnessed: compared,
    transactions: transactions.length,
    violations: texts,
  };
}

/** Lets the checkers look at the histories of keys and locks. */
export function checkKeys(
  operations: readonly RegisterOperation[],
  locks: readonly LockOperation[],
): Required<Pick<Checked, "agentKeys" | "tenures" | "violations">> {
  const { keys, violations, undecided } = checkLinearizability(operations);
  const { tenures, faults } = checkLocks(locks, { delay: LOCK_DELAY_MS, slack: LOCK_SLACK_MS });
  const texts = [
    ...violations.map((violation) => `/v1/kv: ${explainViolation(violation)}`),
    ...faults.map((fault) => `locks: ${fault}`),
  ];
  if (undecided.length > keys * UNDECIDED_MAX) texts.push(`${undecided.length} of ${keys} keys are undecided`);
  return { agentKeys: keys, tenures, violations: texts };
}
