/**
 * SQL text → tokens, by the rules of SQLite's own `tokenize.c`. Pure.
 *
 * The tokenizer never fails: an unterminated string or comment reaches to the end of the text, and a character that
 * SQLite does not know is a token of its own. What is wrong with the text is SQLite's to say.
 * @module
 */

/** Kinds of token. Whitespace and comments are not reported. */
export type TokenKind = "word" | "quoted" | "string" | "number" | "blob" | "parameter" | "semicolon" | "punctuation";

const TAB = 9;
const NEWLINE = 10;
const VERTICAL_TAB = 0x0b;
const BYTE_ORDER_MARK = 0xfeff;
const FORM_FEED = 12;
const RETURN = 13;
const SPACE = 32;
const DOUBLE_QUOTE = 34;
const HASH = 35;
const DOLLAR = 36;
const SINGLE_QUOTE = 39;
const OPEN = 40;
const CLOSE = 41;
const STAR = 42;
const DASH = 45;
const DOT = 46;
const SLASH = 47;
const COLON = 58;
const SEMICOLON = 59;
const QUESTION = 63;
const AT = 64;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;
const BACKTICK = 96;

/** Whether the character may stand in an identifier: letters, digits, `_`, `$` and everything beyond ASCII. */
function isWordCode(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57) || code === 95 ||
    code === DOLLAR || code >= 128;
}

function isDigitCode(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** A vertical tab is one only behind another (`sqlite3GetToken()`). */
function isSpaceCode(code: number): boolean {
  return code === SPACE || code === NEWLINE || code === TAB || code === RETURN || code === FORM_FEED;
}

function isFurtherSpace(code: number): boolean {
  return isSpaceCode(code) || code === VERTICAL_TAB;
}

/** Walks over the tokens of a text; after `next()` returned true, `kind`, `start` and `end` describe the token. */
export class Tokenizer {
  /** The text that is split into tokens. */
  readonly text: string;
  /** Kind of the current token. */
  kind: TokenKind = "punctuation";
  /** Offset of its first character. */
  start = 0;
  /** Offset after its last character. */
  end = 0;

  /**
   * Starts before the first token.
   * @param text Any text.
   */
  constructor(text: string) {
    this.text = text;
  }

  /** Moves to the next token; returns false at the end of the text. */
  next(): boolean {
    const start = this.#skipBlank(this.end);
    this.start = start;
    if (start >= this.text.length) {
      this.end = start;
      return false;
    }
    this.end = this.#scan(start);
    return true;
  }

  /** Text of the current token. */
  token(): string {
    return this.text.slice(this.start, this.end);
  }

  /** The current token in upper case if it is a bare word, else the empty string. */
  word(): string {
    return this.kind === "word" ? this.token().toUpperCase() : "";
  }

  #skipBlank(from: number): number {
    const text = this.text;
    let at = from;
    while (at < text.length) {
      const code = text.charCodeAt(at);
      if (isSpaceCode(code)) {
        at++;
        while (isFurtherSpace(text.charCodeAt(at))) at++;
      } else if (code === BYTE_ORDER_MARK) {
        at++;
      } else if (code === DASH && text.charCodeAt(at + 1) === DASH) {
        const newline = text.indexOf("\n", at + 2);
        at = newline < 0 ? text.length : newline + 1;
      } else if (code === SLASH && text.charCodeAt(at + 1) === STAR) {
        const close = text.indexOf("*/", at + 2);
        at = close < 0 ? text.length : close + 2;
      } else {
        break;
      }
    }
    return at;
  }

  /** Sets the kind of the token at `start` and returns its end. */
  #scan(start: number): number {
    const text = this.text;
    const code = text.charCodeAt(start);
    switch (code) {
      case SEMICOLON:
        this.kind = "semicolon";
        return start + 1;
      case SINGLE_QUOTE:
        this.kind = "string";
        return this.#quotedEnd(start, code);
      case DOUBLE_QUOTE:
      case BACKTICK:
        this.kind = "quoted";
        return this.#quotedEnd(start, code);
      case OPEN_BRACKET: {
        this.kind = "quoted";
        const close = text.indexOf("]", start + 1);
        return close < 0 ? text.length : close + 1;
      }
      case QUESTION: {
        this.kind = "parameter";
        let end = start + 1;
        while (isDigitCode(text.charCodeAt(end))) end++;
        return end;
      }
      case COLON:
      case AT:
      case HASH:
      case DOLLAR:
        return this.#parameterEnd(start);
    }
    if (isDigitCode(code) || (code === DOT && isDigitCode(text.charCodeAt(start + 1)))) return this.#numberEnd(start);
    if ((code === 120 || code === 88) && text.charCodeAt(start + 1) === SINGLE_QUOTE) {
      this.kind = "blob";
      return this.#quotedEnd(start + 1, SINGLE_QUOTE);
    }
    if (!isWordCode(code)) {
      this.kind = "punctuation";
      return start + 1;
    }
    this.kind = "word";
    let end = start + 1;
    while (end < text.length && isWordCode(text.charCodeAt(end))) end++;
    return end;
  }

  /** End of a quoted token, where a doubled quote stands for itself. */
  #quotedEnd(start: number, quote: number): number {
    const text = this.text;
    for (let at = start + 1; at < text.length; at++) {
      if (text.charCodeAt(at) !== quote) continue;
      if (text.charCodeAt(at + 1) !== quote) return at + 1;
      at++;
    }
    return text.length;
  }

  /** End of a number: digits, one exponent with its sign, hexadecimal digits, and letters that make it an error. */
  #numberEnd(start: number): number {
    const text = this.text;
    this.kind = "number";
    let end = start + 1;
    while (end < text.length) {
      const code = text.charCodeAt(end);
      const before = text.charCodeAt(end - 1) | 0x20;
      const isSign = (code === 43 || code === DASH) && before === 101 && (text.charCodeAt(start + 1) | 0x20) !== 120;
      if (!isWordCode(code) && code !== DOT && !isSign) break;
      end++;
    }
    return end;
  }

  /** End of `:name`, `@name`, `#name` or `$name::part(suffix)`; a lone sign is punctuation. */
  #parameterEnd(start: number): number {
    const text = this.text;
    let length = 0;
    let at = start + 1;
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (isWordCode(code)) {
        length++;
      } else if (code === OPEN && length > 0) {
        while (at < text.length && !isFurtherSpace(text.charCodeAt(at)) && text.charCodeAt(at) !== CLOSE) at++;
        if (text.charCodeAt(at) === CLOSE) at++;
        break;
      } else if (code === COLON && text.charCodeAt(at + 1) === COLON) {
        at++;
      } else {
        break;
      }
    }
    this.kind = length > 0 ? "parameter" : "punctuation";
    return length > 0 ? at : start + 1;
  }
}

/** The name inside a bare or quoted identifier token. */
export function identifierName(token: string): string {
  const quote = token.charCodeAt(0);
  if (quote === OPEN_BRACKET) {
    return token.slice(1, token.charCodeAt(token.length - 1) === CLOSE_BRACKET ? -1 : undefined);
  }
  if (quote !== DOUBLE_QUOTE && quote !== BACKTICK && quote !== SINGLE_QUOTE) return token;
  const mark = token.charAt(0);
  return token.slice(1, -1).replaceAll(mark + mark, mark);
}

/** An identifier as SQL has it: quoted, whatever it holds. */
export function identifierText(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text without NUL as a literal of SQL. */
export function textLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
