/**
 * The command line in this thread, for tests that start no process.
 * @module
 */
import { main } from "../../mod.ts";
import type { Finished } from "./agents.ts";

/** Runs a command to its end, with variables of the environment; nothing else may print meanwhile. */
export async function musterHere(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  const said = { stdout: "", stderr: "" };
  const { log, error } = console;
  const before = new Map(Object.keys(env).map((name) => [name, Deno.env.get(name)]));
  console.log = (...words) => said.stdout += `${words.join(" ")}\n`;
  console.error = (...words) => said.stderr += `${words.join(" ")}\n`;
  for (const [name, value] of Object.entries(env)) Deno.env.set(name, value);
  try {
    return { code: await main(args), ...said };
  } finally {
    Object.assign(console, { log, error });
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
}
