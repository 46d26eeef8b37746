/**
 * The replica Worker: Raft, the log, the streams to the other nodes. It may use the network and its own folder.
 * @module
 */
import type { FromReplica, ReplicaOpen, ReplicaOptions, ToReplica } from "./api.ts";
import type { FromWriter, ToWriter } from "../sqlite/api.ts";
import { isDamage, writerFailure } from "./damage.ts";
import { FileDisk } from "../log/files.ts";
import { readLogBase } from "../log/recovery.ts";
import { waysBack } from "../cluster/member_file.ts";
import { ReplicaNode } from "./node.ts";
import { recoverByFile } from "../cluster/recovery.ts";
import { logger } from "../../base/worker/log.ts";
import { workerScope } from "../../base/worker/worker_scope.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import type { NodeTls } from "../../base/net/conn.ts";

const scope = workerScope<ToReplica, FromReplica>();

/** Exit code for damage that an operator has to look at: systemd must not restart the node into it. */
const EXIT_DAMAGED = 3;

const ADOPT: ToWriter = { k: "adopt" };

type WriterReady = Extract<FromWriter, { k: "ready" }>;

let node: ReplicaNode | undefined;
let fail: (error: unknown) => void = () => {};

function tell(message: FromReplica): void {
  scope.postMessage(message);
}

function failing({ directory, nodeId, join }: ReplicaOptions): (error: unknown) => void {
  return (error) => {
    const message = messageOf(error);
    if (!isDamage(error)) return tell({ k: "failed", message, exitCode: 1, members: [] });
    tell({ k: "failed", message, exitCode: EXIT_DAMAGED, members: waysBack(directory, nodeId, join) });
  };
}

const log = logger("store");

async function run(open: ReplicaOpen, { applied, tainted, sqlite }: WriterReady): Promise<void> {
  const { options, writer } = open;
  const recovered = await recoverByFile({ options, writer, applied, fatal: fail, log });
  node = new ReplicaNode({ ...open, sqlite }, recovered, {
    fatal: fail,
    wantSnapshots: () => tell({ k: "wantSnapshots" }),
    log,
  });
  await node.listen();
  tell({ k: "listening" });
  await node.boot();
  tell({ k: "clustered" });
  if (tainted !== undefined) await verifyAfterDoubt(node, tainted);
}

/** Takes a new certificate into use. */
function renew(tls: NodeTls): void {
  try {
    node?.renew(tls);
    log("new connections between nodes get the new certificate");
  } catch (error) {
    log(`the new certificate of the cluster port cannot be used, the one before stays: ${messageOf(error)}`);
  }
}

/** A database that was in doubt may hold an old page that looks whole (D14): only the other nodes can tell. */
async function verifyAfterDoubt(node: ReplicaNode, tainted: string): Promise<void> {
  log(`the database was left in doubt (${tainted}), has passed a check and was written anew`);
  try {
    await node.verify();
  } catch (error) {
    log(`its content could not be compared with the other nodes': POST /verify does it (${String(error)})`);
  }
}

scope.onmessage = ({ data }) => {
  if (data.k === "open") {
    fail = failing(data.options);
    data.writer.onmessage = ({ data: ready }: MessageEvent<FromWriter>) => {
      if (ready.k === "failed") return fail(writerFailure(ready));
      if (ready.k !== "ready") return;
      // A crash between the two halves of an installation: the log has the snapshot, the database has not yet (S8).
      const base = readLogBase(new FileDisk(data.options.directory))?.index ?? 0;
      if (base > ready.applied && ready.staged === base) return data.writer.postMessage(ADOPT);
      run(data, ready).catch(fail);
    };
  } else if (data.k === "tls") renew(data.tls);
  else if (data.k === "secret") node?.secret?.renew(data.texts);
  else {
    const stopped = () => tell({ k: "stopped" });
    if (node) node.shutdown(data).then(stopped, fail);
    else stopped();
  }
};
