/**
 * A session of the shell: statements go to the node, commands that begin with a dot are carried out here. A statement ends
 * with a semicolon and may take several lines; what is left at the end is run, too. An error is told, and the session goes
 * on. Input and output are the caller's.
 * @module
 */
import { TextLineStream } from "@std/streams/text-line-stream";
import { messageOf } from "../../base/codec/error_text.ts";
import { splitStatements } from "../../core/sql/statement.ts";
import { Tokenizer } from "../../core/sql/tokenizer.ts";
import { type AgentApi, fieldOf } from "../client/agent_api.ts";
import type { CommandSession, DotCommand, SessionSettings } from "./dot_command.ts";
import { COMMANDS } from "./dot_commands.ts";
import { render } from "./modes.ts";
import { parseResults, type Result, RESULT_PARAMETERS } from "./results.ts";

/** Statements that only read. */
const READS: ReadonlySet<string> = new Set(["SELECT", "VALUES", "EXPLAIN"]);
/** Statements that change rows. Of others a node tells the counts of the one before, as rqlite does. */
const COUNTED: ReadonlySet<string> = new Set(["INSERT", "REPLACE", "UPDATE", "DELETE", "WITH"]);

/** Where a session reads and writes. */
export interface SessionParts {
  readonly api: AgentApi;
  /** Datacenter whose database is asked; empty: the agent's own. @default {""} */
  readonly datacenter?: string;
  /** Takes what is shown, with its line breaks. */
  write(text: string): void;
  /** Takes errors. */
  writeError(text: string): void;
}

