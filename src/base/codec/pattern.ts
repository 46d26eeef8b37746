/**
 * Regular expressions of filters (G5.8), in time linear in the text: a pattern comes from another node or
 * a client, and JavaScript's own expressions can be made to run for years. The common part of RE2: literals, `.`, classes,
 * `\d \w \s \b` and their opposites, groups, `|`, `* + ? {n,m}`, `^ $ \A \z`, `(?i)` at the start. Pure.
 *
 * A pattern becomes a program whose threads all go forward through the text together (Thompson; Pike).
 *
 * Written by hand for the sake of memory: with `re2js` 2.10.0 in its place, an idle client agent, which is to stay below
 * 70 MiB, has 71.2 MiB resident instead of 69.4, and 72.5 once a pattern was used (medians of five and three agents).
 * @module
 */
import { DecodeError } from "./cursor.ts";

/** Instructions of a program, and repetitions of a part. */
const PROGRAM_MAX = 10_000;
const REPEAT_MAX = 1000;
const DEPTH_MAX = 100;

type Test = (char: string) => boolean;
type Instruction =
  | { readonly op: "char"; readonly test: Test }
  | { readonly op: "split"; readonly to: readonly [number, number] }
  | { readonly op: "jump"; readonly to: number }
  | { readonly op: "assert"; readonly holds: (text: readonly string[], at: number) => boolean }
  | { readonly op: "match" };

/** A part of a program: instructions whose jumps are relative to its own start. */
type Part = readonly Instruction[];

const isWord: Test = (char) => /^[0-9A-Za-z_]$/.test(char);
const CLASSES: Readonly<Record<string, Test>> = {
  d: (char) => char >= "0" && char <= "9",
  w: isWord,
  s: (char) => "\t\n\f\r ".includes(char),
};
const CONTROLS: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", f: "\f", v: "\v", a: "\x07" };

function shift(part: Part, by: number): Instruction[] {
  return part.map((one) => {
    if (one.op === "split") return { op: "split", to: [one.to[0] + by, one.to[1] + by] };
    return one.op === "jump" ? { op: "jump", to: one.to + by } : one;
  });
}

function sequence(...parts: readonly Part[]): Part {
  const program: Instruction[] = [];
  for (const part of parts) {
    if (program.length + part.length > PROGRAM_MAX) throw new DecodeError("the pattern is too large");
    program.push(...shift(part, program.length));
  }
  return program;
}

function either(a: Part, b: Part): Part {
  return sequence([{ op: "split", to: [1, a.length + 2] }], a, [{ op: "jump", to: b.length + 1 }], b);
}

function maybe(part: Part): Part {
  return sequence([{ op: "split", to: [1, part.length + 1] }], part);
}

function anyNumber(part: Part): Part {
  return sequence([{ op: "split", to: [1, part.length + 2] }], part, [{ op: "jump", to: -part.length - 1 }]);
}

function repeated(part: Part, min: number, max: number | undefined): Part {
  if (min > REPEAT_MAX || (max ?? 0) > REPEAT_MAX || max !== undefined && max < min) {
    throw new DecodeError("bad repetition");
  }
  const times = (count: number, one: Part): Part[] => {
    if (count * one.length > PROGRAM_MAX) throw new DecodeError("the pattern is too large");
    return Array.from({ length: count }, () => one);
  };
  return sequence(...times(min, part), ...(max === undefined ? [anyNumber(part)] : times(max - min, maybe(part))));
}

class Parser {
  readonly #chars: readonly string[];
  readonly #ignoresCase: boolean;
  #at = 0;
  #depth = 0;

  constructor(pattern: string) {
    this.#ignoresCase = pattern.startsWith("(?i)");
    this.#chars = [...this.#ignoresCase ? pattern.slice(4) : pattern];
  }

