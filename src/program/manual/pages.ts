/**
 * The pages of `docs/`, read beside the source or inside the executable. A topic is the name of a file without `.md`. Only names
 * that the folder lists are opened, so a topic cannot lead anywhere else.
 * @module
 */

import { ROOT } from "../../root.ts";

/** A page of the documentation. */
export interface Page {
  /** The file's name without `.md`. */
  readonly topic: string;
  /** Its first heading. */
  readonly title: string;
}

const DOCS = new URL("docs/", ROOT);

/** The topics in the order of the alphabet; none where the folder is not there. */
export function topics(): readonly string[] {
  try {
    return [...Deno.readDirSync(DOCS)].filter(({ name }) => name.endsWith(".md")).map(({ name }) => name.slice(0, -3))
      .sort();
  } catch (error) {
    // Somebody may run a copy of src/ alone, and its other commands do not need the pages.
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** The topic that a user's word means: capitals, hyphens and `.md` do not matter. */
export function topicOf(word: string): string | undefined {
  const plain = (text: string) => text.toLowerCase().replace(/^docs\//, "").replace(/\.md$/, "").replaceAll("_", "-");
  return topics().find((topic) => plain(topic) === plain(word));
}

/** The text of a topic that {@linkcode topics} has, as Markdown. */
export function pageText(topic: string): string {
  return Deno.readTextFileSync(new URL(`${topic}.md`, DOCS));
}

/** The topics with their titles. */
export function pages(): readonly Page[] {
  return topics().map((topic) => ({ topic, title: titleOf(pageText(topic)) ?? topic }));
}

/** The first heading of a Markdown text; undefined where it has none. */
export function titleOf(markdown: string): string | undefined {
  return /^# +(.+?) *$/m.exec(markdown)?.[1];
}
