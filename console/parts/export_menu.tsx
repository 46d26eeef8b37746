/**
 * Copies rows, or keeps them as a file, in one of several formats.
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { copyText, saveFile } from "./clipboard.ts";
import { tell } from "./dialog.tsx";
import { ENDINGS, exported, type Format, FORMATS, type Rows } from "./export.ts";
import { Icon } from "./icon.tsx";

/** The menu. */
export function ExportMenu(
  { columns, rows, table = "result" }: {
    readonly columns: readonly string[];
    /** Gives the rows when they are wanted. */
    readonly rows: () => Rows["rows"] | Promise<Rows["rows"]>;
    readonly table?: string;
  },
): JSX.Element {
  const [format, setFormat] = useState<Format>("CSV");
  const withText = async (use: (text: string) => void | Promise<void>) => {
    try {
      await use(exported(format, { columns, rows: await rows() }, table));
    } catch (error) {
      tell(error instanceof Error ? error.message : String(error), { isError: true });
    }
  };
  const copy = async (text: string) =>
    tell(await copyText(text) ? `Copied as ${format}` : "The browser refuses to copy");
  return (
    <>
      <select
        aria-label="Format"
        value={format}
        onChange={(event) => setFormat(FORMATS.find((one) => one === event.currentTarget.value) ?? "CSV")}
      >
        {FORMATS.map((one) => <option key={one} value={one}>{one}</option>)}
      </select>
      <button type="button" onClick={() => withText(copy)}>
        <Icon name="copy" /> Copy
      </button>
      <button
        type="button"
        onClick={() => withText((text) => saveFile(`${table}.${ENDINGS[format]}`, new Blob([text])))}
      >
        <Icon name="save" /> File
      </button>
    </>
  );
}
