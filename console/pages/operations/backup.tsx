/**
 * A backup as a file, with what has come of it so far.
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../../api.ts";
import { curlOf, musterOf } from "../../consul/commands.ts";
import { Commands } from "../../parts/commands.tsx";
import { saveFile } from "../../parts/clipboard.ts";
import { messageOf } from "../../parts/fault.ts";
import { bytesText } from "../../parts/format.ts";
import { Icon } from "../../parts/icon.tsx";

/** How far a transfer is. */
interface Progress {
  readonly bytes: number;
  /** Undefined where the node does not say. */
  readonly total: number | undefined;
}

/** Reads an answer piece by piece. */
async function received(response: Response, onProgress: (progress: Progress) => void): Promise<Blob> {
  const total = Number(response.headers.get("Content-Length")) || undefined;
  const reader = response.body?.getReader();
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
    pieces.push(next.value);
    bytes += next.value.length;
    onProgress({ bytes, total });
  }
  return new Blob(pieces);
}

/** The part. */
export function BackupPart(): JSX.Element {
  const [progress, setProgress] = useState<Progress | undefined>();
  const [said, setSaid] = useState("");
  const [fault, setFault] = useState("");
  const running = useRef<AbortController | undefined>(undefined);
  useEffect(() => () => running.current?.abort(), []);
  const save = async (format: "sqlite" | "sql") => {
    running.current = new AbortController();
    setProgress({ bytes: 0, total: undefined });
    setSaid("");
    setFault("");
    try {
      const path = format === "sql" ? "db/backup?fmt=sql" : "db/backup";
      const content = await received(await ask(path, { signal: running.current.signal }), setProgress);
      const name = `muster-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.${format}`;
      saveFile(name, content);
      setSaid(`${name}, ${bytesText(content.size)}`);
    } catch (error) {
      if (!running.current.signal.aborted) setFault(messageOf(error));
    }
    setProgress(undefined);
  };
  return (
    <section class="card" aria-labelledby="backup-title">
      <h2 id="backup-title">Back up</h2>
      <p>A copy of the whole database as it is on the leader now. Nodes go on working meanwhile.</p>
      <div class="toolbar">
        <button type="button" class="primary" disabled={progress !== undefined} onClick={() => save("sqlite")}>
          <Icon name="save" /> SQLite file
        </button>
        <button type="button" disabled={progress !== undefined} onClick={() => save("sql")}>
          <Icon name="save" /> SQL text
        </button>
        {progress && <button type="button" onClick={() => running.current?.abort()}>Stop</button>}
      </div>
      {progress && (
        <>
          <progress
            aria-label="Backup"
            {...(progress.total === undefined ? {} : { max: progress.total, value: progress.bytes })}
          />
          <p class="muted">{bytesText(progress.bytes)}{progress.total && ` of ${bytesText(progress.total)}`}</p>
        </>
      )}
      {said !== "" && <p class="note good after" role="status">Backed up: {said}</p>}
      {fault !== "" && <p class="note error after" role="alert">{fault}</p>}
      <details class="after">
        <summary>From a terminal</summary>
        <Commands commands={[`${curlOf("GET", "db/backup")} -o backup.sqlite`, musterOf("backup", "backup.sqlite")]} />
      </details>
    </section>
  );
}
