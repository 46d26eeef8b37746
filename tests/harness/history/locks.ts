/**
 * Locks: whether at most one session holds a key at a time, with its `LockIndex` as the fencing token. Pure.
 *
 * A session asks for a key until it gets it, and never again; so the time in which it holds the key is one stretch, its
 * tenure. An acquisition or a release that succeeded, and a read that names the session, each prove that the session held
 * the key at a moment between call and answer. It held the key for certain from the first such answer to the last such
 * call.
 *
 * (1) Certain times of two sessions do not overlap, and no answer within a certain time names another session or none.
 * (2) All reads of a tenure show the same token; a later tenure has a higher token.
 * (3) After a tenure that did not end by a release, nobody acquires the key for the lock delay.
 * @module
 */
import { type Operation, partition, precedes } from "./history.ts";

/** A client's request about a lock. */
export interface LockRequest {
  readonly key: number;
  readonly kind: "acquire" | "release" | "destroy" | "lookup";
  /** The session that asks; of a lookup, the session of the client. */
  readonly session: string;
}

/** The holder of a key, null for nobody, and the token. */
export interface Holding {
  readonly session: string | null;
  readonly token: number;
}

/** Whether it succeeded; of a lookup, what it found. */
export type LockAnswer = boolean | Holding;

/** An operation on a lock. */
export type LockOperation = Operation<LockRequest, LockAnswer>;

/** Bounds of time, in the unit of the history. */
export interface LockOptions {
  readonly delay: number;
  /** The delay is counted from the proposal of a session's end; a read may still see the session until that is applied. */
  readonly slack: number;
}

/** Verdict on a history of locks. */
export interface LockResult {
  readonly tenures: number;
  readonly faults: readonly string[];
}

interface Tenure {
  readonly session: string;
  readonly proofs: readonly LockOperation[];
  /** Held for certain from here, if that is before `to`. */
  readonly from: number;
  readonly to: number;
  /** The successful acquisition, if its answer came. */
  readonly acquired: LockOperation | undefined;
  readonly mayBeReleased: boolean;
  readonly tokens: ReadonlySet<number>;
}

/** Checks a history of locks, key by key. */
export function checkLocks(operations: readonly LockOperation[], options: LockOptions): LockResult {
  const faults: string[] = [];
  let count = 0;
  for (const ofKey of partition(operations, ({ request }) => request.key).values()) {
    const tenures = tenuresOf(ofKey);
    count += tenures.length;
    for (const tenure of tenures) {
      checkWithin(tenure, ofKey, faults);
      if (tenure.tokens.size > 1) faults.push(`one tenure has several tokens:\n  ${lines(tenure.proofs)}`);
      for (const other of tenures) if (other !== tenure) checkPair(tenure, other, { options, faults });
    }
  }
  return { tenures: count, faults };
}

function tenuresOf(operations: readonly LockOperation[]): Tenure[] {
  const proofs = operations.filter((operation) => holderOf(operation));
  return [...Map.groupBy(proofs, (operation) => holderOf(operation) ?? "")].map(([session, proofs]) => ({
    session,
    proofs,
    from: Math.min(...proofs.map(({ returnedAt }) => returnedAt)),
    to: Math.max(...proofs.map(({ invokedAt }) => invokedAt)),
    acquired: proofs.find(({ request }) => request.kind === "acquire"),
    mayBeReleased: operations.some(({ request, outcome, answer }) =>
      request.kind === "release" && request.session === session && (outcome === "unknown" || answer === true)
    ),
    tokens: new Set(proofs.flatMap(({ answer }) => typeof answer === "object" ? [answer.token] : [])),
  }));
}

/** The session that an operation proves to hold the key, null when it proves that nobody does. */
function holderOf({ request, outcome, answer }: LockOperation): string | null | undefined {
  if (outcome !== "done" || answer === undefined) return undefined;
  if (typeof answer === "object") return answer.session;
  return answer && (request.kind === "acquire" || request.kind === "release") ? request.session : undefined;
}

/** (1), single answers. */
function checkWithin({ session, from, to, proofs }: Tenure, all: readonly LockOperation[], faults: string[]): void {
  for (const operation of all) {
    const holder = holderOf(operation);
    if (holder === undefined || holder === session) continue;
    if (operation.invokedAt > from && operation.returnedAt < to) {
      faults.push(`another answer while a session held the key:\n  ${lines([...proofs, operation])}`);
    }
  }
}

/** (1) to (3) for two tenures. */
function checkPair(
  first: Tenure,
  second: Tenure,
  { options: { delay, slack }, faults }: { options: LockOptions; faults: string[] },
): void {
  const isCertain = first.from < first.to && second.from < second.to;
  if (isCertain && first.from <= second.from && second.from < first.to) {
    faults.push(`two sessions held one key:\n  ${lines([...first.proofs, ...second.proofs])}`);
  }
  const { acquired } = second;
  if (!acquired || !first.proofs.some((proof) => precedes(proof, acquired))) return;
  const [earlier] = first.tokens;
  const [later] = second.tokens;
  if (earlier !== undefined && later !== undefined && earlier >= later) {
    faults.push(`a later tenure does not have a higher token:\n  ${lines([...first.proofs, ...second.proofs])}`);
  }
  if (!first.mayBeReleased && acquired.returnedAt < first.to + delay - slack) {
    faults.push(`a key was acquired within the lock delay:\n  ${lines([...first.proofs, acquired])}`);
  }
}

function lines(operations: readonly LockOperation[]): string {
  return operations.map(({ process, request, answer, invokedAt, returnedAt }) => {
    const { kind, key, session } = request;
    const times = `[${invokedAt.toFixed(3)}, ${returnedAt.toFixed(3)}]`;
    return `process ${process}: key ${key} ${kind} by ${session} = ${JSON.stringify(answer)} ${times}`;
  }).join("\n  ");
}
