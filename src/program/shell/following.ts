/**
 * The commands of the shell that go on until Ctrl-C: a query again and again, and a query whose result is followed.
 * @module
 */
import { pause } from "../../base/worker/backoff.ts";
import type { CommandSession, DotCommand } from "./dot_command.ts";

const CLEAR = "\x1b[2J\x1b[H";

/** These commands. */
export const FOLLOWING_COMMANDS: readonly DotCommand[] = [
  {
    name: "watch",
    usage: "SECONDS SQL",
    help: "Run a query every so many seconds, until Ctrl-C",
    async run(session, args, signal) {
      const [seconds, ...words] = args;
      const pauseMs = Number(seconds) * 1000;
      const sql = words.join(" ");
      if (!(pauseMs >= 100) || sql === "") throw new Error("expected seconds, 0.1 or more, and a query");
      for (; !signal?.aborted; await pause(pauseMs, signal)) {
        heading(session, `every ${seconds} s, ${new Date().toLocaleTimeString()}: ${sql}`);
        await session.run(sql, signal);
        if (!Deno.stdout.isTerminal() && signal === undefined) return; // a file of commands goes on
      }
    },
  },
  {
    name: "live",
    usage: "SQL",
    help: "Show a query, and again whenever its rows have changed, until Ctrl-C",
    async run(session, args, signal) {
      const sql = args.join(" ");
      if (sql === "") throw new Error("expected a query");
      for await (const _ of session.follow(sql, signal)) {
        heading(session, `${new Date().toLocaleTimeString()}: ${sql}`);
        await session.run(sql, signal);
        if (!Deno.stdout.isTerminal() && signal === undefined) return;
      }
    },
  },
];

function heading(session: CommandSession, text: string): void {
  if (Deno.stdout.isTerminal()) session.say(CLEAR + text);
}
