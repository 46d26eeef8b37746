/**
 * Commands about users: `user hash`.
 * @module
 */
import { hashPassword } from "../../app/users/password.ts";
import { type Call, type Command, CommandError } from "../client/command.ts";

const BYTES_MAX = 4096;
const LINE_FEED = 10;
const RETURN = 13;
const BACKSPACES = [8, 127];
/** Ctrl-C and Ctrl-D. */
const ENDS = [3, 4];

const userHash: Command = {
  name: "user hash",
  summary: "hash a password for the auth file",
  usage: "\n\nThe password is asked for, or read from standard input; never give it on the command line.\n\n" +
    "Examples:\n  muster user hash\n  muster user hash < password.txt",
  flags: [],
  isLocal: true,
  async run({ args }: Call) {
    if (args.length > 0) {
      throw new CommandError("Give the password on standard input: a command line can be seen by others.");
    }
    const password = Deno.stdin.isTerminal() ? await askTwice() : await readLine();
    if (password === "") throw new CommandError("The password is empty.");
    console.log(await hashPassword(password));
    return 0;
  },
};

/** Commands about users. */
export const USER_COMMANDS: readonly Command[] = [userHash];

async function readLine(): Promise<string> {
  const bytes = new Uint8Array(await new Response(Deno.stdin.readable).arrayBuffer());
  return decoded(bytes, bytes.length).replace(/\r?\n$/, "");
}

function decoded(bytes: Uint8Array, length: number): string {
  if (length > BYTES_MAX) throw new CommandError(`The password is longer than ${BYTES_MAX} bytes.`);
  const text = new TextDecoder("utf-8", { fatal: true });
  try {
    return text.decode(bytes.subarray(0, length));
  } catch {
    throw new CommandError("The password is no UTF-8 text.");
  }
}

async function askTwice(): Promise<string> {
  const password = await ask("Password: ");
  if (await ask("Again: ") !== password) throw new CommandError("The passwords differ.");
  return password;
}

/** Asks at the terminal, which does not show the answer. */
async function ask(question: string): Promise<string> {
  const { stderr, stdin } = Deno;
  await stderr.write(new TextEncoder().encode(question));
  stdin.setRaw(true);
  try {
    const typed: number[] = [];
    const one = new Uint8Array(1);
    while (await stdin.read(one) !== null && one[0] !== RETURN && one[0] !== LINE_FEED) {
      if (ENDS.includes(one[0])) throw new CommandError("Canceled.");
      if (BACKSPACES.includes(one[0])) eraseLast(typed);
      else typed.push(one[0]);
    }
    return decoded(Uint8Array.from(typed), typed.length);
  } finally {
    stdin.setRaw(false);
    await stderr.write(new TextEncoder().encode("\n"));
  }
}

/** A character of UTF-8 may have several bytes. */
function eraseLast(typed: number[]): void {
  for (let last = typed.pop(); last !== undefined && (last & 0xc0) === 0x80;) last = typed.pop();
}
