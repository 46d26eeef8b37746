/**
 * Linearizable reads of simulated clients: by rounds, which a read does not wait for where the leader shows all that it knows (R11),
 * and where leases are on, by lease; as src/app/database/linearizable.ts does it, step by step, with time between the steps
 * in which the node may stand still.
 *
 * Of leases more is asked than that reads are linearizable: while one holds, by the clocks of whoever has it, nobody is
 * elected to a later term, and what it serves is the newest state at that very moment.
 * @module
 */
import type { LeaseOptions } from "../../src/core/raft/effects.ts";
import type { Index, Message, Term } from "../../src/core/raft/message.ts";
import { leaseHolds } from "../../src/base/shared/lease.ts";
import { type Checker, SimFailure } from "./checker.ts";
import type { Clocks } from "./clocks.ts";
import type { Coverage } from "./coverage.ts";
import type { SimNode } from "./node.ts";
import type { Leases } from "./profile.ts";
import type { Random } from "../harness/random.ts";
import type { Schedule } from "./schedule.ts";

/** An election timeout, by the clock of the node that counts its ticks. */
const PROMISE_MS = 1000;

/** Surroundings. */
export interface ReadsParts {
  readonly schedule: Schedule;
  readonly coverage: Coverage;
  readonly random: Random;
  readonly checker: Checker;
  readonly clocks: Clocks;
  /** Undefined where no node takes any. */
  leases(): Leases | undefined;
  nodes(): readonly SimNode[];
  /** A number that no request had yet. */
  nextRef(): number;
}

interface Read {
  /** Last write acknowledged before it was asked for. */
  readonly floor: Index;
  /** Term of the lease. */
  readonly term: Term;
  /** The index that must be applied before the transaction is opened; then the index that it holds. */
  readonly index: Index;
}

/** A read that a round is to confirm. */
interface Asked {
  /** Last write acknowledged before it was asked for. */
  readonly floor: Index;
  /** Of one that runs ahead of its round: the term of its leader, and what it has seen. */
  readonly ahead: { readonly term: Term; seen?: Index } | undefined;
}

/** Longest time until the transaction of a read is open, in ms. */
const OPENING_MS_MAX = 20;

/** The reads of one cluster. */
export class Reads {
  readonly #parts: ReadsParts;
  readonly #byRound = new Map<number, Asked>();
  /** The promises of the processes over each disk, in ms (src/drivers/replica/promise.ts). */
  readonly #promised = new Map<string, number>();

  constructor(parts: ReadsParts) {
    this.#parts = parts;
  }

  /** The promise of a process that starts now; if not all nodes promise, it may change with every start. */
  promiseOf({ disk }: SimNode): LeaseOptions | undefined {
    const leases = this.#parts.leases();
    if (leases === undefined) return undefined;
    const promiseMs = leases.isMixed && this.#parts.random.chance(0.3) ? 0 : PROMISE_MS;
    const quietMs = this.#promised.get(disk.storageId) ?? 0;
    this.#promised.set(disk.storageId, Math.max(quietMs, promiseMs));
    return promiseMs + quietMs > 0 ? { promiseMs, quietMs } : undefined;
  }

  /** A client reads. */
  ask(node: SimNode): void {
    const floor = this.#parts.checker.ackedMax;
    const term = node.role?.term ?? 0;
    if (node.isFrozen || !this.#holds(node, term)) return this.#ask(node, floor);
    this.#later(node, () => this.#open(node, { floor, term, index: node.commit }));
  }

  #ask(node: SimNode, floor: Index): void {
    const ref = this.#parts.nextRef();
    this.#byRound.set(ref, { floor, ahead: this.#ahead(node, ref) });
    node.input({ k: "read", ref });
  }

  /** Lets a read run at once where the leader shows all that it knows to be committed (R11). */
  #ahead(node: SimNode, ref: number): Asked["ahead"] {
    const term = node.role?.term ?? 0;
    const appliedTerm = node.log[node.applied - 1]?.term;
    if (node.isFrozen || node.role?.role !== "leader" || appliedTerm !== term || node.applied < node.commit) {
      return undefined;
    }
    const ahead: NonNullable<Asked["ahead"]> = { term };
    const { incarnation } = node;
    // A time without a draw: the courses of seeds that were met stay as they were.
    this.#parts.schedule.after(1 + ref % OPENING_MS_MAX, () => {
      if (node.incarnation === incarnation) ahead.seen = node.applied;
    });
    return ahead;
  }

  /** A round gave a read its index, or it was refused. */
  done(node: SimNode, ref: number, index: Index | null): void {
    const asked = this.#byRound.get(ref);
    this.#byRound.delete(ref);
    if (asked === undefined || index === null) return;
    const { floor, ahead } = asked;
    const counts = ahead?.seen !== undefined && ahead.term === node.role?.term;
    if (counts) this.#parts.coverage.hit("read ran ahead of its round");
    this.#parts.checker.readGranted(node.id, counts ? ahead.seen ?? index : index, floor);
  }

  #open(node: SimNode, read: Read): void {
    if (node.applied < read.index) return this.#later(node, () => this.#open(node, read));
    // R10: the lease is looked at when the transaction is open.
    const opened = { ...read, index: node.applied };
    this.#later(node, () => this.#holds(node, read.term) ? this.#serve(node, opened) : this.#isLost(node, read));
  }

  #serve(node: SimNode, { index, floor, term }: Read): void {
    this.#parts.coverage.hit("read served by a lease");
    this.#parts.checker.leaseServed(node.id, term);
    this.#parts.checker.readGranted(node.id, index, floor);
  }

  #isLost(node: SimNode, { floor }: Read): void {
    this.#parts.coverage.hit("lease ran out under a read");
    this.#ask(node, floor);
  }

  #holds(node: SimNode, term: Term): boolean {
    return leaseHolds(node.lease, this.#parts.clocks.read(node)) && node.role?.term === term;
  }

  /** The next step of a read, in the same process. */
  #later(node: SimNode, then: () => void): void {
    const { schedule, random } = this.#parts;
    const { incarnation } = node;
    schedule.after(1 + random.exponential(this.#parts.leases()?.stepMean ?? 0), () => {
      if (node.incarnation !== incarnation || node.core === undefined) return;
      if (node.isFrozen) node.late.push(then);
      else then();
    });
  }

  /** No lease holds when somebody is elected to a later term. */
  elected(leader: SimNode, term: Term): void {
    for (const node of this.#parts.nodes()) {
      const own = node.role?.term ?? 0;
      if (node === leader || node.core === undefined || own >= term) continue;
      if (!leaseHolds(node.lease, this.#parts.clocks.read(node))) continue;
      throw new SimFailure(
        `R10: ${leader.id} is elected to term ${term} while the lease of ${node.id} in ${own} holds`,
      );
    }
  }

  /** A message arrives. */
  arrived(node: SimNode, m: Message): void {
    if (m.k !== "preVote" && m.k !== "requestVote") return;
    const isQuiet = this.#parts.clocks.read(node).ms < (node.promise?.quietMs ?? 0);
    if (isQuiet && m.term > (node.role?.term ?? 0)) this.#parts.coverage.hit("restarted node kept its promise");
  }
}
