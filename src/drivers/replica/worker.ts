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
import { isNoSpace } from "../log/disk.ts";
import { delay } from "@std/async/delay";
import { NodeState } from "../../base/shared/node_state.ts";
import { logger } from "../../base/worker/log.ts";
import { answerPulse } from "../../base/worker/pulse.ts";
import { collectAtRest } from "../../base/worker/heap_at_rest.ts";
import { workerScope } from "../../base/worker/worker_scope.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import type { NodeTls } from "../../base/net/conn.ts";

const scope = workerScope<ToReplica, FromReplica>();
answerPulse();
collectAtRest();

/** Exit code for damage that an operator has to look at: systemd must not restart the node into it. */
const EXIT_DAMAGED = 3;

/** Pause between two looks whether a full disk has room for the log. */
const ROOM_LOOK_MS = 1000;

const ADOPT: ToWriter = { k: "adopt" };

type WriterReady = Extract<FromWriter, { k: "ready" }>;

let node: ReplicaNode | undefined;
let fail: (error: unknown) => void = () => {};
/** Whether the disk of the database was full when the node was not made yet. */
let isDatabaseFull = false;

function tell(message: FromReplica): void {
  scope.postMessage(message);
}

let hasToldListening = false;

/** Clients may be answered from now on. */
function tellListening(): void {
  if (!hasToldListening) tell({ k: "listening" });
  hasToldListening = true;
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
  const shared = new NodeState(open.state);
  shared.applied = applied; // what reads see while the log is not open yet
  const recovered = await withRoom(open, () => recoverByFile({ options, writer, applied, fatal: fail, log }));
  node = await withRoom(open, () =>
    new ReplicaNode({ ...open, sqlite }, recovered, {
      fatal: fail,
      wantSnapshots: () => tell({ k: "wantSnapshots" }),
      log,
    }));
  shared.isOpen = true;
  node.noteSpace("database", isDatabaseFull ? "full" : "ok");
  await node.listen();
  tellListening();
  await node.boot();
  tell({ k: "clustered" });
  if (tainted !== undefined) await verifyAfterDoubt(node, tainted);
}

/**
 * Opens the log. While its disk is full, clients are answered what can be answered without it: ending would only have the
 * node started again, into the same.
 */
async function withRoom<T>({ state }: ReplicaOpen, work: () => T | Promise<T>): Promise<T> {
  const shared = new NodeState(state);
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Error) || !isNoSpace(error.cause)) throw error;
      if (!shared.full.log) {
        log(`${error.message}; until then this node only answers reads of level none, of what it has`);
      }
      shared.full = { log: true, database: isDatabaseFull };
      tellListening();
      await delay(ROOM_LOOK_MS);
    }
  }
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
      if (ready.k === "space") {
        isDatabaseFull = ready.state === "full";
        const shared = new NodeState(data.state);
        shared.full = { log: shared.full.log, database: isDatabaseFull };
      }
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
