/**
 * A page of the documentation as a scenario: its blocks of commands are run as they stand there, in their order, in one
 * directory and one shell. Ports, addresses and paths of the page are replaced by free ports, loopback addresses and paths in
 * the directory, and put back in what is printed before it is compared with what the page shows. Programs that serve run in
 * the background, and the next command waits until they do.
 * @module
 */
import { assert } from "@std/assert";
import { freePort, until } from "../processes.ts";
import { type Block, blocksOf, commandsOf, isOutput } from "./blocks.ts";
import { EXCEPTIONS } from "./exceptions.ts";
import { writePrograms } from "./programs.ts";
import { type Background, type Said, Shell } from "./shell.ts";

/** Ports that the documentation speaks of. */
const PORTS = [4001, 4002, 4011, 4012, 4021, 4022, 4318, 8080, 8301, 8302, 8500, 8501, 8504, 8600];
/** Folders at the root that it speaks of. */
const FOLDERS = /(?<![\w.\/])\/(tmp|var|opt|etc|usr)(?=\/)/g;

const MUSTER = String.raw`^(?:(?:npx --yes )?deno(?:@\S+)? task )?muster`;
/** What goes on until it is ended. */
const SERVES = new RegExp(`${MUSTER} (?:serve|agent|rendezvous (?=-)|run |watch .*\\.sh)|\\bmod\\.ts serve|^curl -N`);

/** Replacements in the commands of a page. */
export type Replacements = readonly (readonly [documented: string | RegExp, here: string])[];

/** How a page is run. */
export interface Settings {
  /** Texts of the page and what stands for them here, such as the beginnings of addresses; put back in what is printed. */
  readonly places?: readonly (readonly [documented: string, here: string])[];
  /** Further flags of a command that serves and has this text in it. */
  readonly flags?: Readonly<Record<string, string>>;
  /** The port that commands ask without `-http-addr`. @default {8500} */
  readonly api?: number;
}

/** How a block is run. */
export interface Options {
  /** What the page leaves open, such as `…`, and what stands for it. */
  readonly replace?: Replacements;
  /** Commands that have this text in them are run again until what they print is like that. */
  readonly until?: Readonly<Record<string, RegExp>>;
  /** Commands that may fail. */
  readonly fails?: RegExp;
  /** Done before a command that has this text in it. */
  readonly before?: Readonly<Record<string, () => Promise<unknown>>>;
}

let compared = 0;
let run = 0;

/** A page that is run. */
export class Page {
  readonly #name: string;
  readonly #root: string;
  readonly #shell: Shell;
  readonly #settings: Settings;
  readonly #all: readonly Block[];
  readonly #waiting: Block[];
  readonly #ports: ReadonlyMap<number, number>;
  readonly #serving: (Background & { isReady: boolean })[] = [];

