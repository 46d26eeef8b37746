/**
 * The snapshot Worker: makes copies of the database, hands them out in pieces, and takes those of other nodes in. It needs
 * `read` and `write` on the folder of the database and nothing else; what takes long here holds up nothing else.
 * @module
 */
import { workerScope } from "../rpc/worker_scope.ts";
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

async function answer(paths: SnapshotPaths, request: SnapshotRequest): Promise<unknown> {
  switch (request.k) {
    case "copy":
      return await copyDatabase(paths);
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
  }
}

workerScope<OpenSnapshot, never>().onmessage = ({ data: { path, replica } }) => {
  const paths = snapshotPaths(path);
  dropCopy(paths); // of an earlier life
  // One after the other: a piece must not be written while another one is.
  let turn: Promise<unknown> = Promise.resolve();
  replica.onmessage = ({ data: { ref, request } }: MessageEvent<ToSnapshot>) => {
    turn = turn.then(async () => {
      let reply: FromSnapshot;
      try {
        reply = { ref, result: await answer(paths, request) };
      } catch (error) {
        reply = { ref, error: error instanceof Error ? error.message : String(error) };
      }
      const buffer = reply.result instanceof Uint8Array ? reply.result.buffer : undefined;
      replica.postMessage(reply, buffer instanceof ArrayBuffer ? [buffer] : []); // handed over, not copied
    });
  };
};
