/**
 * The snapshot Worker: makes copies of the database, hands them out in pieces, and takes those of other nodes in. It needs
 * `read` and `write` on the folder of the database and nothing else; what takes long here holds up nothing else.
 * @module
 */
import { damaged, DamagedDatabaseError } from "../sqlite/taint.ts";
import { Callee, type DescribedError, type Methods, type ToCallee } from "../../base/worker/channel.ts";
import { workerScope } from "../../base/worker/worker_scope.ts";
import { SYSTEM_TABLE } from "../sqlite/authorizer.ts";
import { contentHash } from "../sqlite/content_hash.ts";
import { Database, runOnce, STORED_BYTES_MAX } from "../libsqlite/driver.ts";
import { causeOf } from "../sqlite/failure.ts";
import type { OpenSnapshot, SnapshotMethods } from "../sqlite/api.ts";
import {
  beginIncoming,
  copyDatabase,
  dropCopy,
  packPiece,
  readCopy,
  stageIncoming,
  unpackPiece,
  writeIncoming,
} from "./transfer.ts";
import { type SnapshotPaths, snapshotPaths } from "../sqlite/snapshot_file.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** All of them block: one ends before the next begins, so that no piece is written while another one is. */
function methodsOf(paths: SnapshotPaths): Methods<SnapshotMethods> {
  return {
    copy: () => copyDatabase(paths),
    drop: () => dropCopy(paths),
    read({ offset, length, compress }, { transfer }) {
      const piece = packPiece(readCopy(paths, offset, length), compress);
      if (piece.chunk.buffer instanceof ArrayBuffer) transfer.push(piece.chunk.buffer);
      return piece;
    },
    begin: ({ part }) => beginIncoming(paths, part),
    write: ({ id, offset, piece }) => writeIncoming(paths, id, { offset, chunk: unpackPiece(piece) }),
    stage: ({ part }) => stageIncoming(paths, part),
    awake() {},
    view: () => openView(paths),
    hash: () => hashView(paths.database),
  };
}

function described(error: unknown): DescribedError {
  const message = messageOf(error);
  return error instanceof DamagedDatabaseError ? { error: message, code: "damage" } : { error: message };
}

/** The database as it was when it was asked for. */
let view: Database | undefined;

/** @returns The index that the view has applied. */
function openView({ database: path, library }: SnapshotPaths): number {
  view?.close();
  view = new Database(path, {
    readOnly: true,
    foreignKeys: false,
    valueBytesMax: STORED_BYTES_MAX,
    ...(library ? { library } : {}),
  });
  runOnce(view, "BEGIN");
  return Number(runOnce(view, `SELECT applied FROM ${SYSTEM_TABLE} WHERE id = 0`)[0]?.[0] ?? 0n);
}

function hashView(path: string): string {
  if (!view) throw new Error("there is no view to hash");
  try {
    return contentHash(view);
  } catch (error) {
    if (causeOf(error) !== "damage") throw error;
    throw damaged(path, messageOf(error));
  } finally {
    view.close();
    view = undefined;
  }
}

workerScope<OpenSnapshot, never>().onmessage = ({ data: { path, library, replica } }) => {
  const paths = snapshotPaths(path, library);
  dropCopy(paths); // of an earlier life
  const callee = new Callee(replica, methodsOf(paths), described);
  replica.onmessage = ({ data }: MessageEvent<ToCallee<SnapshotMethods>>) => callee.take(data);
};
