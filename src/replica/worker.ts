/**
 * The replica Worker: Raft, the log, the streams to the other nodes. It may use the network and its own folder.
 * @module
 */
import type { FromReplica, ReplicaOpen, ToReplica } from "./api.ts";
import type { FromWriter, ToWriter } from "../sqlite/api.ts";
import { DivergenceError } from "./divergence.ts";
import { FileDisk } from "./log_files.ts";
import { LogDamageError, readLogBase } from "./log_recovery.ts";
import { ReplicaNode } from "./node.ts";
import { recoverByFile } from "./recovery.ts";
import { logger } from "../rpc/log.ts";
import { workerScope } from "../rpc/worker_scope.ts";

const scope = workerScope<ToReplica, FromReplica>();

/** Exit code for damage that an operator has to look at: systemd must not restart the node into it. */
const EXIT_DAMAGED = 3;

const ADOPT: ToWriter = { k: "adopt" };

let node: ReplicaNode | undefined;

function tell(message: FromReplica): void {
  scope.postMessage(message);
}

function fail(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  tell({ k: "failed", message, exitCode: isDamage(error) ? EXIT_DAMAGED : 1 });
}

function isDamage(error: unknown): boolean {
  return error instanceof LogDamageError || error instanceof DivergenceError;
}

const log = logger("store");

async function run(open: ReplicaOpen, applied: number): Promise<void> {
  const { options, writer } = open;
  const recovered = await recoverByFile({ options, writer, applied, fatal: fail, log });
  node = new ReplicaNode(open, recovered, { fatal: fail, wantSnapshots: () => tell({ k: "wantSnapshots" }), log });
  tell({ k: "listening" });
  await node.boot();
  tell({ k: "clustered" });
}

scope.onmessage = ({ data }) => {
  if (data.k === "open") {
    data.writer.onmessage = ({ data: ready }: MessageEvent<FromWriter>) => {
      if (ready.k === "failed") return fail(new Error(ready.message));
      if (ready.k !== "ready") return;
      // A crash between the two halves of an installation: the log has the snapshot, the database has not yet (S8).
      const base = readLogBase(new FileDisk(data.options.directory))?.index ?? 0;
      if (base > ready.applied && ready.staged === base) return data.writer.postMessage(ADOPT);
      run(data, ready.applied).catch(fail);
    };
  } else {
    const stopped = () => tell({ k: "stopped" });
    if (node) node.shutdown().then(stopped, fail);
    else stopped();
  }
};
