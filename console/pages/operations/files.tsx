/**
 * Files on their way from the node and to it, with what has come of them so far.
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { addressOf, ApiError, ask, credentials } from "../../api.ts";
import { saveFile } from "../../parts/clipboard.ts";
import { messageOf } from "../../parts/fault.ts";
import { bytesText } from "../../parts/format.ts";

/** How far a file is. */
interface Progress {
  readonly bytes: number;
  /** Undefined where the node does not say. */
  readonly total: number | undefined;
}

/** A file that is fetched. */
export interface Download {
  readonly progress: Progress | undefined;
  /** What has come of it. */
  readonly said: string;
  readonly fault: string;
  start(path: string, name: string): Promise<void>;
  stop(): void;
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

/** The name of a file that is made now. */
export function nameNow(begin: string, ending: string): string {
  return `${begin}-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.${ending}`;
}

/** Fetches a file, and has the browser keep it. */
export function useDownload(): Download {
  const [progress, setProgress] = useState<Progress | undefined>();
  const [said, setSaid] = useState("");
  const [fault, setFault] = useState("");
  const running = useRef<AbortController | undefined>(undefined);
  useEffect(() => () => running.current?.abort(), []);
  const start = async (path: string, name: string) => {
    const own = running.current = new AbortController();
    setProgress({ bytes: 0, total: undefined });
    setSaid("");
    setFault("");
    try {
      const content = await received(await ask(path, { signal: own.signal }), setProgress);
      saveFile(name, content);
      setSaid(`${name}, ${bytesText(content.size)}`);
    } catch (error) {
      if (!own.signal.aborted) setFault(messageOf(error));
    }
    setProgress(undefined);
  };
  return { progress, said, fault, start, stop: () => running.current?.abort() };
}

/** How a download goes. */
export function DownloadState(
  { download: { progress, said, fault }, label, done }: {
    readonly download: Download;
    readonly label: string;
    /** What is said of a file that has come, such as `Backed up`. */
    readonly done: string;
  },
): JSX.Element {
  return (
    <>
      {progress && (
        <>
          <progress
            aria-label={label}
            {...(progress.total === undefined ? {} : { max: progress.total, value: progress.bytes })}
          />
          <p class="muted">{bytesText(progress.bytes)}{progress.total && ` of ${bytesText(progress.total)}`}</p>
        </>
      )}
      {said !== "" && <p class="note good after" role="status">{done}: {said}</p>}
      {fault !== "" && <p class="note error after" role="alert">{fault}</p>}
    </>
  );
}

/** Sends a file. A request of fetch does not tell how far it is, so this is one of the older kind. @throws {ApiError} */
export function upload(
  file: File,
  { method, path, onProgress }: {
    readonly method: "POST" | "PUT";
    readonly path: string;
    readonly onProgress: (bytes: number) => void;
  },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, addressOf(path));
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

/** A field for a file to be sent, and how far it is. */
export function UploadField(
  { label, accept, onFile }: {
    readonly label: string;
    readonly accept?: string;
    /** Asks, and sends it by `send`; what it throws is shown. */
    readonly onFile: (file: File, onProgress: (bytes: number) => void) => Promise<void>;
  },
): JSX.Element {
  const [sent, setSent] = useState<{ readonly bytes: number; readonly total: number } | undefined>();
  const [fault, setFault] = useState("");
  const take = async (file: File) => {
    setFault("");
    try {
      await onFile(file, (bytes) => setSent({ bytes, total: file.size }));
    } catch (error) {
      setFault(messageOf(error));
    }
    setSent(undefined);
  };
  return (
    <>
      <input
        type="file"
        aria-label={label}
        accept={accept}
        disabled={sent !== undefined}
        onChange={(event) => {
          const [file] = event.currentTarget.files ?? [];
          event.currentTarget.value = ""; // the same file may be chosen again
          if (file) take(file);
        }}
      />
      {sent && (
        <>
          <progress aria-label={label} max={sent.total} value={sent.bytes} />
          <p class="muted" role="status">
            {sent.bytes < sent.total
              ? `${bytesText(sent.bytes)} of ${bytesText(sent.total)} sent`
              : "Sent. Every node takes it over…"}
          </p>
        </>
      )}
      {fault !== "" && <p class="note error after" role="alert">{fault}</p>}
    </>
  );
}
