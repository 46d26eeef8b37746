/**
 * `muster docs`: the pages of the documentation, and the manual page.
 * @module
 */
import { API_FLAGS } from "../client/agent_api.ts";
import { boolFlag, type Call, type Command, CommandError } from "../client/command.ts";
import { UsageError } from "../config/flags.ts";
import { suggested } from "../config/suggestion.ts";
import { VERSION } from "../node/version.ts";
import { type Described, manPage } from "./man_page.ts";
import { pages, pageText, topicOf, topics } from "./pages.ts";

/**
 * The command.
 * @param commands All commands, for the manual page; asked for when it is printed.
 */
export function docsCommand(commands: () => readonly Described[]): Command {
  return {
    name: "docs",
    summary: "print a page of the documentation",
    usage: "[-man] [TOPIC]\n\nWithout a topic it lists all of them.\n\nExamples:\n  muster docs\n" +
      "  muster docs backup | less\n  muster docs -man > muster.1",
    flags: [boolFlag("man", "Print the manual page muster(1), for man")],
    isLocal: true,
    run({ flags, args }: Call) {
      if (args.length > 1) throw new UsageError(`expected one topic, not ${args.length}: ${args.join(" ")}`);
      const [word] = args;
      if (flags.bool("man")) {
        if (word !== undefined) throw new UsageError(`-man takes no topic: ${word}`);
        console.log(manualOf(commands()).trimEnd());
      } else console.log(word === undefined ? contents() : page(word));
      return 0;
    },
  };
}

/**
 * The manual page.
 * @param epoch Its date, in seconds. @default {SOURCE_DATE_EPOCH, so that packages can be built alike again, or else now}
 */
export function manualOf(
  commands: readonly Described[],
  epoch: number = Number(Deno.env.get("SOURCE_DATE_EPOCH") ?? ""),
): string {
  const at = epoch > 0 && epoch < 1e11 ? new Date(epoch * 1000) : new Date();
  return manPage({
    version: VERSION.slice(1),
    date: at.toISOString().slice(0, 10),
    commands,
    shared: API_FLAGS,
    pages: pages(),
  });
}

function contents(): string {
  const all = pages();
  if (all.length === 0) {
    throw new CommandError(
      "Cannot find the pages: the folder docs/ is not beside src/; get a whole copy of the repository",
    );
  }
  const width = Math.max(...all.map(({ topic }) => topic.length)) + 2;
  return `Topics:\n${all.map(({ topic, title }) => `  ${topic.padEnd(width)}${title}`).join("\n")}\n\n` +
    "muster docs TOPIC prints one of them, as muster help TOPIC does.";
}

function page(word: string): string {
  const topic = topicOf(word);
  if (topic !== undefined) return pageText(topic).trimEnd();
  throw new CommandError(`unknown topic "${word}"${suggested(word, topics())}\nRun "muster docs" for all topics.`, 2);
}