  /** In a directory, with what the page says. */
  constructor(
    name: string,
    root: string,
    blocks: readonly Block[],
    ports: ReadonlyMap<number, number>,
    settings: Settings,
  ) {
    this.#name = name;
    this.#root = root;
    this.#settings = settings;
    this.#all = blocks;
    this.#waiting = blocks.filter((block) => block.kind === "" && !isException(block));
    this.#ports = ports;
    this.#shell = new Shell(root, {
      PATH: `${root}/bin:${Deno.env.get("PATH")}`,
      MUSTER_HTTP_ADDR: `127.0.0.1:${this.port(settings.api ?? 8500)}`,
      NO_COLOR: "1",
    });
  }

  /** The directory in which the commands are run. */
  get directory(): string {
    return `${this.#root}/work`;
  }

  /** What a path of the page is here. */
  path(documented: string): string {
    return documented.replace(FOLDERS, `${this.#root}/$1`);
  }

  /** The port here for one that the page speaks of. */
  port(documented: number): number {
    const port = this.#ports.get(documented);
    if (port === undefined) throw new Error(`add port ${documented} to PORTS`);
    return port;
  }

  /** A text of the page, as it is here. */
  here(text: string, replace: Replacements = []): string {
    let here = text;
    for (const [documented, there] of replace) here = here.replaceAll(documented, there);
    here = here.replace(/(?<![\w.])\d{4}(?![\w.])/g, (port) => String(this.#ports.get(Number(port)) ?? port));
    here = this.path(here);
    for (const [documented, there] of this.#settings.places ?? []) here = here.replaceAll(documented, there);
    return here;
  }

  /** What was printed, as the page would show it. */
  #there(text: string): string {
    let there = text;
    for (const [documented, here] of this.#settings.places ?? []) there = there.replaceAll(here, documented);
    for (const [documented, here] of this.#ports) {
      there = there.replace(new RegExp(`(?<![\\w.])${here}(?![\\w.])`, "g"), String(documented));
    }
    return there.replaceAll(this.#root, "");
  }

  /** The text of a block that is not commands, by its beginning: a file that the page shows. */
  shown(start: string, replace: Replacements = []): string {
    const block = this.#all.find(({ kind, text }) => kind !== "" && text.startsWith(start));
    if (block === undefined) throw new Error(`${this.#name} shows nothing that begins with ${start}`);
    return this.here(block.text, replace);
  }

  /** Writes a file into the directory; a program where it begins so. */
  async write(name: string, text: string): Promise<void> {
    const path = name.startsWith("/") ? this.path(name) : `${this.directory}/${name}`;
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(path, text, { mode: text.startsWith("#!") ? 0o755 : 0o644 });
  }

  /** Runs the next block of commands, which has to begin with this text; what its commands print. */
  async run(start: string, options: Options = {}): Promise<string> {
    const block = this.#waiting.shift();
    if (block === undefined) throw new Error(`${this.#name} has no more commands; ${start} was expected`);
    const place = `${block.page}:${block.line}`;
    assert(
      block.text.startsWith(start),
      `${place}: ${start} was expected, or an entry in exceptions.ts:\n${block.text}`,
    );
    let out = "";
    for (const command of commandsOf(block.text)) {
      for (const [text, work] of Object.entries(options.before ?? {})) {
        if (command.includes(text)) await this.ready().then(work);
      }
      const said = await this.#command(this.here(command, options.replace), options);
      const isError = said.code !== 0 || /"error": ?"/.test(said.out);
      const isFailure = isError && !options.fails?.test(command);
      assert(!isFailure, `${place}: exit code ${said.code}\n${command}\n${said.out.slice(-2000)}\n${said.errors}`);
      out += said.out;
    }
    run++;
    const { output } = block;
    if (output === undefined) return out;
    const there = this.#there(out);
    assert(isOutput(there, output), `${place} shows\n${output}\nand not\n${there}\nbehind\n${block.text}`);
    compared++;
    return out;
  }

  /** Runs all further blocks. */
  async runRest(options: Options = {}): Promise<void> {
    while (this.#waiting.length > 0) await this.run(this.#waiting[0].text, options);
  }

  /** Runs a command that the page does not show, which has to succeed; what it prints. */
  async shell(command: string, options: Options = {}): Promise<string> {
    const { code, out, errors } = await this.#command(this.here(command), options);
    assert(code === 0, `${command}: exit code ${code}\n${out}\n${errors}`);
    return out;
  }

  /** Starts a program that the page does not show; it goes on until it is ended. */
  async start(command: string): Promise<void> {
    await this.ready();
    this.#serving.push({ ...await this.#shell.start(this.here(command)), isReady: true });
  }

  async #command(command: string, { until: wanted = {} }: Options): Promise<Said> {
    if (SERVES.test(command) && !/ -help\b/.test(command)) {
      if (!isServer(command)) await this.ready(); // servers wait for each other
      this.#serving.push({ ...await this.#shell.start(this.#withFlags(command)), command, isReady: false });
      return { code: 0, out: "", errors: "" };
    }
    await this.ready();
    const [, pattern] = Object.entries(wanted).find(([text]) => command.includes(this.here(text))) ?? [];
    if (pattern === undefined) return await this.#shell.run(command);
    let last: Said | undefined;
    return await until(`${pattern} of ${command}`, async () => {
      last = await this.#shell.run(command);
      return last.code === 0 && pattern.test(this.#there(last.out)) ? last : undefined;
    }).catch((error) => {
      throw new Error(`${error}\n${last?.out}\n${last?.errors}`);
    });
  }

  /** A command that serves, with ports of this test where the page leaves them to their defaults. */
  #withFlags(command: string): string {
    const kind = /\b(serve|agent|rendezvous)\b/.exec(command)?.[1] ?? "";
    if (kind === "" || !new RegExp(`(?:muster|mod\\.ts) ${kind}\\b`).test(command)) return command;
    const defaults: readonly (readonly [string, string])[] = kind === "serve"
      ? [["-http-addr", `localhost:${this.port(4001)}`], ["-raft-addr", `localhost:${this.port(4002)}`]]
      : [
        ["-http-port", `${this.port(8500)}`],
        ["-dns-port", `${this.port(8600)}`],
        ["-serf-lan-port", `${this.port(8301)}`],
        ["-serf-wan-port", `${this.port(8302)}`],
        ["-bind", "127.0.0.1"],
      ];
    const missing = defaults.filter(([flag]) => !new RegExp(` ${flag}\\b`).test(command));
    const further = Object.entries(this.#settings.flags ?? {}).filter(([text]) => command.includes(this.here(text)));
    const flags = [
      ...missing.map(([flag, value]) => `${flag}=${value}`),
      ...further.map(([, more]) => this.here(more)),
    ];
    return command.replace(new RegExp(`\\b${kind}\\b`), () => [kind, ...flags].join(" "));
  }

  /** Waits until all that serves does so. */
  async ready(): Promise<void> {
    for (const program of this.#serving.filter(({ isReady }) => !isReady)) {
      for (const pattern of readiness(program.command)) await this.#says(program, pattern);
      program.isReady = true;
    }
  }

  #program(text: string): Background {
    const program = this.#serving.findLast(({ command }) => command.includes(this.here(text)));
    if (program === undefined) throw new Error(`nothing was started by ${text}`);
    return program;
  }

  /** Waits until what was started by a command with this text in it has printed something. */
  async says(text: string, pattern: RegExp): Promise<void> {
    await this.#says(this.#program(text), pattern);
  }

  async #says({ command, pid, log }: Background, pattern: RegExp): Promise<void> {
    let said = "";
    const hasEnded = await until(`${pattern} of ${command}`, async () => {
      const isRunning = await Deno.stat(`/proc/${pid}`).then(() => true, () => false);
      said = this.#there(await Deno.readTextFile(log));
      return pattern.test(said) ? false : isRunning ? undefined : true;
    }).catch((error) => {
      throw new Error(`${error}\n${said.slice(-4000)}`);
    });
    if (hasEnded) throw new Error(`${command} has ended:\n${said.slice(-4000)}`);
  }

  /** Ends what was started by a command with this text in it, by Ctrl-C; its exit code. */
  async stop(text: string, signal: Deno.Signal = "SIGINT"): Promise<number> {
    const program = this.#program(text);
    this.#serving.splice(this.#serving.findIndex(({ pid }) => pid === program.pid), 1);
    return await this.#shell.stop(program, signal);
  }

  /** Ends everything that was started. */
  async stopAll(signal: Deno.Signal = "SIGKILL"): Promise<void> {
    for (const program of this.#serving.splice(0)) await this.#shell.stop(program, signal);
  }

  /** Fails unless all commands of the page were run. */
  finish(): void {
    const [block] = this.#waiting;
    assert(block === undefined, `no test runs this, and exceptions.ts does not list it: ${this.#name}:${block?.line}`);
  }

  /** Ends everything, also when the scenario has failed; what was printed in the background, for who looks at a failure. */
  async close(): Promise<string> {
    const logs = this.#serving.map(async ({ command, log }) =>
      `── ${command}\n${(await Deno.readTextFile(log).catch(() => "")).slice(-3000)}`
    );
    const said = await Promise.all(logs);
    await this.#shell.close();
    return said.join("\n");
  }
}

function isServer(command: string): boolean {
  return /(?:muster|mod\.ts) (?:serve|agent|rendezvous)\b/.test(command);
}

/** What a program has said when it serves. */
function readiness(command: string): RegExp[] {
  if (/\bserve\b/.test(command)) return [/connect with any rqlite client/, /service listening on/];
  if (/^curl/.test(command)) return [/./];
  if (!/muster (?:agent|rendezvous)/.test(command)) return [];
  const hasData = / -server\b|muster rendezvous/.test(command);
  return [/service listening on/, /Started DNS server/, ...hasData ? [/SQL and HTTP at/] : []];
}

/** Whether a block of commands is one that no test runs. */
export function isException({ page, text }: Block): boolean {
  return EXCEPTIONS.some((one) => one.page === page && `${text}\n`.startsWith(one.start));
}

/** Runs a page as a scenario: `work` runs its blocks; fails when one is left. All is gone afterwards. */
export async function scenario(name: string, settings: Settings, work: (page: Page) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "muster-documentation-" });
  for (const folder of ["bin", "work", "tmp"]) await Deno.mkdir(`${root}/${folder}`);
  await writePrograms(`${root}/bin`);
  const ports = new Map(PORTS.map((port) => [port, freePort()]));
  [compared, run] = [0, 0];
  const page = new Page(name, root, await blocksOf(name), ports, settings);
  let isDone = false;
  try {
    await work(page);
    page.finish();
    isDone = true;
  } finally {
    const said = await page.close();
    if (!isDone) console.error(said);
    await Deno.remove(root, { recursive: true });
  }
  console.log(`${name}: ${run} blocks of commands were run, the output of ${compared} was compared`);
}
