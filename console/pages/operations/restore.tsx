/**
 * A file in the place of the whole database.
 * @module
 */
import type { JSX } from "preact";
import { curlOf, musterOf } from "../../consul/commands.ts";
import { confirmed, tell } from "../../parts/dialog.tsx";
import { bytesText } from "../../parts/format.ts";
import { upload, UploadField } from "./files.tsx";

/** Beginning of a SQLite file (sqlite.org/fileformat.html §1.3.1). */
const MAGIC = "SQLite format 3\0";
const TYPED = "replace";

async function restore(file: File, onProgress: (bytes: number) => void): Promise<void> {
  if (await file.slice(0, MAGIC.length).text() !== MAGIC) {
    throw new Error(`${file.name} is no SQLite file: a dump of SQL is run on the page SQL, or by muster restore`);
  }
  const isSure = await confirmed({
    title: "Replace the whole database?",
    text: `Every table is replaced by what ${file.name} (${bytesText(file.size)}) has, on all nodes. ` +
      "What was written since that file was made is lost, and there is no way back but a backup.",
    action: "Replace the database",
    commands: [curlOf("POST", "db/load", { file: file.name }), musterOf("restore", file.name)],
    typed: TYPED,
  });
  if (!isSure) return;
  await upload(file, { method: "POST", path: "db/load", onProgress });
  tell("The database is replaced");
}

/** The part. */
export function RestorePart(): JSX.Element {
  return (
    <section class="card" aria-labelledby="restore-title">
      <h2 id="restore-title">Restore</h2>
      <p>A SQLite file takes the place of the whole database, on all nodes. Back up before.</p>
      <UploadField label="File to restore" onFile={restore} />
    </section>
  );
}
