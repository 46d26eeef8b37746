/**
 * The snapshot Worker: makes copies of the database, hands them out in pieces, and takes those of other nodes in. It needs
 * `read` and `write` on the folder of the database and nothing else; what takes long here holds up nothing else.
 * @module
 */
import { damaged, DamagedDatabaseError } from "./taint.ts";
import { workerScope } from "../../base/worker/worker_scope.ts";
import { SYSTEM_TABLE } from "./authorizer.ts";
import { contentHash } from "./content_hash.ts";
import { Database, runOnce, STORED_BYTES_MAX } from "../libsqlite/driver.ts";
import { causeOf } from "./failure.ts";
import type { FromSnapshot, OpenSnapshot, SnapshotRequest, ToSnapshot } from "./api.ts";
import {
  beginIncoming,
  copyDatabase,
  dropCopy,
  readCopy,
  type SnapshotPaths,
  snapshotPaths,
  stageIncoming,
  writeIncoming,
} from "./snapshot_file.ts";
import { messageOf } from "../../base/codec/error_text.ts";

function answer(paths: SnapshotPaths, request: SnapshotRequest): unknown {
  switch (request.k) {
    case "copy":
      return copyDatabase(paths);
    case "drop":
      return dropCopy(paths);
    case "read":
      return readCopy(paths, request.offset, request.length);
    case "begin":
      return beginIncoming(paths, request.part);
    case "write":
      return writeIncoming(paths, request.id, request);
    case "stage":
      return stageIncoming(paths, request.part);
    case "awake":
      return;
    case "view":
      return openView(paths);
    case "hash":
      return hashView(paths.database);
  }
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
  // One after the other: a piece must not be written while another one is.
  let turn: Promise<unknown> = Promise.resolve();
  replica.onmessage = ({ data: { ref, request } }: MessageEvent<ToSnapshot>) => {
    turn = turn.then(() => {
      let reply: FromSnapshot;
      try {
        reply = { ref, result: answer(paths, request) };
      } catch (error) {
        const isDamage = error instanceof DamagedDatabaseError;
        reply = { ref, error: messageOf(error), isDamage };
      }
      const buffer = reply.result instanceof Uint8Array ? reply.result.buffer : undefined;
      replica.postMessage(reply, buffer instanceof ArrayBuffer ? [buffer] : []); // handed over, not copied
    });
  };
};
