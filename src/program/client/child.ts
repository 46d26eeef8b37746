/**
 * A program that a command starts: what it is given, and its end. It has a process group of its own, so that whatever it has
 * started ends with it: of `sh -c "a; b"` the shell alone would end, and `b` would go on without the lock.
 * @module
 */

/**
 * Ends a group when this process dies without a word, as by SIGKILL: then its end of the pipe closes, and `read` fails. Nothing
 * else could: a group of its own outlives its parent.
 */
const GUARD = 'read -r word && exit; kill -s TERM -- "-$1"; left=5; while [ $left -gt 0 ] && kill -s 0 -- "-$1"; do ' +
  'sleep 1; left=$((left - 1)); done; kill -s KILL -- "-$1"';

/** Between two looks whether anything of the group is left. */
const LOOK_MS = 50;

/** What to start, and how. */
export interface ChildSettings {
  /** A program and its arguments; with `isShell` the parts of one line for the shell. */
  readonly args: readonly string[];
  readonly isShell: boolean;
  /** Added to the environment. */
  readonly env: Readonly<Record<string, string>>;
  /** `inherit`: that of this process; bytes: these. */
  readonly stdin: "inherit" | "null" | Uint8Array<ArrayBuffer>;
  /** Whether it is ended when this process is killed. @default {false} */
  readonly isGuarded?: boolean;
}

/** A program that runs, with the output of this one. */
export class Child {
  /** Resolves when it has ended; what it has started may run on. */
  readonly status: Promise<Deno.CommandStatus>;
  readonly #process: Deno.ChildProcess;
  readonly #hasGroup: boolean;

  /** Starts it. @throws {Error} When it cannot be started. */
  constructor({ args, isShell, env, stdin, isGuarded = false }: ChildSettings) {
    const [program, ...rest] = isShell ? [Deno.env.get("SHELL") || "/bin/sh", "-c", args.join(" ")] : args;
    // In a group of its own a program cannot read from the terminal.
    this.#hasGroup = Deno.build.os !== "windows" && !(stdin === "inherit" && Deno.stdin.isTerminal());
    this.#process = new Deno.Command(program, {
      args: rest,
      env: { ...env },
      stdin: typeof stdin === "string" ? stdin : "piped",
      stdout: "inherit",
      stderr: "inherit",
      detached: this.#hasGroup,
    }).spawn();
    this.status = this.#process.status;
    if (isGuarded && this.#hasGroup) this.#guard().catch(() => {}); // a system without a shell has none
    if (typeof stdin !== "string") this.#feed(stdin).catch(() => {}); // it need not read what it is given
  }

  async #feed(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const writer = this.#process.stdin.getWriter();
    await writer.write(bytes);
    await writer.close();
  }

  async #guard(): Promise<void> {
    const args = ["-c", GUARD, "sh", String(this.pid)];
    const streams = { stdin: "piped", stdout: "null", stderr: "null" } as const;
    const guard = new Deno.Command("/bin/sh", { args, ...streams, detached: true }).spawn();
    const writer = guard.stdin.getWriter();
    await this.status;
    await writer.write(new TextEncoder().encode("ended\n"));
    await writer.close();
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Sends a signal to all of it. @returns Whether anything was there. */
  signal(name: Deno.Signal): boolean {
    if (!this.#hasGroup) return this.tell(name);
    try {
      Deno.kill(-this.pid, name);
      return true;
    } catch {
      return false; // it has ended
    }
  }

  /** Sends a signal to the program alone, and not to what it has started. @returns Whether it was there. */
  tell(name: Deno.Signal): boolean {
    try {
      this.#process.kill(name);
      return true;
    } catch {
      return false; // it has ended
    }
  }

  /** Ends all of it: SIGTERM, and after `graceMs` SIGKILL. Resolves when nothing is left. @returns Whether it took SIGKILL. */
  async end(graceMs: number): Promise<boolean> {
    const deadline = performance.now() + graceMs;
    this.signal("SIGTERM");
    // SIGCONT changes nothing for a program that runs: it only asks whether one is left.
    while (this.signal("SIGCONT")) {
      if (performance.now() >= deadline) {
        this.signal("SIGKILL");
        await this.status;
        return true;
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    await this.status;
    return false;
  }
}

/** How it ended, in the words of Go; undefined: well. */
export function failureOf({ success, code, signal }: Deno.CommandStatus): string | undefined {
  if (success) return undefined;
  return signal === null ? `exit status ${code}` : `signal: ${signal}`;
}
