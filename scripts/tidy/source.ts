/**
 * The sources as the checks of `tidy.ts` read them.
 * @module
 */

/** Paths of all TypeScript files below a directory, with `/` between their parts. */
export function* sourceFiles(directory: string): Generator<string> {
  for (const entry of Deno.readDirSync(directory)) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory) yield* sourceFiles(path);
    else if (path.endsWith(".ts")) yield path;
  }
}

/** Source without comments, its lines where they were, so that words in prose do not count. */
export function codeOf(text: string): string {
  const withoutBlocks = text.replace(/\/\*[\s\S]*?\*\//g, (block) => block.replace(/[^\n]/g, ""));
  return withoutBlocks.split("\n").map((line) => line.replace(/(^|[^:"'`])\/\/.*$/, "$1")).join("\n");
}
