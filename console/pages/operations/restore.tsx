/**
 * A file in the place of the whole database.
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { addressOf, ApiError, credentials } from "../../api.ts";
import { curlOf, musterOf } from "../../consul/commands.ts";
import { confirmed, tell } from "../../parts/dialog.tsx";
import { messageOf } from "../../parts/fault.ts";
import { bytesText } from "../../parts/format.ts";

/** Beginning of a SQLite file (sqlite.org/fileformat.html §1.3.1). */
const MAGIC = "SQLite format 3\0";
const TYPED = "replace";

/** Sends a file. A request of fetch does not tell how far it is, so this is one of the older kind. */
function upload(file: File, onProgress: (bytes: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", addressOf("db/load"));
    request.setRequestHeader("Content-Type", "application/octet-stream");
    for (const [name, value] of Object.entries(credentials.value)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded }) => onProgress(loaded);
    request.onerror = () => reject(new ApiError(0, "The node does not answer"));
    request.onload = () => {
      if (request.status === 200) resolve();
      else reject(new ApiError(request.status, request.responseText.trim() || `Refused with status ${request.status}`));
    };
    request.send(file);
  });
}

/** The part. */
export function RestorePart(): JSX.Element {
  const [sent, setSent] = useState<{ readonly bytes: number; readonly total: number } | undefined>();
  const [fault, setFault] = useState("");
  const restore = async (file: File) => {
    setFault("");
    if (await file.slice(0, MAGIC.length).text() !== MAGIC) {
      return setFault(`${file.name} is no SQLite file: a dump of SQL is run on the page SQL, or by muster restore`);
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
    try {
      await upload(file, (bytes) => setSent({ bytes, total: file.size }));
      tell("The database is replaced");
    } catch (error) {
      setFault(messageOf(error));
    }
    setSent(undefined);
  };
  return (
    <section class="card" aria-labelledby="restore-title">
      <h2 id="restore-title">Restore</h2>
      <p>A SQLite file takes the place of the whole database, on all nodes. Back up before.</p>
      <input
        type="file"
        aria-label="File to restore"
        disabled={sent !== undefined}
        onChange={(event) => {
          const [file] = event.currentTarget.files ?? [];
          event.currentTarget.value = ""; // the same file may be chosen again
          if (file) restore(file);
        }}
      />
      {sent && (
        <>
          <progress aria-label="Restore" max={sent.total} value={sent.bytes} />
          <p class="muted" role="status">
            {sent.bytes < sent.total
              ? `${bytesText(sent.bytes)} of ${bytesText(sent.total)} sent`
              : "Sent. Every node takes it over…"}
          </p>
        </>
      )}
      {fault !== "" && <p class="note error after" role="alert">{fault}</p>}
    </section>
  );
}
