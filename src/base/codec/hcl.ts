/**
 * HCL as Consul's configuration files use it (version 1 of the language): `key = value`, blocks `name { … }` and `name "label" { … }`,
 * lists, numbers, booleans, texts with escapes, heredocs, comments. A block that stands several times becomes a list. Pure.
 * @module
 */

/** A text that is not HCL; the message names the line. */
export class HclError extends SyntaxError {
  /** Always `HclError`. */
  override readonly name = "HclError";
}

/** A value of HCL. */
export type HclValue = string | number | boolean | HclValue[] | { [key: string]: HclValue };

/** Blocks within blocks. */
const DEPTH_MAX = 64;
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", '"': '"', "\\": "\\" };

/**
 * Reads a text.
 * @throws {HclError} When it is not HCL.
 */
export function parseHcl(text: string): { [key: string]: HclValue } {
  const parser = new Parser(text);
  const body = parser.body(0);
  parser.end();
  return body;
}

/**
 * Reads a file of HCL, which may hold JSON instead: as in version 1 of the language, a brace as its first character
 * decides.
 * @throws {SyntaxError} When it is neither.
 */
export function parseHclOrJson(text: string): unknown {
  const body = text.trimStart();
  return body.startsWith("{") ? JSON.parse(body) : parseHcl(text);
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  #fail(wanted: string): never {
    const line = this.#text.slice(0, this.#at).split("\n").length;
    const found = this.#text[this.#at];
    throw new HclError(
      `line ${line}: expected ${wanted}, found ${found === undefined ? "the end" : JSON.stringify(found)}`,
    );
  }

  /** Skips white space and comments. */
  #skip(): void {
    const rest = /(?:\s+|#[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
    rest.lastIndex = this.#at;
    this.#at += rest.exec(this.#text)?.[0].length ?? 0;
  }

  /** The text at the cursor that fits, taken. */
  #take(pattern: RegExp): string | undefined {
    const sticky = new RegExp(pattern, "y");
    sticky.lastIndex = this.#at;
    const found = sticky.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #eat(text: string): boolean {
    this.#skip();
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  /** Settings up to a closing brace or the end. */
  body(depth: number): { [key: string]: HclValue } {
    if (depth > DEPTH_MAX) this.#fail(`at most ${DEPTH_MAX} blocks within each other`);
    const body: { [key: string]: HclValue } = {};
    for (;;) {
      this.#skip();
      if (this.#at >= this.#text.length || this.#text[this.#at] === "}") return body;
      this.#setting(body, depth);
      this.#eat(",");
    }
  }

  #setting(body: { [key: string]: HclValue }, depth: number): void {
    const key = this.#key();
    if (this.#eat("=") || this.#eat(":")) {
      body[key] = this.#value(depth);
      return;
    }
    const labels: string[] = [];
    for (this.#skip(); this.#text[this.#at] === '"'; this.#skip()) labels.push(this.#quoted());
    if (!this.#eat("{")) this.#fail(`"=" or "{" after "${key}"`);
    let block: HclValue = this.body(depth + 1);
    if (!this.#eat("}")) this.#fail('"}"');
    for (const label of labels.reverse()) block = { [label]: block };
    const before = body[key];
    if (before === undefined) body[key] = block;
    else body[key] = [...(Array.isArray(before) ? before : [before]), block];
  }

  #key(): string {
    if (this.#text[this.#at] === '"') return this.#quoted();
    return this.#take(/[A-Za-z_][\w.-]*/) ?? this.#fail("a key");
  }

  #value(depth: number): HclValue {
    if (depth > DEPTH_MAX) this.#fail(`at most ${DEPTH_MAX} lists within each other`);
    this.#skip();
    const first = this.#text[this.#at];
    if (first === '"') return this.#quoted();
    if (this.#eat("{")) {
      const body = this.body(depth + 1);
      if (!this.#eat("}")) this.#fail('"}"');
      return body;
    }
    if (this.#eat("[")) return this.#list(depth);
    if (this.#text.startsWith("<<", this.#at)) return this.#heredoc();
    const number = this.#take(/-?(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])/);
    if (number !== undefined) return Number(number);
    const word = this.#take(/true\b|false\b/);
    if (word !== undefined) return word === "true";
    return this.#fail("a value");
  }

  #list(depth: number): HclValue[] {
    const list: HclValue[] = [];
    while (!this.#eat("]")) {
      list.push(this.#value(depth + 1));
      if (!this.#eat(",") && !this.#eat("]")) this.#fail('"," or "]"');
      else if (this.#text[this.#at - 1] === "]") return list;
    }
    return list;
  }

  #quoted(): string {
    this.#at++;
    let text = "";
    for (;;) {
      text += this.#take(/[^"\\\n]*/) ?? "";
      const next = this.#text[this.#at];
      if (next === '"') {
        this.#at++;
        return text;
      }
      if (next !== "\\") this.#fail("the closing quote of a text (a text of several lines is a heredoc: <<EOF)");
      text += this.#escape();
    }
  }

  #escape(): string {
    const code = this.#text[this.#at + 1];
    if (code === "u") {
      const hex = /^[0-9a-fA-F]{4}/.exec(this.#text.slice(this.#at + 2))?.[0];
      if (hex === undefined) this.#fail("four hexadecimal digits after \\u");
      this.#at += 6;
      return String.fromCharCode(parseInt(hex, 16));
    }
    const text = ESCAPES[code] ?? this.#fail('one of \\n \\r \\t \\" \\\\ \\u');
    this.#at += 2;
    return text;
  }

  /** `<<EOF`, or `<<-EOF` where the indentation of the least indented line goes. */
  #heredoc(): string {
    const open = this.#take(/<<-?[A-Za-z_]\w*[ \t]*\r?\n/) ?? this.#fail("a name and the end of the line after <<");
    const name = open.replace(/^<<-?/, "").trim();
    const end = new RegExp(`^[ \\t]*${name}[ \\t]*\\r?$`, "m").exec(this.#text.slice(this.#at));
    if (!end) this.#fail(`a line "${name}" that ends the heredoc`);
    const lines = this.#text.slice(this.#at, this.#at + end.index).split("\n");
    this.#at += end.index + end[0].length;
    if (!open.startsWith("<<-")) return lines.join("\n");
    const indents = lines.filter((line) => line.trim() !== "").map((line) => /^[ \t]*/.exec(line)?.[0].length ?? 0);
    const least = Math.min(...indents, Infinity);
    return lines.map((line) => line.slice(Math.min(least, line.length))).join("\n");
  }

  /** @throws {HclError} When something is left. */
  end(): void {
    this.#skip();
    if (this.#at < this.#text.length) this.#fail("a key");
  }
}
