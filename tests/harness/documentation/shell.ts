/**
 * One shell in one directory, to which commands are given one after the other, as at a terminal: variables and what runs in
 * the background stay. It and all that it has started are ended with it.
 * @module
 */
import { TextLineStream } from "@std/streams/text-line-stream";
import { until } from "../processes.ts";

const COMMAND_MS_MAX = 60_000;
/** Time for a program to end by itself before it is killed. */
const END_MS_MAX = 15_000;

/** What a command printed, and its exit code. */
export interface Said {
  readonly code: number;
  readonly out: string;
  readonly errors: string;
}

/** A program in the background. */
export interface Background {
  readonly command: string;
  readonly pid: number;
  /** Path of what it prints. */
  readonly log: string;
}

/** The shell. */
export class Shell {
  readonly #bash: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #answers: ReadableStreamDefaultReader<string>;
  readonly #directory: string;
  #steps = 0;

  /** Starts it in `directory/work`; what it needs for itself lies in `directory`. */
  constructor(directory: string, env: Readonly<Record<string, string>>) {
    this.#directory = directory;
    this.#bash = new Deno.Command("bash", {
      args: ["--norc", "--noprofile"],
      cwd: `${directory}/work`,
      env: { ...env },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
      detached: true, // a group of its own, which ends as a whole
    }).spawn();
    this.#input = this.#bash.stdin.getWriter();
    const lines: ReadableStream<string> = this.#bash.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream());
    this.#answers = lines.getReader();
  }

  /** Runs a line in the shell itself; the line that it answers with. */
  async #ask(line: string, what: string): Promise<string> {
    await this.#input.write(new TextEncoder().encode(`${line}\n`));
    const timer = Promise.withResolvers<undefined>();
    const id = setTimeout(timer.resolve, COMMAND_MS_MAX, undefined);
    const answer = await Promise.race([this.#answers.read(), timer.promise]);
    clearTimeout(id);
    if (answer === undefined) throw new Error(`this goes on for more than ${COMMAND_MS_MAX} ms: ${what}`);
    if (answer.value === undefined) throw new Error(`the shell has ended at: ${what}`);
    return answer.value;
  }

  async #step(command: string): Promise<string> {
    const step = `${this.#directory}/step-${++this.#steps}`;
    await Deno.writeTextFile(`${step}.sh`, `${command}\n`);
    return step;
  }

  /** Runs a command to its end. What the one before it has printed is in the file `$SAID`. */
  async run(command: string): Promise<Said> {
    const step = await this.#step(command);
    const code = await this.#ask(
      `. ${step}.sh </dev/null >${step}.out 2>${step}.err; code=$? SAID=${step}.out; echo $code`,
      command,
    );
    const [out, errors] = await Promise.all([Deno.readTextFile(`${step}.out`), Deno.readTextFile(`${step}.err`)]);
    return { code: Number(code), out, errors };
  }

  /** Starts a command, a program with its arguments, in the background. */
  async start(command: string): Promise<Background> {
    const step = await this.#step(`exec ${command}`);
    const pid = await this.#ask(`(. ${step}.sh) </dev/null >${step}.log 2>&1 & echo $!`, command);
    return { command, pid: Number(pid), log: `${step}.log` };
  }

  /** Ends a program in the background by a signal, or by SIGKILL when that takes too long; its exit code. */
  async stop({ command, pid }: Background, signal: Deno.Signal): Promise<number> {
    await this.#ask(`kill -s ${signal.slice(3)} ${pid}; echo`, command);
    const killing = setTimeout(() => endNow(pid), END_MS_MAX);
    try {
      return Number(await this.#ask(`wait ${pid}; echo $?`, command));
    } finally {
      clearTimeout(killing);
    }
  }

  /** Ends it with all that still runs. */
  async close(): Promise<void> {
    endNow(-this.#bash.pid);
    await this.#bash.status;
    await this.#input.abort().catch(() => {});
    await this.#answers.cancel();
    await until("the end of what the shell has started", () => !endNow(-this.#bash.pid) || undefined);
  }
}

/** Kills a process, or the group with the negative id; whether it was there. */
function endNow(pid: number): boolean {
  try {
    Deno.kill(pid, "SIGKILL");
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
