/**
 * Shows what requests cost as things grow, and where that bends: connections, rows of a request, nodes, the database, the length
 * of statements, blocking queries, members of the pool (by simulation). Draws each as SVG and writes a page of tables.
 * @module
 */
import { loadGenerator } from "./load.ts";
import { describeMachine } from "./machine.ts";
import { SERIES } from "./scale/measure.ts";
import { bendOf, type Series, sizeText } from "./scale/series.ts";
import { figureText } from "./report.ts";

/** What is measured, and where the page goes. */
export interface ScaleOptions {
  readonly seconds: number;
  /** Of the largest database. */
  readonly mibMax: number;
  readonly pattern: RegExp;
  /** Directory for `scale.md` and the pictures in its `images`; undefined: nothing is written. */
  readonly directory: string | undefined;
}

/** Measures, prints, and writes the page. */
export async function benchScale({ seconds, mibMax, pattern, directory }: ScaleOptions): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "muster-scale-" });
  try {
    const machine = await describeMachine(root);
    const generator = await loadGenerator();
    const chosen = SERIES.filter(({ id }) => pattern.test(id));
    const all: Series[] = [];
    const say = (text: string) => console.error(`  ${text}`);
    for (const [at, one] of chosen.entries()) {
      console.error(`[${at + 1}/${chosen.length}] ${one.id}`);
      all.push(await one.measure({ root, generator, seconds, mibMax, say }));
    }
    const where = `${machine.model}, ${machine.processors} processors, ` +
      `${Math.round(machine.memoryBytes / 2 ** 30)} GiB, Deno ${machine.deno}, load ${
        machine.load.toFixed(2)
      } before; ` +
      `${seconds} s for each figure, load by ${generator.name}`;
    console.log(`${where}\n\n${all.map(tableOf).join("\n\n")}`);
    if (directory !== undefined) await write(directory, where, all);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** A table in Markdown, with where each line bends below it. */
function tableOf({ size, figure, isRate, lines }: Series): string {
  const sizes = lines[0].points.map(({ x }) => x);
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    row([size, ...lines.map(({ name }) => `${name}, ${figure}`)]),
    row(["---", ...lines.map(() => "---")]),
    ...sizes.map((x, at) => row([sizeText(x), ...lines.map(({ points }) => figureText(points[at].y))])),
    "",
    ...lines.map((line) => `- ${line.name}: ${bendOf(line, isRate)}.`),
  ].join("\n");
}

async function write(directory: string, where: string, all: readonly Series[]): Promise<void> {
  const { plot } = await import("./scale/plot.ts"); // the library that draws is large
  await Deno.mkdir(`${directory}/images`, { recursive: true });
  for (const series of all) await Deno.writeTextFile(`${directory}/images/scale-${series.id}.svg`, plot(series));
  const sections = all.map((series) =>
    `## ${series.title}\n\n![${series.title}](images/scale-${series.id}.svg)\n\n${tableOf(series)}`
  );
  await Deno.writeTextFile(
    `${directory}/scale.md`,
    `# Growth\n\n    deno task bench --scale\n\nWhat requests cost as things grow, and where that bends. A rate bends where ` +
      `it falls below 80 % of its best, a time where it grows faster than its size. The axes of the pictures are ` +
      `logarithmic.\n\nMeasured on ${where}.\n\n${sections.join("\n\n")}\n`,
  );
  console.error(`written: ${directory}/scale.md (run deno fmt)`);
}
