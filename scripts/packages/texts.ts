/**
 * The texts that packages share, made from the commands: manual page, completions, the units of systemd.
 * @module
 */
import { completionScript, type Shell } from "../../src/program/manual/completion.ts";
import { everyCommand } from "../../src/program/cli/commands.ts";
import { manualOf } from "../../src/program/manual/docs_command.ts";
import config from "../../deno.json" with { type: "json" };

/** Root of the repository, with a slash behind. */
export const ROOT = new URL("../../", import.meta.url).pathname;

/** The version of muster. */
export const VERSION: string = config.version;

/** One line on what muster is. */
export const SUMMARY = "replicated SQLite database whose nodes find each other";

/** The manual page, dated by a time in seconds. */
export function manual(epoch: number): string {
  return `${manualOf(everyCommand(), epoch).trimEnd()}\n`;
}

/** The completions of a shell as a file that the shell loads by itself. */
export function completions(shell: Shell): string {
  const script = completionScript(shell, everyCommand());
  if (shell !== "zsh") return script;
  // zsh loads the file as the body of the function _muster at the first completion, which it has to answer, too.
  return `#compdef muster\n${script}_bash_complete -o default -F _muster\n`;
}

/** A text of the repository. */
export async function repositoryText(path: string): Promise<string> {
  return await Deno.readTextFile(ROOT + path);
}

/** A unit as it is installed by a package: the program is in /usr/bin, and its user is one that the package has made. */
export async function unit(name: string): Promise<string> {
  const text = await repositoryText(`scripts/${name}`);
  const [, body] = /(\[Unit\][^]*)/.exec(text) ?? [];
  if (body === undefined || !body.includes("DynamicUser=yes\n")) throw new Error(`scripts/${name} is not as expected`);
  // systemd would open the directory of settings, which the package keeps for the group of the user, to all.
  const documented = body.replace(/^(Description=.*)$/m, "$1\nDocumentation=man:muster(1)");
  return documented.replaceAll("/usr/local/bin/", "/usr/bin/").replace(
    "DynamicUser=yes\n",
    "User=muster\nGroup=muster\n",
  )
    .replace("ConfigurationDirectory=muster.d\n", "ConfigurationDirectory=muster.d\nConfigurationDirectoryMode=0750\n");
}
