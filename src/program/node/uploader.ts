/**
 * The uploader Worker as a part of a node: started with its plans, told when the node stops. A restore concerns a node whose data
 * directory is new. A file in that directory says that it is to come, until it is over: a node that is killed meanwhile goes on
 * with it at the next start.
 * @module
 */
import type { RestoreOptions } from "../../api/server/api.ts";
import { pause } from "../../base/worker/backoff.ts";
import { exists, syncDirectory, writeDurably } from "../../base/worker/files.ts";
import type { FromUploader, OpenUploader, ToUploader } from "../../drivers/uploader/api.ts";
import type { DataDirectory } from "./data_directory.ts";
import type { UploadPlans } from "./uploads.ts";

/** There while a restore is to come. */
const PENDING = "restore.pending";
/** An upload that cannot be given up in this time is left to the store. */
const SHUTDOWN_MS = 5000;

/** What the Worker is started with. */
export interface UploaderContext {
  /** Shared memory of the node's state. */
  readonly state: SharedArrayBuffer;
  readonly directory: DataDirectory;
  spawn(): Worker;
  /** A new line to the backup Worker. */
  connectBackups(): MessagePort;
  log(line: string): void;
}

/** The Worker and its lines. */
export class UploaderParts {
  /** For HTTP: the line to the Worker, and what is to be restored. */
  readonly forHttp: { readonly uploader: MessagePort; readonly restore?: RestoreOptions };
  readonly #worker: Worker;
  readonly #directory: string;
  readonly #stopped = Promise.withResolvers<void>();

  private constructor(
    { backup, restore }: Omit<UploadPlans, "reach">,
    { state, directory, spawn, connectBackups }: UploaderContext,
  ) {
    this.#directory = directory.path;
    this.#worker = spawn();
    this.#worker.addEventListener("message", ({ data }: MessageEvent<FromUploader>) => {
      if (data.k === "stopped") return this.#stopped.resolve();
      const port = connectBackups();
      this.#tell({ k: "backups", port }, [port]);
    });
    const { port1, port2 } = new MessageChannel();
    const open: OpenUploader = { k: "open", state, backup, restore, http: port1 };
    this.#tell(open, [port1]);
    this.forHttp = { uploader: port2, ...(restore ? { restore: optionsOf(restore) } : {}) };
  }

  /** Starts the Worker; undefined where there is nothing for it to do. */
  static start({ backup, restore }: UploadPlans, context: UploaderContext): UploaderParts | undefined {
    const { path, isNew } = context.directory;
    const isToRestore = restore !== undefined && (isNew || exists(`${path}/${PENDING}`));
    if (isToRestore) writeDurably(path, PENDING, "");
    else if (restore) context.log("-auto-restore is disregarded: this node was started before");
    if (!backup && !isToRestore) return undefined;
    return new UploaderParts({ backup, restore: isToRestore ? restore : undefined }, context);
  }

  /** The restore is over. */
  noteRestored(): void {
    Deno.removeSync(`${this.#directory}/${PENDING}`);
    syncDirectory(this.#directory);
  }

  /** Gives up what is under way. */
  async shutdown(): Promise<void> {
    this.#tell({ k: "shutdown" });
    await Promise.race([this.#stopped.promise, pause(SHUTDOWN_MS)]);
  }

  #tell(message: ToUploader, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
  }
}

function optionsOf({ timeoutMs, continuesOnFailure }: RestoreOptions): RestoreOptions {
  return { timeoutMs, continuesOnFailure };
}
