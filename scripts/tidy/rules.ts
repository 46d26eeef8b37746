/**
 * Rules and their citations. The pages `RULES.md` beside the code list rules by id; comments, scenarios, titles of seeded bugs
 * and names of tests cite them. Every id that is cited is in a page, every rule names a test that exists, and nothing cites a
 * page outside of the repository. Rules without a test are counted in `ratchet.json`, so that their number can only fall.
 * @module
 */
import ratchet from "./ratchet.json" with { type: "json" };

/** The test of this checker cites rules that are wrong on purpose. */
const OWN_TEST = "tests/scripts/rules_test.ts";

const ENTRY = /^- \*\*([A-Z]\d+(?:\.\d+)*)\*\* /;
const TEST_PATH = /`(tests\/[^`]+)`/g;
/** An id; a letter behind it names a clause of the rule. */
const CITED = /(?<![\w.#$%\\-])([A-Z]\d{1,2}(?:\.\d{1,2})*)[a-f]?(?![\w%])/g;
const OUTSIDE = /\bspec\/\w+\.md|\bdesign\.md|\bstyle\.md|\.\.\/shared\b/;
/** Anomalies of Adya's thesis: rules with this letter have a dot. */
const NO_RULE = /^G\d+$/;

const COMMENT = /\/\*[\s\S]*?\*\/|(?<=^|[^:"'`])\/\/.*$/gm;
/** Ids in texts: in brackets in names of tests, titles and reasons; in front of what the simulator's checker says. */
const LABEL =
  /\([A-Z]\d{1,2}(?:\.\d{1,2})*[a-f]?(?:[,;]? [^()"`\n]*)?\)|(?<=[`"])[A-Z]\d{1,2}(?:\/[A-Z]\d{1,2})?(?=: )/g;

/** A rule as its page has it. */
interface Rule {
  readonly id: string;
  readonly place: string;
  readonly tests: readonly string[];
}

/** Faults of all pages and citations together. */
export function ruleFaults(
  /** Texts by path: TypeScript, scenarios (`.txt`) and pages (`RULES.md`). */
  files: ReadonlyMap<string, string>,
  /** Whether there is a file at a path. */
  isThere: (path: string) => boolean,
  /** Rules that have no test yet. */
  untested: number = ratchet.untestedRules,
): string[] {
  const faults: string[] = [];
  const all = [...files].filter(([path]) => path.endsWith("RULES.md")).flatMap(([path, text]) => rulesOf(path, text));
  const rules = new Map<string, Rule>();
  for (const rule of all) {
    const { id, place, tests } = rule;
    const earlier = rules.get(id);
    if (earlier) faults.push(`${place}: ${id} is a rule of ${earlier.place} already`);
    else rules.set(id, rule);
    for (const test of tests) if (!isThere(test)) faults.push(`${place}: ${id} names ${test}, which is not there`);
  }
  const bare = all.filter(({ tests }) => tests.length === 0).map(({ id }) => id);
  if (bare.length !== untested) {
    const advice = bare.length < untested ? ": lower the figure in scripts/tidy/ratchet.json" : "";
    faults.push(`${bare.length} rules name no test (${bare.join(", ")}), not ${untested}${advice}`);
  }
  const families = new Set([...rules.keys()].map((id) => id[0]));
  for (const [path, text] of files) {
    if (path !== OWN_TEST) faults.push(...citationFaults(path, text, { rules, families }));
  }
  return faults;
}

function rulesOf(path: string, text: string): Rule[] {
  const found: { id: string; place: string; lines: string[] }[] = [];
  let isInside = false;
  text.split("\n").forEach((line, at) => {
    const id = ENTRY.exec(line)?.[1];
    if (id !== undefined) found.push({ id, place: `${path}:${at + 1}`, lines: [] });
    isInside = id !== undefined || isInside && line.startsWith("  ");
    if (isInside) found.at(-1)?.lines.push(line);
  });
  return found.map(({ id, place, lines }) => ({
    id,
    place,
    tests: [...lines.join(" ").matchAll(TEST_PATH)].map(([, test]) => test),
  }));
}

interface Known {
  readonly rules: ReadonlyMap<string, Rule>;
  /** First letters of ids. */
  readonly families: ReadonlySet<string>;
}

function citationFaults(path: string, text: string, { rules, families }: Known): string[] {
  const faults: string[] = [];
  const isKnown = (id: string) =>
    rules.has(id) || path.endsWith(".md") && [...rules.keys()].some((rule) => rule.startsWith(`${id}.`)); // a chapter
  for (const { index, words } of proseOf(path, text)) {
    const place = (offset: number) => `${path}:${text.slice(0, index + offset).split("\n").length}`;
    const outside = OUTSIDE.exec(words);
    if (outside) faults.push(`${place(outside.index)}: cites ${outside[0]}, which is not in the repository`);
    for (const { 1: id, index: offset } of words.matchAll(CITED)) {
      if (!families.has(id[0]) || NO_RULE.test(id) || isKnown(id)) continue;
      faults.push(`${place(offset)}: cites ${id}, which no RULES.md has`);
    }
  }
  return [...new Set(faults)]; // an id in brackets in a comment is found twice
}

/** The parts of a file that are prose, with their positions. */
function* proseOf(path: string, text: string): Generator<{ readonly index: number; readonly words: string }> {
  if (path.endsWith(".md")) yield { index: 0, words: text };
  const patterns = path.endsWith(".txt") ? [/^#.*$/gm] : path.endsWith(".ts") ? [COMMENT, LABEL] : [];
  for (const pattern of patterns) for (const { 0: words, index } of text.matchAll(pattern)) yield { index, words };
}