  whole(): Part {
    const part = this.#alternatives();
    if (this.#at < this.#chars.length) throw new DecodeError("unexpected )");
    return part;
  }

  #take(char: string): boolean {
    if (this.#chars[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #next(): string {
    const char = this.#chars[this.#at++];
    if (char === undefined) throw new DecodeError("the pattern ends too early");
    return char;
  }

  #alternatives(): Part {
    if (++this.#depth > DEPTH_MAX) throw new DecodeError("groups nested too deep");
    let part = this.#branch();
    while (this.#take("|")) part = either(part, this.#branch());
    this.#depth--;
    return part;
  }

  #branch(): Part {
    const parts: Part[] = [];
    while (this.#at < this.#chars.length && this.#chars[this.#at] !== "|" && this.#chars[this.#at] !== ")") {
      parts.push(this.#quantified());
    }
    return sequence(...parts);
  }

  #quantified(): Part {
    let part = this.#atom();
    for (;;) {
      if (this.#take("*")) part = anyNumber(part);
      else if (this.#take("+")) part = sequence(part, anyNumber(part));
      else if (this.#take("?")) part = maybe(part);
      else {
        const counts = /^\{(\d+)(,(\d*))?\}/.exec(this.#chars.slice(this.#at, this.#at + 12).join(""));
        if (!counts) return part;
        this.#at += counts[0].length;
        const min = Number(counts[1]);
        part = repeated(part, min, counts[2] === undefined ? min : counts[3] === "" ? undefined : Number(counts[3]));
      }
      this.#take("?"); // lazy or not: whether it matches is the same
    }
  }

  #atom(): Part {
    const char = this.#next();
    if (char === "(") return this.#group();
    if (char === "[") return this.#one(this.#class());
    if (char === ".") return this.#one((other) => other !== "\n");
    if (char === "^") return [{ op: "assert", holds: (_, at) => at === 0 }];
    if (char === "$") return [{ op: "assert", holds: (text, at) => at === text.length }];
    if (char === "*" || char === "+" || char === "?") throw new DecodeError("nothing to repeat");
    return char === "\\" ? this.#escaped() : this.#literal(char);
  }

  #group(): Part {
    if (this.#take("?")) {
      if (this.#take("P") || this.#chars[this.#at] === "<") {
        while (this.#next() !== ">");
      } else if (!this.#take(":")) throw new DecodeError("unknown group");
    }
    const part = this.#alternatives();
    if (!this.#take(")")) throw new DecodeError("missing )");
    return part;
  }

  #one(test: Test): Part {
    return [{ op: "char", test }];
  }

  #literal(literal: string): Part {
    if (!this.#ignoresCase) return this.#one((char) => char === literal);
    const low = literal.toLowerCase();
    return this.#one((char) => char.toLowerCase() === low);
  }

  #escaped(): Part {
    const char = this.#next();
    if (char === "A") return [{ op: "assert", holds: (_, at) => at === 0 }];
    if (char === "z") return [{ op: "assert", holds: (text, at) => at === text.length }];
    if (char === "b" || char === "B") {
      const isEdge = (text: readonly string[], at: number) => isWord(text[at - 1] ?? "") !== isWord(text[at] ?? "");
      return [{ op: "assert", holds: (text, at) => isEdge(text, at) === (char === "b") }];
    }
    const test = this.#escapedClass(char);
    return test ? this.#one(test) : this.#literal(this.#escapedChar(char));
  }

  #escapedClass(char: string): Test | undefined {
    const low = char.toLowerCase();
    const test = CLASSES[low];
    if (!test) return undefined;
    return char === low ? test : (other) => !test(other);
  }

  #escapedChar(char: string): string {
    if (CONTROLS[char] !== undefined) return CONTROLS[char];
    if (/[A-Za-z0-9]/.test(char)) throw new DecodeError(`unknown escape \\${char}`);
    return char;
  }

  #class(): Test {
    const negated = this.#take("^");
    const tests: Test[] = [];
    do {
      const char = this.#next();
      const test = char === "\\" ? this.#escapedClass(this.#chars[this.#at] ?? "") : undefined;
      if (test) {
        this.#at++;
        tests.push(test);
        continue;
      }
      const low = char === "\\" ? this.#escapedChar(this.#next()) : char;
      let high = low;
      if (this.#chars[this.#at] === "-" && this.#chars[this.#at + 1] !== "]") {
        this.#at++;
        const end = this.#next();
        high = end === "\\" ? this.#escapedChar(this.#next()) : end;
        if (high < low) throw new DecodeError("bad range");
      }
      tests.push((other) => other >= low && other <= high);
    } while (!this.#take("]"));
    const ignoresCase = this.#ignoresCase;
    const has = (char: string) => tests.some((test) => test(char));
    return (char) => (has(char) || ignoresCase && (has(char.toLowerCase()) || has(char.toUpperCase()))) !== negated;
  }
}

/** A compiled pattern. */
export class Pattern {
  readonly #program: Part;

  /** @throws {DecodeError} When it is not a pattern, or not one of the common part. */
  constructor(pattern: string) {
    this.#program = sequence(new Parser(pattern).whole(), [{ op: "match" }]);
  }

  /** Whether it matches somewhere in the text. */
  matches(input: string): boolean {
    const text = [...input];
    let threads = new Set<number>();
    for (let at = 0; at <= text.length; at++) {
      threads.add(0); // unanchored: a match may begin here
      const reached = this.#follow(threads, text, at);
      threads = new Set();
      for (const index of reached) {
        const one = this.#program[index];
        if (one.op === "match") return true;
        if (one.op === "char" && at < text.length && one.test(text[at])) threads.add(index + 1);
      }
    }
    return false;
  }

  /** All instructions that threads get to without taking a character. */
  #follow(threads: ReadonlySet<number>, text: readonly string[], at: number): Set<number> {
    const reached = new Set<number>();
    const todo = [...threads];
    for (let index = todo.pop(); index !== undefined; index = todo.pop()) {
      if (reached.has(index)) continue;
      reached.add(index);
      const one = this.#program[index];
      if (one.op === "jump") todo.push(one.to);
      else if (one.op === "split") todo.push(...one.to);
      else if (one.op === "assert" && one.holds(text, at)) todo.push(index + 1);
    }
    return reached;
  }
}
