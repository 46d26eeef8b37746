/**
 * Scripts that complete commands and flags in a shell: `muster completion bash`, `zsh` or `fish`. They are made from the
 * commands themselves, and call nothing. Pure.
 * @module
 */
import type { FlagSpec } from "../config/flags.ts";

/** A command with its flags. */
export interface Completed {
  /** Words by which it is called. */
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly FlagSpec[];
}

/** The shells. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** A shell. */
export type Shell = typeof SHELLS[number];

/** Whether a text names a shell. */
export function isShell(text: string): text is Shell {
  return SHELLS.some((shell) => shell === text);
}

/** The script for a shell. */
export function completionScript(shell: Shell, commands: readonly Completed[]): string {
  const sorted = commands.toSorted((a, b) => a.name < b.name ? -1 : 1);
  switch (shell) {
    case "bash":
      return `# Load it: source <(muster completion bash)\n${
        bashFunction(sorted)
      }complete -o default -F _muster muster\n`;
    case "zsh":
      return "# Load it: source <(muster completion zsh)\nautoload -U +X bashcompinit && bashcompinit\n" +
        `${bashFunction(sorted)}complete -o default -F _muster muster\n`;
    case "fish":
      return fishScript(sorted);
  }
}

/** Flags that do something, each once, as they are typed. */
function flagsOf({ flags }: Completed): string[] {
  return [...new Set(flags.filter(({ supported }) => supported).map(({ name }) => `-${name}`))].sort();
}

/** What may follow some words: the next words of commands that begin with them. */
function following(commands: readonly Completed[]): Map<string, Set<string>> {
  const next = new Map<string, Set<string>>();
  for (const { name } of commands) {
    const words = name.split(" ");
    for (const [at, word] of words.entries()) {
      const before = words.slice(0, at).join(" ");
      next.set(before, (next.get(before) ?? new Set()).add(word));
    }
  }
  return next;
}

function bashFunction(commands: readonly Completed[]): string {
  // The longest command first: `catalog nodes` before `catalog`.
  const longest = commands.toSorted((a, b) => b.name.split(" ").length - a.name.split(" ").length);
  const flags = longest.map((command) =>
    `    "${command.name}"|"${command.name} "*) [[ $cur == -* ]] && COMPREPLY=($(compgen -W "${
      flagsOf(command).join(" ")
    }" -- "$cur")) ;;`
  );
  const words = [...following(commands)].map(([before, next]) =>
    `    "${before}") COMPREPLY=($(compgen -W "${[...next].sort().join(" ")}" -- "$cur")) ;;`
  );
  return `_muster() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[*]:1:$((COMP_CWORD - 1))}"
  COMPREPLY=()
  [[ $cur == -* ]] || case "$before" in
${words.join("\n")}
  esac
  [[ \${#COMPREPLY[@]} -gt 0 ]] || case "$before" in
${flags.join("\n")}
  esac
}
`;
}

function fishScript(commands: readonly Completed[]): string {
  const lines = ["# Load it: muster completion fish | source", "complete -c muster -f -n __fish_use_subcommand"];
  const first = following(commands).get("") ?? new Set<string>();
  for (const word of [...first].sort()) {
    const summary = commands.find(({ name }) => name === word)?.summary ?? `commands about ${word}`;
    lines.push(`complete -c muster -n __fish_use_subcommand -a ${word} -d ${quoted(summary)}`);
  }
  for (const command of commands) {
    const words = command.name.split(" ");
    const condition = words.map((word) => `__fish_seen_subcommand_from ${word}`).join("; and ");
    if (words.length > 1) {
      const before = words.slice(0, -1).map((word) => `__fish_seen_subcommand_from ${word}`).join("; and ");
      const last = words[words.length - 1];
      lines.push(
        `complete -c muster -f -n ${quoted(`${before}; and not __fish_seen_subcommand_from ${last}`)} -a ${last} -d ${
          quoted(command.summary)
        }`,
      );
    }
    for (const { name, help } of command.flags.filter(({ supported }) => supported)) {
      lines.push(`complete -c muster -n ${quoted(condition)} -o ${name} -d ${quoted(help)}`);
    }
  }
  return `${[...new Set(lines)].join("\n")}\n`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
