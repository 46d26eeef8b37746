/**
 * The sources as the checks of `tidy.ts` read them.
 * @module
 */

/** Paths of all files below a directory whose names end in one of `endings`, with `/` between their parts. */
export function* sourceFiles(directory: string, endings: readonly string[] = [".ts"]): Generator<string> {
  for (const entry of Deno.readDirSync(directory)) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory) yield* sourceFiles(path, endings);
    else if (endings.some((ending) => path.endsWith(ending))) yield path;
  }
}

/** Source without comments, its lines where they were, so that words in prose do not count. */
export function codeOf(text: string): string {
  const withoutBlocks = text.replace(/\/\*[\s\S]*?\*\//g, (block) => block.replace(/[^\n]/g, ""));
  return withoutBlocks.split("\n").map((line) => line.replace(/(^|[^:"'`])\/\/.*$/, "$1")).join("\n");
}
