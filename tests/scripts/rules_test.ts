/** The check of rules and their citations, on small made-up files. */
import { assertEquals } from "@std/assert";
import { ruleFaults } from "../../scripts/tidy/rules.ts";

const PAGE = "# Rules\n\nE9 is a gap.\n\n" +
  "- **E1** The term never falls (E2). Source: a paper. Tests: `tests/term_test.ts`,\n  `tests/votes_test.ts`.\n" +
  "- **E2** One vote. Tests: `tests/votes_test.ts`.\n\n## G4: gossip\n\n" +
  "- **G4.10** Constants, see G4. Tests: `tests/votes_test.ts`.\n";
const TESTS = ["tests/term_test.ts", "tests/votes_test.ts"];

function faults(files: Record<string, string>, { untested = 0, page = PAGE.replace("E9", "It") } = {}): string[] {
  return ruleFaults(
    new Map([["src/RULES.md", page], ...Object.entries(files)]),
    (path) => TESTS.includes(path),
    untested,
  );
}

Deno.test("ruleFaults() finds nothing where every rule that is cited is there and tested", () => {
  assertEquals(
    faults({
      "src/a.ts": "/** Falls never (E1, E2a; G4.10). */\nconst E7 = x / E8; // as E1 says\ncheck(is, `E1: it fell`);\n",
      "tests/a.txt": "# E1, E2: a scenario\n> E77\n",
      "tests/a_test.ts":
        'Deno.test("the term stays (E1 to E2)", () => {});\n// the anomaly G0, a price of $E9, x.E9 and %E9\n',
    }),
    [],
  );
});

Deno.test("ruleFaults() names the place of an id that no page has, wherever it is cited", () => {
  assertEquals(
    faults({
      "src/a.ts": "/**\n * Falls never\n * (E3).\n */\nconst a = 1; // E4: why\n",
      "src/b.ts":
        'throw new SimFailure(`E5: it fell`);\nconst bug = { title: "a bug (E1, E6)", reason: "so (E7); because" };\n',
      "tests/a.txt": "# E8b: a scenario\n",
      "tests/a_test.ts": '// G4.1 and G4\nDeno.test("the term stays (E1 to E12)", () => {});\n',
    }),
    [
      "src/a.ts:3: cites E3, which no RULES.md has",
      "src/a.ts:5: cites E4, which no RULES.md has",
      "src/b.ts:1: cites E5, which no RULES.md has",
      "src/b.ts:2: cites E6, which no RULES.md has",
      "src/b.ts:2: cites E7, which no RULES.md has",
      "tests/a.txt:1: cites E8, which no RULES.md has",
      "tests/a_test.ts:1: cites G4.1, which no RULES.md has",
      "tests/a_test.ts:2: cites E12, which no RULES.md has",
    ],
  );
  assertEquals(faults({}, { page: PAGE }), ["src/RULES.md:3: cites E9, which no RULES.md has"]);
});

Deno.test("ruleFaults() names a rule whose test is gone, one that stands twice, and counts those without a test", () => {
  const page = "- **E1** Falls never. Tests: `tests/gone_test.ts`.\n- **E1** Again. Tests: `tests/term_test.ts`.\n" +
    "- **E2** One vote. Tests: none.\n\nAnother text: `tests/votes_test.ts`.\n";
  assertEquals(faults({}, { page }), [
    "src/RULES.md:1: E1 names tests/gone_test.ts, which is not there",
    "src/RULES.md:2: E1 is a rule of src/RULES.md:1 already",
    "1 rules name no test (E2), not 0",
  ]);
  assertEquals(faults({}, { untested: 2 }), [
    "0 rules name no test (), not 2: lower the figure in scripts/tidy/ratchet.json",
  ]);
});

Deno.test("ruleFaults() names a comment that cites a page outside of the repository", () => {
  assertEquals(
    faults({
      "src/a.ts": "/** As it is (spec/raft.md 2). */\n/* design.md, by the way */\nopen('../shared/x'); // style.md\n",
      "tests/a.ts": "\n// see ../shared/notes\n",
    }),
    [
      "src/a.ts:1: cites spec/raft.md, which is not in the repository",
      "src/a.ts:2: cites design.md, which is not in the repository",
      "src/a.ts:3: cites style.md, which is not in the repository",
      "tests/a.ts:2: cites ../shared, which is not in the repository",
    ],
  );
});
