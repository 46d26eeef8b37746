/**
 * The uploader Worker: stores backups, and downloads what is to be restored. It may reach the store that its plans name and
 * nothing else: a host and port, or a directory. Backups come to it from the backup Worker, piece by piece, through a port; what
 * it downloads goes to HTTP in the same way.
 * @module
 */
import { Callee, Caller, type Methods, type ToCallee, type ToCaller } from "../../base/worker/channel.ts";
import { logger } from "../../base/worker/log.ts";
import { NodeState } from "../../base/shared/node_state.ts";
import { workerScope } from "../../base/worker/worker_scope.ts";
import type { BackupMethods } from "../backup/api.ts";
import type {
  BackupPlan,
  DownloadCounters,
  FromUploader,
  OpenUploader,
  RestorePlan,
  ToUploader,
  UploaderMethods,
} from "./api.ts";
import { AutoBackup, type MadeBackup } from "./auto_backup.ts";
import { download } from "./download.ts";
import { storeOf } from "./store_of.ts";

const scope = workerScope<ToUploader, FromUploader>();
const shutdown = new AbortController();
/** Ends when nothing is under way any more. */
let work: Promise<void> = Promise.resolve();
/** The line to the backup Worker, which is asked for when it is needed. */
const backups = Promise.withResolvers<Caller<BackupMethods>>();
let hasAsked = false;

function connect(port: MessagePort): void {
  const caller = new Caller<BackupMethods>(port, { callee: "the backup Worker" });
  port.onmessage = ({ data }: MessageEvent<ToCaller>) => caller.settle(data);
  backups.resolve(caller);
}

async function openBackup({ isCompressed, isVacuumed }: BackupPlan): Promise<MadeBackup> {
  if (!hasAsked) scope.postMessage({ k: "wantBackups" });
  hasAsked = true;
  const caller = await backups.promise;
  const { id, isEmpty } = await caller.call("open", { format: "delete", isVacuumed, isCompressed });
  return { isEmpty, pieces: piecesOf(caller, id), close: () => caller.call("close", { id }) };
}

async function* piecesOf(caller: Caller<BackupMethods>, id: number): AsyncGenerator<Uint8Array> {
  for (;;) {
    const piece = await caller.call("read", { id });
    if (!piece) return;
    yield piece;
  }
}

function autoBackupOf(plan: BackupPlan, state: SharedArrayBuffer): AutoBackup {
  return new AutoBackup({
    plan,
    store: storeOf(plan.destination),
    state: new NodeState(state),
    open: () => openBackup(plan),
    now: Date.now,
    log: logger("uploader"),
  });
}

/** The download that is under way, and what is counted. */
class Downloads {
  readonly counters: DownloadCounters = { num_downloads_ok: 0, num_downloads_fail: 0, download_bytes: 0 };
  readonly #plan: RestorePlan;
  #pieces: AsyncGenerator<Uint8Array<ArrayBuffer>> | undefined;

  constructor(plan: RestorePlan) {
    this.#plan = plan;
  }

  async open(): Promise<void> {
    await this.close();
    this.#pieces = download(storeOf(this.#plan.source), this.#plan, (count) => this.counters.download_bytes += count);
  }

  async read(): Promise<Uint8Array<ArrayBuffer> | null> {
    try {
      const next = await this.#pieces?.next();
      if (next && !next.done) return next.value;
      this.counters.num_downloads_ok++;
      return null;
    } catch (error) {
      this.counters.num_downloads_fail++;
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#pieces?.return(undefined);
    this.#pieces = undefined;
  }
}

function methodsOf(backup: AutoBackup | undefined, downloads: Downloads | undefined): Methods<UploaderMethods> {
  return {
    status: () => ({
      ...(backup ? { uploader: backup.counters, autoBackups: backup.status } : {}),
      ...(downloads ? { downloader: downloads.counters } : {}),
    }),
    open: () => downloads?.open(),
    read: async (_, { transfer }) => {
      const piece = await downloads?.read() ?? null;
      if (piece && piece.byteLength === piece.buffer.byteLength) transfer.push(piece.buffer);
      return piece;
    },
    close: () => downloads?.close(),
  };
}

function open({ state, backup: plan, restore, http }: OpenUploader): void {
  const backup = plan && autoBackupOf(plan, state);
  const callee = new Callee(http, methodsOf(backup, restore && new Downloads(restore)));
  http.onmessage = ({ data }: MessageEvent<ToCallee<UploaderMethods>>) => callee.take(data);
  if (backup) work = backup.run(shutdown.signal);
}

scope.onmessage = async ({ data }) => {
  if (data.k === "open") open(data);
  else if (data.k === "backups") connect(data.port);
  else {
    shutdown.abort(new Error("the node shuts down"));
    await work;
    scope.postMessage({ k: "stopped" });
  }
};
