/**
 * The blocks of code of the documentation. A block without a kind, fenced or indented, is commands of a shell; a fence with
 * a kind (`json`, `hcl`, `text` …) is something else. A fence of the kind `output` is what the commands before it print.
 * @module
 */

export const ROOT = new URL("../../../", import.meta.url);

/** A block of a page. */
export interface Block {
  readonly page: string;
  /** Its first line, counted from 1. */
  readonly line: number;
  /** Empty for commands. */
  readonly kind: string;
  readonly text: string;
  /** What the page shows as its output. */
  output?: string;
}

/** The pages of the documentation, as paths from the root. */
export async function pages(): Promise<string[]> {
  const docs: string[] = [];
  for await (const { name } of Deno.readDir(new URL("docs/", ROOT))) {
    if (name.endsWith(".md")) docs.push(`docs/${name}`);
  }
  return ["README.md", ...docs.sort()];
}

/** The blocks of a page in their order; outputs belong to the block before them. */
export async function blocksOf(page: string): Promise<Block[]> {
  return parseBlocks(page, await Deno.readTextFile(new URL(page, ROOT)));
}

/** The same of a page's text. */
export function parseBlocks(page: string, markdown: string): Block[] {
  const blocks: Block[] = [];
  const add = (line: number, kind: string, lines: readonly string[]) => {
    const text = lines.join("\n").trimEnd();
    const last = blocks.at(-1);
    if (kind !== "output") blocks.push({ page, line, kind, text });
    else if (last?.kind === "" && last.output === undefined) last.output = text;
    else throw new Error(`${page}:${line} is an output without commands before it`);
  };
  const lines = markdown.split("\n");
  for (let at = 0; at < lines.length; at++) {
    const start = at;
    if (lines[at].startsWith("```")) {
      while (lines[++at] !== "```") if (at >= lines.length) throw new Error(`${page}:${start + 1} is never closed`);
      add(start + 2, lines[start].slice(3), lines.slice(start + 1, at));
    } else if (lines[at].startsWith("    ") && (at === 0 || lines[at - 1] === "")) {
      while (lines[at].startsWith("    ") || (lines[at] === "" && lines[at + 1]?.startsWith("    "))) at++;
      add(start + 1, "", lines.slice(start, at).map((line) => line.slice(4)));
    }
  }
  return blocks;
}

/**
 * The commands of a block: at the end of a line, or behind a semicolon, unless a quotation or a backslash goes on. Comments
 * are left out.
 */
export function commandsOf(text: string): string[] {
  const commands: string[] = [];
  let command = "";
  let quote = "";
  const end = () => {
    if (command.trim() !== "") commands.push(command.trim());
    command = "";
  };
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (quote === "" && char === "#" && /\s|^$/.test(text[at - 1] ?? "")) {
      while (at + 1 < text.length && text[at + 1] !== "\n") at++;
    } else if (char === "\\" && quote !== "'") {
      command += char + (text[++at] ?? "");
    } else if (quote === "" && (char === "\n" || char === ";")) {
      end();
    } else {
      if (quote === "" ? char === "'" || char === '"' : char === quote) quote = quote === "" ? char : "";
      command += char;
    }
  }
  end();
  return commands;
}

/**
 * Whether lines are what a page shows: `…` stands for anything in a line, and in a line of its own for any lines; empty lines
 * and the width of columns count for nothing.
 */
export function isOutput(lines: string, shown: string): boolean {
  const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const all = (text: string) =>
    text.split("\n").map((line) => line.replace(/\s+/g, " ").trimEnd()).filter((line) => line !== "");
  const patternOf = (line: string) => line === "…" ? "(?:.*\n)*" : `${line.split("…").map(escaped).join(".*")}\n`;
  const pattern = all(shown).map(patternOf).join("");
  return new RegExp(`^${pattern}$`).test(all(lines).map((line) => `${line}\n`).join(""));
}
