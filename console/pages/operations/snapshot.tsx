/**
 * What agents keep besides the database, as one file and back: catalog, keys, sessions, prepared queries, entries of
 * configuration.
 * @module
 */
import type { JSX } from "preact";
import { curlOf, musterOf } from "../../consul/commands.ts";
import { Commands } from "../../parts/commands.tsx";
import { confirmed, tell } from "../../parts/dialog.tsx";
import { bytesText } from "../../parts/format.ts";
import { Icon } from "../../parts/icon.tsx";
import { DownloadState, nameNow, upload, UploadField, useDownload } from "./files.tsx";

const PATH = "v1/snapshot";
const TYPED = "replace";

async function restore(file: File, onProgress: (bytes: number) => void): Promise<void> {
  const isSure = await confirmed({
    title: "Replace catalog and keys?",
    text: `Catalog, keys, sessions, prepared queries and entries of configuration are replaced by what ${file.name} ` +
      `(${bytesText(file.size)}) has, all or none of it. Agents register their own services again. The tables of SQL ` +
      "stay as they are. There is no way back but another snapshot.",
    action: "Replace them",
    commands: [curlOf("PUT", PATH, { file: file.name }), musterOf("snapshot", "restore", file.name)],
    typed: TYPED,
  });
  if (!isSure) return;
  await upload(file, { method: "PUT", path: PATH, onProgress });
  tell("Catalog and keys are restored");
}

/** The part. */
export function SnapshotPart(): JSX.Element {
  const download = useDownload();
  const isRunning = download.progress !== undefined;
  return (
    <section class="card" aria-labelledby="snapshot-title">
      <h2 id="snapshot-title">Snapshot of catalog and keys</h2>
      <p>
        Catalog, keys, sessions, prepared queries and entries of configuration, as one file of Consul's kind. The
        database has backups of its own.
      </p>
      <div class="toolbar">
        <button
          type="button"
          disabled={isRunning}
          onClick={() => download.start(PATH, nameNow("muster", "snap"))}
        >
          <Icon name="save" /> Save a snapshot
        </button>
        {isRunning && <button type="button" onClick={download.stop}>Stop</button>}
      </div>
      <DownloadState download={download} label="Snapshot" done="Saved" />
      <p class="after">Restore one in their place:</p>
      <UploadField label="Snapshot to restore" onFile={restore} />
      <details class="after">
        <summary>From a terminal</summary>
        <Commands commands={[`${curlOf("GET", PATH)} -o muster.snap`, musterOf("snapshot", "save", "muster.snap")]} />
      </details>
    </section>
  );
}
