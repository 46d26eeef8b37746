/**
 * The stream of Raft messages to one other node. Messages are dropped while there is no connection: Raft repeats what
 * matters. Reconnecting backs off with jitter up to half an election timeout (F8).
 * @module
 */
import type { ByteWriter } from "../../base/codec/cursor.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { retry } from "../../base/worker/backoff.ts";
import type { Connection } from "./connection.ts";
import { openStream } from "./rpc.ts";
import { type Hello, HELLO_BYTES_MAX, writeRaftMessage } from "./wire.ts";
import type { Entry, OutgoingMessage } from "../../core/raft/message.ts";
import type { TlsTrust } from "../../base/net/conn.ts";
import { type ProposedWrite, type RelayFrame, writePlacements, writeProposals } from "./proposal_frames.ts";
import { writeTraces } from "./trace_frames.ts";
import type { ClusterSecret } from "./secret.ts";

/** Callbacks to the owner of a peer stream. */
export interface PeerEvents {
  /** The stream broke: what was in flight may be lost. */
  onDown(): void;
  /** The other end's machine says that nothing listens there: its process is gone. */
  onRefused(): void;
  /** The other node told who it is. */
  onHello(peer: Hello): void;
  /** A line for the operator. */
  log(line: string): void;
}

/** Destination of a stream, and its options. */
export interface PeerOptions {
  readonly id: string;
  /** This node's description of itself, read at each connection. */
  hello(): Hello;
  readonly backoffMsMax: number;
  readonly timeoutMs: number;
  /** The secret of the cluster. */
  readonly secret?: ClusterSecret | undefined;
  /** Asked at each connection; undefined where nodes do not speak TLS. */
  trust?(): TlsTrust | undefined;
}

/** An outgoing stream, kept open. */
export class PeerStream {
  /** Address that it connects to. */
  readonly addr: string;
  readonly #events: PeerEvents;
  #connection: Connection | undefined;
  #storageId = "";
  readonly #stop = new AbortController();

  /** Starts connecting. */
  constructor(
    addr: string,
    options: PeerOptions,
    events: PeerEvents,
  ) {
    this.addr = addr;
    this.#events = events;
    this.#run(options);
  }

  async #run({ id, hello, backoffMsMax, timeoutMs, secret, trust }: PeerOptions): Promise<void> {
    let complaint = "";
    while (!this.#stop.signal.aborted) {
      const connected = await retry(async () => {
        const { connection, peer } = await openStream(this.addr, hello(), {
          timeoutMs,
          frameBytesMax: HELLO_BYTES_MAX,
          secret,
          trust: trust?.(),
        });
        if (peer.id !== id) {
          connection.close();
          throw new Error(`expected node "${id}" there, found "${peer.id}"`);
        }
        return { connection, peer };
      }, {
        signal: this.#stop.signal,
        firstMs: 20,
        mostMs: backoffMsMax,
        onError: (error) => {
          if (error instanceof Deno.errors.ConnectionRefused) this.#events.onRefused();
          if (error.message !== complaint) {
            this.#events.log(`cannot reach node "${id}" at ${this.addr}: ${error.message}`);
          }
          complaint = error.message;
        },
      });
      if (!connected) return;
      complaint = "";
      this.#connection = connected.connection;
      this.#storageId = connected.peer.storageId;
      this.#events.onHello(connected.peer);
      await this.#untilClosed(connected.connection, id);
      this.#connection = undefined;
      if (!this.#stop.signal.aborted) this.#events.onDown();
    }
  }

  /** Nothing arrives on this stream: its end is the only news. */
  async #untilClosed(connection: Connection, id: string): Promise<void> {
    try {
      while (await connection.read() !== undefined);
    } catch (error) {
      this.#events.log(`closed the stream to node "${id}" at ${this.addr}: ${messageOf(error)}`);
    }
    connection.close();
  }

  /** Disk behind the other end, as it said itself; empty while never connected. */
  get storageId(): string {
    return this.#storageId;
  }

  /** Whether messages go out now. */
  get connected(): boolean {
    return this.#connection !== undefined;
  }

  /** Sends a message, or drops it. */
  send(message: OutgoingMessage, entries: readonly Entry[]): void {
    this.#connection?.send((writer) => writeRaftMessage(writer, message, entries));
  }

  /** Sends writes, or the answer to some. @returns false where they were dropped. */
  sendRelayed(frame: RelayFrame): boolean {
    return this.#connection?.send((writer) => {
      if (frame.k === "proposals") writeTraced(writer, frame.writes);
      else writePlacements(writer, frame.placements);
    }) ?? false;
  }

  /** Stops for good. */
  close(): void {
    this.#stop.abort();
    this.#connection?.close();
  }
}

/** Writes for the leader, behind their traces. */
function writeTraced(writer: ByteWriter, writes: readonly ProposedWrite[]): void {
  const traces = writes.flatMap(({ ref, trace }) => trace === undefined ? [] : [{ ref, trace }]);
  if (traces.length > 0) writeTraces(writer, traces);
  writeProposals(writer, writes);
}