/** A session. */
export class Session implements CommandSession {
  readonly settings: SessionSettings = {
    mode: "column",
    hasHeader: true,
    nullText: undefined,
    table: "tab",
    timer: false,
    changes: false,
    level: "",
  };
  readonly #parts: SessionParts;
  #write: (text: string) => void;
  /** Lines of a statement that is not complete. */
  #pending = "";
  #isOver = false;
  /** Errors so far. */
  errors = 0;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#write = parts.write;
  }

  /** The parameter for another datacenter. */
  get #place(): string {
    const { datacenter = "" } = this.#parts;
    return datacenter === "" ? "" : `&dc=${encodeURIComponent(datacenter)}`;
  }

  get api(): AgentApi {
    return this.#parts.api;
  }

  /** Whether a statement goes on in the next line. */
  get isPending(): boolean {
    return this.#pending !== "";
  }

  /** Whether the session was left. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Leaves the session. */
  leave(): void {
    this.#isOver = true;
  }

  /** Forgets a statement that is not complete. */
  forget(): void {
    this.#pending = "";
  }

  /** Shows a text. */
  say(text: string): void {
    this.#write(`${text}\n`);
  }

  /** Has what is shown from now on go elsewhere; undefined: to where the session writes. */
  redirect(write: ((text: string) => void) | undefined): void {
    this.#write = write ?? this.#parts.write;
  }

  /** Takes a line. */
  async take(line: string, signal?: AbortSignal): Promise<void> {
    const text = line.trim();
    if (!this.isPending && text === "") return;
    try {
      if (!this.isPending && /^(\.|(quit|exit)$)/i.test(text)) return await this.#command(text, signal);
      this.#pending += (this.isPending ? "\n" : "") + line;
      if (isComplete(this.#pending)) await this.flush(signal);
    } catch (error) {
      this.#fail(messageOf(error));
    }
  }

  /** Runs what is left of a statement. */
  async flush(signal?: AbortSignal): Promise<void> {
    const statement = this.#pending.trim();
    this.#pending = "";
    if (statement === "") return;
    try {
      await this.run(statement, signal);
    } catch (error) {
      this.#fail(signal?.aborted ? "cancelled; a write may have been done" : messageOf(error));
    }
  }

  #fail(why: string): void {
    this.errors++;
    this.#parts.writeError(`Error: ${why}\n`);
  }

  async #command(text: string, signal: AbortSignal | undefined): Promise<void> {
    const [name, ...args] = wordsOf(text.toLowerCase() === "quit" || text.toLowerCase() === "exit" ? `.${text}` : text);
    const found = commandOf(name.slice(1).toLowerCase());
    if (found === undefined) throw new Error(`unknown command ${name}: .help lists them`);
    await found.run(this, args, signal);
  }

  /**
   * Runs statements, one after the other, and shows what they come to.
   * @throws {Error} When the node cannot be asked, or one of them fails.
   */
  async run(sql: string, signal?: AbortSignal): Promise<void> {
    const { level } = this.settings;
    const parameters = `${RESULT_PARAMETERS}${level === "" ? "" : `&level=${level}`}${this.#place}`;
    for (const statement of splitStatements(sql)) {
      // Who may only read may send nothing to /db/request.
      const target = `/db/${READS.has(statement.verb) ? "query" : "request"}?${parameters}`;
      const body = new TextEncoder().encode(JSON.stringify([statement.sql]));
      const { text } = await this.api.askText("POST", target, { body, signal });
      const { results, seconds } = parseResults(text);
      for (const result of results) {
        if (result.k !== "change" || COUNTED.has(statement.verb)) this.show(result, seconds);
      }
    }
  }

  /** The rows of one query. @throws {Error} When it fails. */
  async query(sql: string, ...parameters: readonly (string | number)[]): Promise<Extract<Result, { k: "rows" }>> {
    const body = new TextEncoder().encode(JSON.stringify([[sql, ...parameters]]));
    const { text } = await this.api.askText("POST", `/db/query?${RESULT_PARAMETERS}${this.#place}`, { body });
    const [result] = parseResults(text).results;
    if (result?.k === "rows") return result;
    throw new Error(result?.k === "error" ? result.message : "the node answered no rows");
  }

  /** Runs the writes of a request's body in one transaction. @throws {Error} When one fails. */
  async insert(body: string): Promise<void> {
    const target = `/db/execute?transaction${this.#place}`;
    const { text } = await this.api.askText("POST", target, { body: new TextEncoder().encode(body) });
    const failed = parseResults(text).results.find(({ k }) => k === "error");
    if (failed?.k === "error") throw new Error(failed.message);
  }

  /** Tells when the rows of a query have come, and whenever they have changed. @throws {Error} When it fails. */
  async *follow(sql: string, signal?: AbortSignal): AsyncGenerator<void> {
    const response = await this.api.stream("GET", `/db/live?q=${encodeURIComponent(sql)}${this.#place}`);
    const lines = response.body?.pipeThrough(new TextDecoderStream()).pipeThrough<string>(new TextLineStream());
    const reader = lines?.getReader();
    const stop = () => void reader?.cancel().catch(() => {});
    signal?.addEventListener("abort", stop, { once: true });
    try {
      for (;;) {
        const next = await reader?.read();
        if (!next || next.done) return;
        const line: unknown = next.value === "" ? {} : JSON.parse(next.value);
        const failed = fieldOf(line, "error");
        if (failed !== undefined) throw new Error(String(failed));
        if (fieldOf(line, "columns") !== undefined || fieldOf(line, "splices") !== undefined) yield;
      }
    } finally {
      signal?.removeEventListener("abort", stop);
      stop();
    }
  }

  /** Shows a result. @throws {Error} When it is an error. */
  show(result: Result, seconds?: number): void {
    const { timer, changes, mode, ...style } = this.settings;
    if (result.k === "error") throw new Error(result.message);
    if (result.k === "rows") {
      const text = render(mode, result, styleOf(style));
      const isLine = result.rows.length > 0 && result.columns.length > 0; // of one empty field, maybe
      if (text !== "" || isLine) this.say(text);
      if (timer && seconds !== undefined) this.say(`Run Time: ${seconds.toFixed(6)} seconds`);
      return;
    }
    const time = timer && seconds !== undefined ? ` (${seconds.toFixed(6)} sec)` : "";
    const { rowsAffected, lastInsertId } = result;
    this.say(`${rowsAffected} ${rowsAffected > 1 ? "rows" : "row"} affected${time}`);
    if (changes) this.say(`last insert ID: ${lastInsertId}`);
  }
}

function styleOf({ hasHeader, nullText, table }: Pick<SessionSettings, "hasHeader" | "nullText" | "table">) {
  return { hasHeader, table, ...(nullText === undefined ? {} : { nullText }) };
}

/** A command by its name, or the only one that begins so. */
function commandOf(name: string): DotCommand | undefined {
  const all = COMMANDS.filter((one) => one.name.startsWith(name));
  return COMMANDS.find((one) => one.name === name) ?? (all.length === 1 ? all[0] : undefined);
}

/** Words of a command; those in quotes may have blanks. */
export function wordsOf(text: string): [string, ...string[]] {
  const [first = "", ...rest] = [...text.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c);
  return [first, ...rest];
}

/** Whether a text ends with a semicolon that is no part of a text, a comment or the body of a trigger. */
export function isComplete(text: string): boolean {
  const tokenizer = new Tokenizer(text);
  const words: string[] = [];
  let last = "";
  while (tokenizer.next()) {
    last = text.slice(tokenizer.start, tokenizer.end);
    words.push(last.toUpperCase());
  }
  if (last !== ";") return false;
  const begin = words.findIndex((word, at) => word === "TRIGGER" && words.slice(0, at).includes("CREATE"));
  return begin < 0 || words.at(-2) === "END" && words.at(-3) === ";" || !words.includes("BEGIN", begin);
}
