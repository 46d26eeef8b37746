/**
 * Signals that a command listens for: those that ask it to end, and those that it hands on to a child.
 * @module
 */
import type { Child } from "./child.ts";

const isWindows = Deno.build.os === "windows";
/** SIGHUP too: the terminal takes this process with it, but not a child in a group of its own. */
const ENDING: readonly Deno.Signal[] = isWindows ? ["SIGINT"] : ["SIGINT", "SIGTERM", "SIGHUP"];
/** Those of a command whose child has a use for SIGHUP. */
const STOPPING: readonly Deno.Signal[] = isWindows ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
const HANDED: readonly Deno.Signal[] = isWindows ? [] : ["SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"];

/** Calls `heard` at each of some signals; the function that is returned ends that. */
function onSignals(names: readonly Deno.Signal[], heard: (name: Deno.Signal) => void): () => void {
  const listeners = names.map((name) => [name, () => heard(name)] as const);
  for (const [name, listener] of listeners) Deno.addSignalListener(name, listener);
  return () => {
    for (const [name, listener] of listeners) Deno.removeSignalListener(name, listener);
  };
}

/** Resolves to the first of the signals that ask a command to end; `stop()` ends listening. */
export function askedToEnd(): { readonly asked: Promise<Deno.Signal>; stop(): void } {
  const { promise, resolve } = Promise.withResolvers<Deno.Signal>();
  return { asked: promise, stop: onSignals(ENDING, resolve) };
}

/**
 * Signals for a child that come to this process instead. SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 are handed on at once. The
 * first SIGINT or SIGTERM is not: its command has something to do before, and calls {@linkcode HandedSignals.handOn} then. The
 * second one hurries the command up, and those after `handOn` are handed on, too.
 */
export class HandedSignals {
  /** The child of now. */
  child: Child | undefined;
  readonly #asked = Promise.withResolvers<Deno.Signal>();
  readonly #hurried = Promise.withResolvers<void>();
  #first: Deno.Signal | undefined;
  #isOpen = false;
  /** Ends listening. */
  readonly stop: () => void = onSignals([...STOPPING, ...HANDED], (name) => this.#heard(name));

  /** Resolves to the first SIGINT or SIGTERM. */
  get asked(): Promise<Deno.Signal> {
    return this.#asked.promise;
  }

  /** Whether one came. */
  get isAsked(): boolean {
    return this.#first !== undefined;
  }

  /** Resolves when there is another one before the first is handed on. */
  get hurried(): Promise<void> {
    return this.#hurried.promise;
  }

  /** Gives the child the signal that asked to end, and from now on all others. */
  handOn(): void {
    this.#isOpen = true;
    if (this.#first) this.#give(this.#first);
  }

  #heard(name: Deno.Signal): void {
    if (this.#isOpen || HANDED.includes(name)) return this.#give(name);
    if (this.#first) return this.#hurried.resolve();
    this.#first = name;
    this.#asked.resolve(name);
  }

  /** SIGINT goes to all that the child has started, as from a terminal; it is for the child to tell them of the others. */
  #give(name: Deno.Signal): void {
    if (name === "SIGINT") this.child?.signal(name);
    else this.child?.tell(name);
  }
}
