/**
 * Rounds of the fuzzer: each makes a case from a seed, runs it, and makes what fails small. A failure that goes away with
 * the kinds of statement of an earlier finding is counted for that one, so that a known fault hides no other.
 * @module
 */

import { type Case, type Element, elementCount } from "./case.ts";
import { Draw } from "./grammar/draw.ts";
import { type Failure, normalized, signature } from "./failure.ts";
import { Generator } from "./grammar/generator.ts";
import type { Kind } from "./grammar/kinds.ts";
import { runCase, type RunOptions, type Verdict } from "./run.ts";
import { schedule } from "./schedule.ts";
import { shrink } from "./shrink.ts";

/** Kinds that stand in many statements, whatever a failure is about. */
const COMMON: ReadonlySet<Kind> = new Set<Kind>([
  "insert-select",
  "random",
  "clock",
  "trigger",
  "view",
  "foreign-key",
  "counters",
]);

/** How to make a case. */
export interface CaseOptions {
  readonly seed: number;
  readonly kinds: ReadonlySet<Kind>;
  /** Entries of the log. */
  readonly entries: number;
  /** Replicas from the start. */
  readonly replicas: number;
}

/** A case from a seed: the same options give the same case. */
export function makeCase({ seed, kinds, entries, replicas }: CaseOptions): Case {
  const items = new Generator(new Draw(seed, 1, kinds)).items(entries);
  return schedule(new Draw(seed, 2, kinds), { seed, items, replicas });
}

/** A failure, small. */
export interface Finding {
  /** The failure of the small case. */
  readonly failure: Failure;
  /** The case. */
  readonly case: Case;
  /** Kinds of statement that it cannot do without, as far as known. */
  readonly kinds: readonly Kind[];
  /** Rounds that have met it. */
  count: number;
}

/** How to run rounds. */
export interface CampaignOptions extends Omit<CaseOptions, "seed">, RunOptions {
  /** Cases tried to make one failure small, at most. @default {1500} */
  readonly attemptsMax?: number;
  /** Told of each case before it is run. */
  readonly onCase?: (testCase: Case) => void;
}

/** A series of rounds with what they found. */
export class Campaign {
  /** The failures that were found, in order. */
  readonly findings: Finding[] = [];
  /** Rounds done. */
  rounds = 0;
  /** Entries applied, by each replica. */
  entries = 0;
  /** Elements of requests whose results were looked at. */
  elements = 0;
  /** How often each error came as a result, by its text without names. */
  readonly errors: Map<string, number> = new Map();
  readonly #options: CampaignOptions;

  /** Starts without findings. */
  constructor(options: CampaignOptions) {
    this.#options = options;
  }

  /** Share of elements that ran without an error. */
  get validShare(): number {
    const failed = [...this.errors.values()].reduce((sum, count) => sum + count, 0);
    return this.elements === 0 ? 0 : 1 - failed / this.elements;
  }

  /** Runs one round; returns what is new. */
  async round(seed: number): Promise<Finding | undefined> {
    const testCase = makeCase({ ...this.#options, seed });
    const { failure, elements, errors } = await this.#run(testCase);
    this.rounds++;
    this.entries += testCase.items.length;
    this.elements += elements;
    for (const error of errors) {
      const text = normalized(error);
      this.errors.set(text, (this.errors.get(text) ?? 0) + 1);
    }
    return failure === undefined ? undefined : await this.#judge(testCase, failure);
  }

  async #run(testCase: Case): Promise<Verdict> {
    this.#options.onCase?.(testCase);
    return await runCase(testCase, this.#options);
  }

  /** Takes the elements of known findings away: what then passes is known, what still fails is made small. */
  async #judge(original: Case, first: Failure): Promise<Finding | undefined> {
    let testCase = original;
    let failure = first;
    for (const finding of this.findings) {
      if (signature(finding.failure) !== signature(failure)) continue;
      const smaller = withoutKinds(testCase, finding.kinds);
      if (elementCount(smaller) === elementCount(testCase)) continue;
      const verdict = await this.#run(smaller);
      if (verdict.failure === undefined) {
        finding.count++;
        return undefined;
      }
      testCase = smaller;
      failure = verdict.failure;
    }
    const wanted = signature(failure);
    let last = failure;
    const small = await shrink(testCase, {
      attemptsMax: this.#options.attemptsMax ?? 1500,
      fails: async (candidate) => {
        const verdict = await this.#run(candidate);
        if (verdict.failure === undefined || signature(verdict.failure) !== wanted) return false;
        last = verdict.failure;
        return true;
      },
    });
    return this.#add(last, small);
  }

  #add(failure: Failure, small: Case): Finding | undefined {
    const found: Finding = { failure, case: small, kinds: culprits(small), count: 1 };
    const same = this.findings.find((finding) => keyOf(finding) === keyOf(found));
    if (same !== undefined) {
      same.count++;
      return undefined;
    }
    this.findings.push(found);
    return found;
  }
}

/** Kinds of the elements of a small case; the common ones only where there are no others. */
function culprits({ items }: Case): Kind[] {
  const all = new Set(items.flatMap(({ elements }) => elements.flatMap(({ kinds }) => kinds)));
  const rare = [...all].filter((kind) => !COMMON.has(kind));
  return rare.length > 0 ? rare : [...all];
}

function keyOf({ failure, case: { items } }: Finding): string {
  const verbs = items.flatMap(({ elements }) =>
    elements.map(({ sql }) => sql.trim().split(/\s+/).slice(0, 2).join(" ").toUpperCase())
  );
  return `${signature(failure)} ${[...new Set(verbs)].sort().join()}`;
}

function withoutKinds(testCase: Case, kinds: readonly Kind[]): Case {
  const isClean = (element: Element) => !element.kinds.some((kind) => kinds.includes(kind));
  return { ...testCase, items: testCase.items.map((item) => ({ ...item, elements: item.elements.filter(isClean) })) };
}
