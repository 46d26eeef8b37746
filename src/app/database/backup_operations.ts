/**
 * Backups for another node, which a client agent asks for on behalf of its clients. A backup is opened, read piece by piece
 * and closed; each piece is sent when it is asked for, so a backup of any size takes the memory of two pieces at either
 * end and goes no faster than the client takes it. One that nobody reads for {@linkcode IDLE_MS} is closed.
 * @module
 */
import { finite, flag, listOf, oneOf, optional, record, text, whole } from "../../base/codec/shape.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { needs } from "../../core/acl/resource.ts";
import type { BackupOptions } from "../../drivers/backup/api.ts";
import type { BackupInPieces, Backups } from "./backups.ts";
import { BusyError, NoLeaderError, OperationError, unwrapped } from "./errors.ts";
import {
  type Asker,
  type Codec,
  type Implementations,
  jsonCodec,
  jsonOperation,
  NOTHING,
  type OperationTable,
} from "./operation.ts";
import type { Runner } from "./operations.ts";
import type { ReplicaClient } from "./replica_client.ts";

/** A backup as it is wanted. */
export interface BackupRequest {
  readonly options: BackupOptions;
  /** Whether this node's own state will do, without what the leader has committed meanwhile. */
  readonly takesStale: boolean;
  /** Longest wait for that. */
  readonly timeoutMs: number;
}

/** The operations of a backup. Its id is the only key to it. */
export interface BackupOperations {
  readonly openBackup: {
    readonly params: BackupRequest;
    readonly result: { readonly id: string; readonly length: number | undefined };
  };
  /** The next piece; no bytes behind the last. */
  readonly readBackup: { readonly params: { readonly id: string }; readonly result: Uint8Array };
  readonly closeBackup: { readonly params: { readonly id: string }; readonly result: void };
}

/** A backup is kept for so long without being read: a client may take this long for a piece. */
const IDLE_MS = 2 * 60_000;
/** Longest wait for the copy of a large database, and for a piece of it. */
const OPEN_MS = 30 * 60_000;
const READ_MS = 60_000;
const TABLES_MAX = 100_000;
const NO_BYTES: Uint8Array = new Uint8Array(0);

const idFields = record({ id: text(64) });
const requestFields = record({
  options: record({
    format: oneOf("wal", "delete", "sql"),
    isVacuumed: flag,
    isCompressed: flag,
    tables: optional(listOf(text(64 * 1024), TABLES_MAX)),
  }),
  takesStale: flag,
  timeoutMs: finite,
});

const PIECE: Codec<Uint8Array> = {
  encode: (body) => ({ value: undefined, body }),
  decode: ({ body }) => body,
};

/** A backup has all tables, those of keys and of access control, too. */
const MANAGING = { needs: () => [needs("acl", "write")] };

/** The operations of a backup, and how they travel. */
export const BACKUP_OPERATIONS: OperationTable<BackupOperations> = {
  openBackup: jsonOperation(["backup"], requestFields, record({ id: text(64), length: optional(whole()) }), MANAGING),
  readBackup: { permissions: ["backup"], acl: MANAGING, params: jsonCodec(idFields), result: PIECE },
  closeBackup: { permissions: ["backup"], acl: MANAGING, params: jsonCodec(idFields), result: NOTHING },
};

/** Dependencies of backups. */
export interface BackupParts {
  readonly backups: Pick<Backups, "open">;
  readonly replica: Pick<ReplicaClient, "leader" | "call">;
}

/**
 * Opens a backup of this node's database, which has what the leader had committed when it was asked.
 * @throws {NoLeaderError | BusyError} When this node cannot get that.
 * @throws {OperationError} When the backup cannot be made.
 */
export async function openBackup(
  { backups, replica }: BackupParts,
  { options, takesStale, timeoutMs }: BackupRequest,
): Promise<BackupInPieces> {
  if (!takesStale) {
    if (!replica.leader) throw new NoLeaderError();
    const { error } = await replica.call("caughtUp", { timeoutMs });
    if (error !== undefined) throw new BusyError(`this node cannot catch up with the leader: ${error}`);
  }
  try {
    return await backups.open(options);
  } catch (error) {
    throw new OperationError(messageOf(error));
  }
}

/** A backup that another node reads. */
interface Lent {
  readonly pieces: AsyncIterator<Uint8Array>;
  timer: ReturnType<typeof setTimeout>;
}

/** Does the operations of backups on this node. */
export function backupImplementations(parts: BackupParts): Implementations<BackupOperations> {
  const all = new Map<string, Lent>();
  const close = async (id: string): Promise<void> => {
    const lent = all.get(id);
    all.delete(id);
    clearTimeout(lent?.timer);
    await lent?.pieces.return?.();
  };
  const closeLater = (id: string) => setTimeout(() => close(id).catch(() => {}), IDLE_MS); // nobody waits for it
  return {
    async openBackup(request, { whenOver }) {
      let isOver = false;
      whenOver?.().then(() => isOver = true);
      const { length, pieces } = await openBackup(parts, request);
      const id = crypto.randomUUID();
      all.set(id, { pieces: pieces[Symbol.asyncIterator](), timer: closeLater(id) });
      if (isOver) await close(id);
      return { id, length };
    },
    async readBackup({ id }) {
      const lent = all.get(id);
      if (!lent) {
        throw new OperationError(`there is no such backup: it was closed, or not read for ${IDLE_MS / 1000} s`);
      }
      clearTimeout(lent.timer);
      const { value, done } = await lent.pieces.next();
      if (all.has(id)) lent.timer = closeLater(id);
      return done ? NO_BYTES : value;
    },
    closeBackup: ({ id }) => close(id),
  };
}

/**
 * Opens a backup of another node.
 * @throws {Error} As {@linkcode Runner.run}.
 */
export async function openBackupElsewhere(
  runner: Runner<BackupOperations>,
  request: BackupRequest,
  { by, whenOver }: { readonly by: Asker; readonly whenOver?: (() => Promise<void>) | undefined },
): Promise<BackupInPieces & { readonly servedBy: string }> {
  const timeoutMs = OPEN_MS + request.timeoutMs;
  const opened = await runner.run("openBackup", request, { by, timeoutMs, whenOver, isCancelable: true });
  const { result: { id, length }, servedBy, from: to } = opened;
  return { length, servedBy, pieces: piecesOf(runner, id, { by, to, timeoutMs: READ_MS }) };
}

/** Asks for a piece while the one before is taken. */
async function* piecesOf(
  runner: Runner<BackupOperations>,
  id: string,
  options: { readonly by: Asker; readonly to: string; readonly timeoutMs: number },
): AsyncGenerator<Uint8Array> {
  const read = () => {
    const piece = runner.run("readBackup", { id }, options);
    piece.catch(() => {}); // it is waited for below, if it is wanted
    return piece;
  };
  try {
    for (let next = read();;) {
      const { result: piece } = await next;
      if (piece.length === 0) return;
      next = read();
      yield piece;
    }
  } catch (error) {
    throw unwrapped(error);
  } finally {
    await runner.run("closeBackup", { id }, options).catch(() => {}); // the other node closes it in time
  }
}
