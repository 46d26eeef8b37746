/** A place for client libraries to run: a cluster of three nodes, and a node with users. */
import { assertEquals } from "@std/assert";
import { hashPassword } from "../../src/app/users/password.ts";
import { leaderOf, nodePlace, startCluster, withNodes } from "../harness/processes.ts";

const HASH_ROUNDS = 20_000;
/** The registries that clients come from may be out of reach for a moment. */
const INSTALL_ATTEMPTS = 3;

/** Path of a file beside this one. */
export function pathOf(name: string): string {
  return new URL(name, import.meta.url).pathname;
}

/** Options of a program that a test runs. */
export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Runs a program to its end.
 * @returns Its output.
 * @throws {Error} When it fails; the message has all that it printed.
 */
export async function run(command: string, args: readonly string[], options: ProgramOptions = {}): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    ...options,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (!success) throw new Error(`${command} ${args.join(" ")} failed:\n${out}${err}`);
  return out;
}

/** Runs a program that fetches packages, again if it fails. */
export async function install(command: string, args: readonly string[], options?: ProgramOptions): Promise<void> {
  for (let attempt = 1;; attempt++) {
    try {
      await run(command, args, options);
      return;
    } catch (error) {
      if (attempt === INSTALL_ATTEMPTS) throw error;
    }
  }
}

/** A virtual environment of Python with pinned packages: `pip` is the system's, so that Debian needs no further package. */
export async function pythonWith(root: string, requirements: string): Promise<string> {
  const folder = `${root}/python`;
  await run("python3", ["-m", "venv", "--without-pip", folder]);
  const python = `${folder}/bin/python`;
  const file = pathOf(requirements);
  await install("python3", ["-m", "pip", "--python", python, "install", "--quiet", "--requirement", file]);
  return python;
}

/** A copy of a folder beside this file with `client.js` and the packages that its lock file pins. */
export async function nodeFolder(root: string, name: string): Promise<string> {
  const folder = `${root}/${name}`;
  await Deno.mkdir(folder);
  for (const file of ["package.json", "package-lock.json", "client.js"]) {
    await Deno.copyFile(pathOf(`${name}/${file}`), `${folder}/${file}`);
  }
  await install("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: folder });
  return folder;
}

/** Whether there is a Go compiler. In CI there has to be one: without it the test fails. */
export function hasGo(client: string): boolean {
  if (Deno.env.get("CI") === "true") return true;
  try {
    return new Deno.Command("go", { args: ["version"], stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    console.error(`LEFT OUT: the test of ${client}, as there is no Go compiler (Debian: golang-go)`);
    return false;
  }
}

/** Runs a client with the addresses of a leader, a follower and a node with users as its last arguments. */
export type RunClient = (command: string, args: readonly string[], options?: ProgramOptions) => Promise<void>;

/**
 * Starts the nodes and lets `work` install and run clients in a directory; all is gone afterwards. A client asserts the
 * values that it gets, and says so at its end.
 */
export async function withClients(work: (root: string, runClient: RunClient) => Promise<void>): Promise<void> {
  await withNodes(async (root, start) => {
    const place = nodePlace(root, "secured");
    const mary = { username: "mary", password: await hashPassword("secret2", HASH_ROUNDS), perms: ["all"] };
    const everybody = { username: "*", perms: ["ready"] };
    Deno.writeTextFileSync(`${root}/auth.json`, JSON.stringify([mary, everybody]));
    const secured = start(place, ["-auth", `${root}/auth.json`]);
    const nodes = await startCluster(root, start);
    await secured.ready();
    const leader = await leaderOf(nodes);
    const follower = nodes.find((node) => node !== leader) ?? leader;
    const addresses = [leader, follower, secured].map((node) => `127.0.0.1:${node.place.httpPort}`);
    await work(root, async (command, args, options) => {
      assertEquals(await run(command, [...args, ...addresses], options), "all as documented\n");
    });
  });
}
