/**
 * The rows of a CSV file, each with the line of the file that it begins in: also where fields have line breaks and lines are empty,
 * which are no rows. What is wrong with the text is told with its line.
 * @module
 */
import { CsvParseStream } from "@std/csv/parse-stream";
import { utf8Text } from "../../base/net/utf8_lines.ts";

/** A row. */
export interface CsvRow {
  /** From 1 on. */
  readonly line: number;
  readonly values: readonly string[];
}

/**
 * Reads a file.
 * @throws {Error} Where a quote is out of place, with the line that its row begins in, or the text is not UTF-8.
 */
export async function* csvRows(bytes: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<CsvRow> {
  const empty = new EmptyLines();
  const records = ReadableStream.from(utf8Text(bytes))
    .pipeThrough(
      new TransformStream<string, string>({
        transform(text, controller) {
          empty.note(text);
          controller.enqueue(text);
        },
      }),
    )
    .pipeThrough(new CsvParseStream());
  let line = 1;
  try {
    for await (const record of records) {
      const values = Array.isArray(record) ? record.map(String) : [];
      line = empty.passed(line);
      yield { line, values };
      line += 1 + values.reduce((breaks, value) => breaks + value.split("\n").length - 1, 0);
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    // The parser counts rows, not lines.
    throw new Error(
      `line ${empty.passed(line)} begins a row that is no CSV: ${error.message.replace(/^.*?\d+: /s, "")}`,
    );
  }
}

/** The empty lines of a text that comes in pieces, which the parser passes over without a word. */
class EmptyLines {
  readonly #empty = new Set<number>();
  #line = 1;
  /** Whether the line has had nothing yet. */
  #isEmpty = true;

  /** Takes the next piece: before the parser has it. */
  note(text: string): void {
    for (let at = 0; at < text.length;) {
      const end = text.indexOf("\n", at);
      const part = text.slice(at, end < 0 ? text.length : end);
      this.#isEmpty &&= part === "" || part === "\r";
      if (end < 0) return;
      if (this.#isEmpty) this.#empty.add(this.#line);
      this.#line++;
      this.#isEmpty = true;
      at = end + 1;
    }
  }

  /** The first line from `line` on that is not empty. */
  passed(line: number): number {
    let at = line;
    while (this.#empty.delete(at)) at++;
    return at;
  }
}
