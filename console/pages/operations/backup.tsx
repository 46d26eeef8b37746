/**
 * A backup of the database as a file, with what has come of it so far.
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { curlOf, musterOf } from "../../consul/commands.ts";
import { Commands } from "../../parts/commands.tsx";
import { Icon } from "../../parts/icon.tsx";
import { DownloadState, nameNow, useDownload } from "./files.tsx";

/** The part. */
export function BackupPart(): JSX.Element {
  const download = useDownload();
  const [isVacuumed, setVacuumed] = useState(false);
  const isRunning = download.progress !== undefined;
  const save = (format: "sqlite" | "sql") => {
    const option = format === "sql" ? "?fmt=sql" : isVacuumed ? "?vacuum" : "";
    download.start(`db/backup${option}`, nameNow("muster", format));
  };
  return (
    <section class="card" aria-labelledby="backup-title">
      <h2 id="backup-title">Back up</h2>
      <p>A copy of the whole database as it is on the leader now. Nodes go on working meanwhile.</p>
      <div class="toolbar">
        <button type="button" class="primary" disabled={isRunning} onClick={() => save("sqlite")}>
          <Icon name="save" /> SQLite file
        </button>
        <button type="button" disabled={isRunning} onClick={() => save("sql")}>
          <Icon name="save" /> SQL text
        </button>
        <label>
          <input type="checkbox" checked={isVacuumed} onChange={(event) => setVacuumed(event.currentTarget.checked)} />
          SQLite file without free pages (VACUUM)
        </label>
        {isRunning && <button type="button" onClick={download.stop}>Stop</button>}
      </div>
      <DownloadState download={download} label="Backup" done="Backed up" />
      <details class="after">
        <summary>From a terminal</summary>
        <Commands commands={[`${curlOf("GET", "db/backup")} -o backup.sqlite`, musterOf("backup", "backup.sqlite")]} />
      </details>
    </section>
  );
}
