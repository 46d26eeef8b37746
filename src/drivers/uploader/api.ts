/**
 * The messages of the uploader Worker, and what it is told to do. Types only.
 *
 * The plans hold keys: they are handed to the Worker and to nobody else, and no part of the program prints them.
 * @module
 */

/** Where backups go to or come from. */
export type Destination = FileDestination | S3Destination | GcsDestination;

/** A directory. */
export interface FileDestination {
  readonly type: "file";
  /** Absolute; it exists. */
  readonly directory: string;
  /** Plain file name. */
  readonly name: string;
}

/** A bucket of a store that speaks the S3 protocol. */
export interface S3Destination {
  readonly type: "s3";
  /** URL of the bucket, its name being part of the host or of the path; without `/` at its end. */
  readonly bucketUrl: string;
  readonly bucket: string;
  readonly region: string;
  /** Key of the object. */
  readonly name: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary credentials; empty for none. */
  readonly sessionToken: string;
}

/** A bucket of Google Cloud Storage. */
export interface GcsDestination {
  readonly type: "gcs";
  /** URL of the service, without `/` at its end. */
  readonly endpoint: string;
  readonly bucket: string;
  /** Name of the object. */
  readonly name: string;
  /** Undefined: requests carry no credentials. */
  readonly account: ServiceAccount | undefined;
}

/** Who signs in to Google Cloud. */
export interface ServiceAccount {
  readonly email: string;
  readonly keyId: string;
  /** PEM of an RSA key in PKCS #8. */
  readonly privateKey: string;
  /** URL where tokens are to be had. */
  readonly tokenUrl: string;
}

/** What `-auto-backup` says. */
export interface BackupPlan {
  readonly destination: Destination;
  readonly intervalMs: number;
  /** Whether each backup has a name of its own, which begins with the time. */
  readonly isTimestamped: boolean;
  readonly isCompressed: boolean;
  readonly isVacuumed: boolean;
  /** Timestamped backups that are kept; 0: all. */
  readonly keep: number;
}

/** What `-auto-restore` says. */
export interface RestorePlan {
  readonly source: Destination;
  /** Whether the newest of the timestamped backups is taken. */
  readonly isTimestamped: boolean;
  /** Longest wait for the next bytes. */
  readonly timeoutMs: number;
  /** Whether the node goes on without data when there is nothing to be had. */
  readonly continuesOnFailure: boolean;
}

/** First message to the Worker. */
export interface OpenUploader {
  readonly k: "open";
  /** Shared memory of the node's state (base/shared/node_state.ts). */
  readonly state: SharedArrayBuffer;
  readonly backup: BackupPlan | undefined;
  readonly restore: RestorePlan | undefined;
  /** Carries calls of {@linkcode UploaderMethods}. */
  readonly http: MessagePort;
}

/** Supervisor → Worker. */
export type ToUploader =
  | OpenUploader
  | { readonly k: "backups"; readonly port: MessagePort } // the line to the backup Worker
  | { readonly k: "shutdown" };

/** Worker → supervisor. */
export type FromUploader =
  | { readonly k: "wantBackups" }
  | { readonly k: "stopped" }; // nothing is under way

/** What the Worker can be asked; errors are for people. */
export interface UploaderMethods {
  /** What it has done. */
  status: { params: Record<string, never>; result: UploaderStatus };
  /** Begins to download what is to be restored. */
  open: { params: Record<string, never>; result: void };
  /** The next piece of it, unpacked; null behind the last. */
  read: { params: Record<string, never>; result: Uint8Array<ArrayBuffer> | null };
  /** Ends the download. */
  close: { params: Record<string, never>; result: void };
}

/** For `/status` and `/debug/vars`. */
export interface UploaderStatus {
  /** Absent without `-auto-backup`. */
  readonly uploader?: UploadCounters;
  /** Absent without `-auto-restore`. */
  readonly downloader?: DownloadCounters;
  /** rqlite's section of `/status`; absent without `-auto-backup`. */
  readonly autoBackups?: Readonly<Record<string, unknown>>;
}

/** What is counted of uploads. */
export interface UploadCounters {
  num_uploads_ok: number;
  num_uploads_fail: number;
  /** Nothing new since the last upload. */
  num_uploads_skipped: number;
  /** What is stored at the destination is as new. */
  num_uploads_skipped_id: number;
  /** Old backups that were removed. */
  num_removed: number;
  total_upload_bytes: number;
  last_upload_bytes: number;
}

/** What is counted of downloads. */
export interface DownloadCounters {
  num_downloads_ok: number;
  num_downloads_fail: number;
  download_bytes: number;
}
