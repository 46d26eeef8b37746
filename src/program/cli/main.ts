/**
 * The command line: one switch on the command's name. Exit codes: 0 done, 1 failed, 2 wrong usage (3: damaged data).
 *
 * A program that stays loads its own modules alone: those of all other commands would take 10 MB of its memory.
 * @module
 */
import { load } from "../../root.ts";
import { asksForHelp } from "../config/flags.ts";

/** Runs a command line; resolves to the process's exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  switch (name) {
    case "serve": {
      const { serve } = await load<typeof import("./serve.ts")>("src/program/cli/serve");
      return await serve(rest);
    }
    case "agent": {
      const { agent } = await load<typeof import("./agent.ts")>("src/program/cli/agent");
      return await agent(rest);
    }
    case "rendezvous":
      if (rest[0] !== "token" && !asksForHelp(rest)) {
        const [{ agent }, { RENDEZVOUS_FLAGS }] = await Promise.all([
          load<typeof import("./agent.ts")>("src/program/cli/agent"),
          load<typeof import("./rendezvous_commands.ts")>("src/program/cli/rendezvous_commands"),
        ]);
        return await agent([...RENDEZVOUS_FLAGS, ...rest], "rendezvous");
      }
  }
  const { command } = await load<typeof import("./commands.ts")>("src/program/cli/commands");
  return await command(args);
}
