/**
 * Commands about users: `user hash` for the auth file; `user create`, `list`, `password` and `delete` for those of the cluster,
 * each of which is a token with a name and a password.
 * @module
 */
import { hashPassword } from "../../app/users/password.ts";
import { fieldsOf, LINK_FLAGS, linksIn, ROLE_FLAGS } from "../client/acl_links.ts";
import { type AgentApi, list, table, text } from "../client/agent_api.ts";
import { type Call, type Command, CommandError, told } from "../client/command.ts";

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
    if (args.length > 0) throw new CommandError(NOT_AS_ARGUMENT);
    console.log(await hashPassword(await newPassword()));
    return 0;
  },
};

const NOT_AS_ARGUMENT = "Give the password on standard input: a command line can be seen by others.";

/** A password from the terminal, where it is asked for, or from standard input. */
async function newPassword(): Promise<string> {
  const password = Deno.stdin.isTerminal() ? await askTwice() : await readLine();
  if (password === "") throw new CommandError("The password is empty.");
  return password;
}

/** The name that a command is about. */
function nameIn(args: readonly string[]): string {
  const [name, ...more] = args;
  if (name === undefined || name === "") throw new CommandError("Expected the name of a user.");
  if (more.length > 0) throw new CommandError(NOT_AS_ARGUMENT);
  return name;
}

/** The tokens that have users. */
async function usersIn(api: AgentApi): Promise<readonly unknown[]> {
  const tokens = list(await told("Failed to list the users", () => api.get("/v1/acl/tokens")));
  return tokens.filter((one) => text(one, "UserName") !== "");
}

async function userNamed(api: AgentApi, name: string): Promise<unknown> {
  const found = (await usersIn(api)).find((one) => text(one, "UserName") === name);
  if (found === undefined) throw new CommandError(`There is no user ${JSON.stringify(name)} in the cluster.`);
  return found;
}

const userCreate: Command = {
  name: "user create",
  summary: "make a user of the cluster, where access control is on",
  usage:
    "[flags] NAME\n\nThe password is asked for, or read from standard input. What the user may do, policies, roles and " +
    "identities say.\n\nExamples:\n  muster user create -policy-name app mary\n" +
    "  muster user create -policy-name global-management admin < password.txt",
  flags: [...LINK_FLAGS, ...ROLE_FLAGS],
  async run({ flags, args, api }: Call) {
    const name = nameIn(args);
    const body = {
      UserName: name,
      Password: await newPassword(),
      Description: flags.string("description") || `User ${name}`,
      ...linksIn(flags),
    };
    const made = await told(
      "Failed to create the user",
      () => api().json("PUT", "/v1/acl/token", JSON.stringify(body)),
    );
    console.log(`User ${JSON.stringify(name)} created, of the token ${text(made, "AccessorID")}`);
    return 0;
  },
};

const userList: Command = {
  name: "user list",
  summary: "list the users of the cluster",
  usage: "[flags]",
  flags: [],
  async run({ api }: Call) {
    const names = (one: unknown, field: string) => list(fieldsOf(one)[field]).map((link) => text(link, "Name"));
    const rows = (await usersIn(api())).map((one) => [
      text(one, "UserName"),
      text(one, "AccessorID"),
      names(one, "Policies").join(","),
      names(one, "Roles").join(","),
    ]).sort(([one], [other]) => one < other ? -1 : 1);
    console.log(table([["User", "AccessorID", "Policies", "Roles"], ...rows]));
    return 0;
  },
};

const userPassword: Command = {
  name: "user password",
  summary: "change the password of a user of the cluster",
  usage:
    "[flags] [NAME]\n\nWithout NAME it is that of the user in CONSUL_HTTP_AUTH (NAME:PASSWORD). The new password is asked " +
    "for, or read from standard input. The old one counts no more from then on.",
  flags: [],
  async run({ args, api }: Call) {
    if (args.length === 0) {
      const body = JSON.stringify({ Password: await newPassword() });
      await told("Failed to change the password", () => api().json("PUT", "/v1/acl/user/password", body));
    } else {
      const token = fieldsOf(await userNamed(api(), nameIn(args)));
      const body = JSON.stringify({ ...token, Password: await newPassword() });
      await told("Failed to change the password", () => api().json("PUT", `/v1/acl/token/${token.AccessorID}`, body));
    }
    console.log("The password is changed");
    return 0;
  },
};

const userDelete: Command = {
  name: "user delete",
  summary: "delete a user of the cluster, with the token",
  usage: "[flags] NAME",
  flags: [],
  async run({ args, api }: Call) {
    const name = nameIn(args);
    const accessor = text(await userNamed(api(), name), "AccessorID");
    await told("Failed to delete the user", () => api().send("DELETE", `/v1/acl/token/${accessor}`));
    console.log(`User ${JSON.stringify(name)} deleted`);
    return 0;
  },
};

/** Commands about users. */
export const USER_COMMANDS: readonly Command[] = [
  userHash,
  userCreate,
  userList,
  userPassword,
  userDelete,
];

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
