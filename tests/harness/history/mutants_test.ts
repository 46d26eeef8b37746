/**
 * Checkers with a fault each: the hand-made histories must tell every one of them from the right checkers. So whoever
 * breaks a checker, or thins out the histories, breaks a test.
 */
import { assert, assertEquals } from "@std/assert";
import { RIGHT_LISTS, RIGHT_REGISTERS, RIGHT_WITNESS, WRONG_LISTS, WRONG_REGISTERS, WRONG_WITNESS } from "./canned.ts";

const FILES = ["history", "register", "linearizability", "list_append", "list_append_cycles", "log_witness"];

interface Checkers {
  readonly linearizability: Pick<typeof import("./linearizability.ts"), "checkLinearizability">;
  readonly lists: Pick<typeof import("./list_append.ts"), "checkListAppend">;
  readonly witness: Pick<typeof import("./log_witness.ts"), "checkLogWitness">;
}

/** A file, the text in it that is replaced, and by what. */
type Mutant = readonly [file: string, from: string, to: string];

const MUTANTS: readonly Mutant[] = [
  ["history", `outcome === "done" || (`, `outcome !== "unknown" || (`],
  ["history", `(outcome === "unknown" && !isRead(request))`, `false`],
  ["register", `outcome === "unknown" || expected.answer === answer`, `true`],
  ["register", `outcome === "unknown" || expected`, `expected`],
  ["register", `(state ?? "") + request.value`, `request.value`],
  ["register", `state === request.expected ?`, `state !== request.expected ?`],
  ["linearizability", `({ request }) => request.key`, `() => 1`],
  ["linearizability", `entry.operation.returnedAt === Infinity`, `true`],
  ["linearizability", ` + (next === null ? "" : \`=\${next}\`)`, ``],
  ["linearizability", `this.#state = last.before;`, ``],
  ["linearizability", `this.#unlift(last.entry);`, ``],
  ["linearizability", `if (call.match) this.#remove(call.match);`, ``],
  ["linearizability", `if (next === undefined) return false;`, `if (next === undefined) return true;`],
  ["linearizability", `Number(!a.match) - Number(!b.match)`, `Number(!b.match) - Number(!a.match)`],
  ["list_append", `this.#findLost();`, ``],
  ["list_append", `new Set(list).size < list.length`, `false`],
  ["list_append", `writer === undefined`, `false`],
  ["list_append", `writer.transaction.outcome === "notDone"`, `false`],
  ["list_append", `writer.fromLast > 0`, `false`],
  ["list_append", `writer.fromLast > 0 &&`, ``],
  ["list_append", `if (!isSame(list, [...before, ...appended]))`, `if (false)`],
  ["list_append", `const before = known.get(key) ?? external;`, `const before = external;`],
  ["list_append", `if (outcome !== "unknown") return outcome === "done";`, `return outcome === "done";`],
  ["list_append", `if (outcome !== "unknown") return outcome === "done";`, `return true;`],
  ["list_append", `unread.get(key) ?? []`, `[]`],
  ["list_append", `if (hasOwn) continue;`, `continue;`],
  ["list_append", `list.every((element, at) => element === order[at])`, `true`],
  ["list_append", `this.#orders.set(key, list);`, `this.#orders.set(key, external);`],
  [
    "list_append_cycles",
    `of edges) {\n    const [from, to]`,
    `of edges.filter((e) => e.kind !== "ww")) {\n    const [from, to]`,
  ],
  [
    "list_append_cycles",
    `of edges) {\n    const [from, to]`,
    `of edges.filter((e) => e.kind !== "wr")) {\n    const [from, to]`,
  ],
  [
    "list_append_cycles",
    `of edges) {\n    const [from, to]`,
    `of edges.filter((e) => e.kind !== "rw")) {\n    const [from, to]`,
  ],
  ["list_append_cycles", `addClock(transactions, graph);`, ``],
  ["list_append_cycles", `Number(b.isCall) - Number(a.isCall)`, `Number(a.isCall) - Number(b.isCall)`],
  ["list_append_cycles", `low[parent.vertex] = Math.min(low[parent.vertex], low[vertex]);`, `low[parent.vertex];`],
  ["log_witness", `if (other) faults`, `if (false) faults`],
  ["log_witness", `highest && highest.index > operation.index`, `false`],
  ["log_witness", `answer !== operation.answer`, `false`],
  ["log_witness", `end > low &&`, ``],
  ["log_witness", `&& index < high`, ``],
  ["log_witness", `index <= limit`, `true`],
  ["log_witness", `index <= limit`, `limit === Infinity`],
  ["log_witness", `one.returnedAt < end`, `true`],
  ["log_witness", `one.returnedAt < end`, `end === Infinity`],
  ["log_witness", `state = next;`, ``],
];

async function load(directory: string): Promise<Checkers> {
  const url = new URL(`file://${directory}/`);
  const [linearizability, lists, witness] = await Promise.all(
    ["linearizability", "list_append", "log_witness"].map((name) => import(new URL(`${name}.ts`, url).href)),
  );
  return { linearizability, lists, witness };
}

/** Names of the hand-made histories of which the checkers have the wrong opinion. */
function misjudged({ linearizability, lists, witness }: Checkers): string[] {
  const wrong = <T>(check: () => T, isRight: (result: T) => boolean): boolean => {
    try {
      return !isRight(check());
    } catch {
      return true;
    }
  };
  const registers = [...RIGHT_REGISTERS, ...WRONG_REGISTERS].filter((one) =>
    wrong(
      () => linearizability.checkLinearizability(one.operations, 10_000).violations.length > 0,
      (found) => found === WRONG_REGISTERS.includes(one),
    )
  );
  const rightLists = RIGHT_LISTS.filter(({ operations }) =>
    wrong(() => lists.checkListAppend(operations).length, (count) => count === 0)
  );
  const wrongLists = WRONG_LISTS.filter(({ operations, kind }) =>
    wrong(() => lists.checkListAppend(operations), (found) => found.some((one) => one.kind === kind))
  );
  const indexed = [...RIGHT_WITNESS, ...WRONG_WITNESS].filter((one) =>
    wrong(
      () => witness.checkLogWitness(one.operations).faults.length > 0,
      (found) => found === WRONG_WITNESS.includes(one),
    )
  );
  return [...registers, ...rightLists, ...wrongLists, ...indexed].map(({ name }) => name);
}

Deno.test(`the hand-made histories tell ${MUTANTS.length} broken checkers from the right ones`, async () => {
  const directory = await Deno.makeTempDir({ prefix: "muster-mutants-" });
  try {
    const sources = new Map(
      await Promise.all(FILES.map(async (file): Promise<[string, string]> => [
        file,
        await Deno.readTextFile(new URL(`${file}.ts`, import.meta.url)),
      ])),
    );
    const copy = async (name: string, [mutatedFile, from, to]: Mutant) => {
      await Deno.mkdir(`${directory}/${name}`);
      for (const [file, source] of sources) {
        assert(file !== mutatedFile || source.includes(from), `${file}.ts has ${from}`);
        const text = file === mutatedFile ? source.replace(from, () => to) : source;
        await Deno.writeTextFile(`${directory}/${name}/${file}.ts`, text);
      }
      return misjudged(await load(`${directory}/${name}`));
    };
    assertEquals(await copy("right", ["", "", ""]), []);
    const survivors: Mutant[] = [];
    for (const [at, mutant] of MUTANTS.entries()) {
      if ((await copy(String(at), mutant)).length === 0) survivors.push(mutant);
    }
    assertEquals(survivors, []);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
