/**
 * The cluster port: accepts connections, recognizes their protocol by the first bytes, checks the caller, and passes on
 * Raft messages and calls. Unknown callers get an error message and are closed; connections and time are limited.
 * @module
 */
import { type ByteWriter, DecodeError } from "../../base/codec/cursor.ts";
import { type ClientCheck, type Listening, type NodeTls, sameCheck } from "../../base/net/conn.ts";
import { connectionsOf, listenAt } from "../../base/net/tls.ts";
import { type Frame, writeFrame } from "../../base/codec/frame.ts";
import { Connection } from "./connection.ts";
import {
  decodeCancel,
  decodeHello,
  decodeRaftMessage,
  decodeRpc,
  FRAME,
  type Hello,
  HELLO_BYTES_MAX,
  OPERATION,
  PREAMBLE,
  RAFT_FRAME_BYTES_MAX,
  type Rpc,
  writeRpc,
} from "./wire.ts";
import { decodePlacements, decodeProposals, type Placements, type ProposedWrite } from "./proposal_frames.ts";
import { decodeTraces } from "./trace_frames.ts";
import { RemoteError, type RpcAnswer } from "./rpc.ts";
import { challengeCaller } from "./handshake.ts";
import type { ClusterSecret } from "./secret.ts";
import type { Message } from "../../core/raft/message.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** First bytes of a TCP connection that mean gossip: memberlist's types, and the label header. */
const GOSSIP_FIRST_BYTES: readonly number[] = [0, 6, 8, 9, 10, 244];

/** Connections at a time. */
export const CONNECTIONS_MAX = 1024;
/** A connection that has been silent for so long may be closed for a new one, in ms: several heartbeats. */
const SILENCE_MS = 2000;
/** A caller has to say hello within this time. */
export const HELLO_TIMEOUT_MS = 10_000;
/** Calls of nodes that do not replicate: client agents ask for operations (before, for `http`), and who a node is. */
const CLIENT_CALLS: readonly string[] = [OPERATION, "http", "meta"];
/** Marks the answer to an HTTP request that came to the wrong port. */
export const WRONG_PORT_HEADER = "X-Muster-Cluster-Port";

/** Takes what comes beside the messages of Raft. */
export interface RelayHandlers {
  /** Writes of another node, for the leader. */
  onProposals(writes: readonly ProposedWrite[], caller: Hello): void;
  /** The leader's answer to writes of this node. */
  onPlacements(placements: Placements, caller: Hello): void;
  /** A Raft stream of a node has ended. */
  onStreamEnd(caller: Hello): void;
}

/** Handlers of the listener's connections. */
export interface ListenerHandlers {
  /** This node's description of itself. */
  hello(): Hello;
  /** Present where nodes speak TLS. */
  readonly tls?: NodeTls | undefined;
  /** The secret of the cluster; a connection that cannot prove that it knows the secret is refused. */
  readonly secret?: ClusterSecret | undefined;
  /** A text to refuse the caller with, or undefined to welcome it. */
  refuse(caller: Hello): string | undefined;
  onHello(caller: Hello): void;
  /** A connection that speaks gossip, with the bytes that it began with; in a node that gossips. */
  onGossip?(connection: Connection, first: Uint8Array): Promise<void>;
  /** Connections at a time. @default {CONNECTIONS_MAX} */
  readonly connectionsMax?: number;
  onMessages(messages: readonly Message[], caller: Hello): void;
  /** Present where writes are taken to the leader beside the messages of Raft. */
  readonly relay?: RelayHandlers;
  /** Answers a call, unless it is `over` before; a thrown {@linkcode RemoteError} is sent back with its facts. */
  onCall(rpc: Rpc, caller: Hello, over: Promise<void>): Promise<RpcAnswer>;
  log(line: string): void;
}

/** The open cluster port. */
export class Listener {
  readonly #listeners: readonly Listening[];
  #accepted: ClientCheck | undefined;
  readonly #handlers: ListenerHandlers;
  readonly #open = new Set<Connection>();
  /** The calls under way on each connection, and how to say that nobody waits for one. */
  readonly #running = new Map<Connection, Map<number, () => void>>();
  /** The newest Raft stream of each node: an older one is of an earlier life (O8). */
  readonly #streams = new Map<string, Connection>();
  #strangers = 0;

  /**
   * Listens at some addresses, all of which take the same.
   * @throws {Error} Naming the address, when it cannot listen there.
   */
  static async open(addrs: readonly string[], handlers: ListenerHandlers): Promise<Listener> {
    const listeners: Listening[] = [];
    for (const addr of addrs) {
      try {
        listeners.push(await listenAt(addr, handlers.tls?.server, (line) => handlers.log(line)));
      } catch (error) {
        for (const listener of listeners) listener.close();
        throw new Error(`cannot listen on cluster address ${addr}: ${messageOf(error)}`);
      }
    }
    return new Listener(listeners, handlers);
  }

  private constructor(listeners: readonly Listening[], handlers: ListenerHandlers) {
    this.#listeners = listeners;
    this.#handlers = handlers;
    this.#accepted = handlers.tls?.server?.clients;
    for (const listener of listeners) this.#accept(listener);
  }

  /**
   * Has new connections get another certificate.
   * @throws {Error} When it cannot be used: the one before stays.
   */
  renew({ server }: NodeTls): void {
    if (!server) return;
    for (const listener of this.#listeners) listener.renew(server);
    if (sameCheck(server.clients, this.#accepted)) return;
    this.#accepted = server.clients;
    // Whoever was let in by another authority has to show a certificate anew.
    for (const connection of this.#open) connection.close();
  }

  async #accept(listener: Listening): Promise<void> {
    for await (const conn of connectionsOf(listener, (line) => this.#handlers.log(line))) {
      const connection = new Connection(conn, HELLO_BYTES_MAX); // a stranger takes little memory
      const { connectionsMax = CONNECTIONS_MAX } = this.#handlers;
      if (this.#open.size >= connectionsMax && !this.#dismissSilent()) {
        this.#complain(connection, `${connectionsMax} connections are open`);
        connection.close();
        continue;
      }
      this.#open.add(connection);
      this.#serve(connection).catch((error) => {
        this.#complain(connection, messageOf(error));
      }).finally(() => {
        connection.close();
        this.#open.delete(connection);
      });
    }
  }

  /**
   * Closes the connection that has been silent for longest, so that strangers who hold connections keep no node out. One
   * whose caller waits for an answer stays.
   * @returns Whether there was one.
   */
  #dismissSilent(): boolean {
    let longest: Connection | undefined;
    let heardMs = performance.now() - SILENCE_MS;
    for (const connection of this.#open) {
      if (connection.heardMs >= heardMs || this.#running.get(connection)?.size) continue;
      [longest, heardMs] = [connection, connection.heardMs];
    }
    if (!longest) return false;
    this.#open.delete(longest);
    longest.close();
    return true;
  }

  /** One line for the first strangers and then each hundredth, so that rubbish does not fill the log. */
  #complain(connection: Connection, why: string): void {
    this.#strangers++;
    if (this.#strangers <= 10 || this.#strangers % 100 === 0) {
      this.#handlers.log(`closed a cluster connection from ${connection.remote} (${this.#strangers} so far): ${why}`);
    }
  }

  async #serve(connection: Connection): Promise<void> {
    const timer = setTimeout(() => connection.close(), HELLO_TIMEOUT_MS);
    let caller: Hello;
    try {
      const first = await connection.readRaw(PREAMBLE.length).catch(() => undefined);
      if (first === undefined) return; // a port scan or a health check
      if (GOSSIP_FIRST_BYTES.includes(first[0]) && this.#handlers.onGossip) {
        clearTimeout(timer);
        return await this.#handlers.onGossip(connection, first);
      }
      if (first.some((byte, i) => byte !== PREAMBLE[i])) return await answerStranger(connection, first);
      const frame = await connection.read();
      if (frame?.kind !== FRAME.hello) throw new DecodeError("expected a hello");
      caller = decodeHello(frame.payload);
      const why = this.#certificateFault(connection, caller);
      if (why !== undefined) await this.#refuse(connection, caller, why);
      const { secret } = this.#handlers;
      const unproven = secret && await challengeCaller(connection, secret, { caller, hello: frame });
      if (unproven !== undefined) await this.#refuse(connection, caller, unproven);
    } finally {
      clearTimeout(timer);
    }
    const refusal = this.#handlers.refuse(caller);
    if (refusal !== undefined) await this.#refuse(connection, caller, refusal);
    connection.frameBytesMax = RAFT_FRAME_BYTES_MAX;
    this.#handlers.onHello(caller);
    const welcome = new TextEncoder().encode(JSON.stringify({ ...this.#handlers.hello(), purpose: caller.purpose }));
    connection.send((writer) => writeFrame(writer, FRAME.welcome, (p) => p.raw(welcome)));
    if (caller.purpose === "raft") await this.#serveRaft(connection, caller);
    else await this.#serveRpc(connection, caller);
  }

  /** Why a caller is refused for the TLS of its connection, or for having none; undefined when it is not. */
  #certificateFault(connection: Connection, { purpose }: Hello): string | undefined {
    const { refusesPlain = false, serverName } = this.#handlers.tls ?? {};
    if (refusesPlain && !connection.isEncrypted) {
      return "Non-TLS connection attempted with verify_incoming set: give the node a certificate, and set verify_outgoing";
    }
    if (purpose !== "raft" || serverName === undefined || connection.isFor(serverName)) return undefined;
    return `it has shown no certificate for "${serverName}", which a server needs with verify_server_hostname set`;
  }

  /** A certificate that is not that of a server lets a node ask for operations, and nothing else. */
  #mayCall(connection: Connection, method: string): boolean {
    const { serverName } = this.#handlers.tls ?? {};
    return serverName === undefined || CLIENT_CALLS.includes(method) || connection.isFor(serverName);
  }

  /** @throws {Error} Always, when the caller was told. */
  async #refuse(connection: Connection, caller: Hello, why: string): Promise<never> {
    connection.send((writer) => writeFrame(writer, FRAME.refused, (p) => p.raw(new TextEncoder().encode(why))));
    await connection.drained();
    throw new Error(`refused node "${caller.id}": ${why}`);
  }

  async #serveRaft(connection: Connection, caller: Hello): Promise<void> {
    this.#streams.get(caller.id)?.close();
    this.#streams.set(caller.id, connection);
    this.#handlers.relay?.onStreamEnd(caller); // what came before it on another one, or was dropped for want of one, is over
    let traces: Map<number, string> | undefined;
    try {
      for (let frame: Frame | undefined; (frame = await connection.read()) !== undefined;) {
        const messages: Message[] = [];
        for (let next: Frame | undefined = frame; next !== undefined; next = connection.readNow()) {
          if (next.kind === FRAME.traces) traces = decodeTraces(next.payload);
          else if (next.kind === FRAME.proposals) {
            this.#handlers.relay?.onProposals(traced(decodeProposals(next.payload), traces), caller);
            traces = undefined;
          } else if (next.kind === FRAME.placed) {
            this.#handlers.relay?.onPlacements(decodePlacements(next.payload), caller);
          }
          const message = decodeRaftMessage(next.kind, next.payload, caller.promiseMs);
          if (message && message.from === caller.id) messages.push(message);
        }
        if (connection.closed) return;
        if (messages.length > 0) this.#handlers.onMessages(messages, caller);
      }
    } finally {
      if (this.#streams.get(caller.id) === connection) this.#streams.delete(caller.id);
      this.#handlers.relay?.onStreamEnd(caller);
    }
  }

  async #serveRpc(connection: Connection, caller: Hello): Promise<void> {
    const running = new Map<number, () => void>();
    this.#running.set(connection, running);
    let traces: Map<number, string> | undefined;
    try {
      for (let frame: Frame | undefined; (frame = await connection.read()) !== undefined;) {
        if (frame.kind === FRAME.traces) traces = decodeTraces(frame.payload);
        else if (frame.kind === FRAME.call) {
          const rpc = decodeRpc(frame.payload);
          const trace = traces?.get(rpc.id);
          traces = undefined;
          this.#answer(connection, caller, { rpc: trace === undefined ? rpc : { ...rpc, trace }, running });
        } else if (frame.kind === FRAME.cancel) running.get(decodeCancel(frame.payload))?.();
      }
    } finally {
      this.#running.delete(connection);
      for (const end of running.values()) end();
    }
  }

  /** Answers one call; `running` has for each how to say that nobody waits for it. */
  #answer(
    connection: Connection,
    caller: Hello,
    { rpc, running }: { rpc: Rpc; running: Map<number, () => void> },
  ): void {
    const over = Promise.withResolvers<void>();
    running.set(rpc.id, over.resolve);
    // A malformed head is thrown before there is a promise: it ends the call, not the connection.
    const answering = async () => {
      if (this.#mayCall(connection, rpc.method)) return await this.#handlers.onCall(rpc, caller, over.promise);
      throw new RemoteError(`"${rpc.method}" needs the certificate of a server, as verify_server_hostname is set`);
    };
    answering().then(
      ({ onSent, ...answer }) => ({ reply: { id: rpc.id, method: "ok", ...answer }, onSent }),
      (error) => ({
        onSent: undefined,
        reply: {
          id: rpc.id,
          method: "error",
          head: {
            ...(error instanceof RemoteError ? error.head : {}),
            error: messageOf(error),
          },
          body: new Uint8Array(0),
        },
      }),
    ).then(({ reply, onSent }) => {
      running.delete(rpc.id);
      return send(connection, reply, onSent);
    });
  }

  /** Stops listening and closes everything. */
  close(): void {
    for (const listener of this.#listeners) listener.close();
    for (const connection of this.#open) connection.close();
  }
}

/** Writes with the traces that came before them. */
function traced(
  writes: readonly ProposedWrite[],
  traces: ReadonlyMap<number, string> | undefined,
): readonly ProposedWrite[] {
  return traces === undefined ? writes : writes.map((write) => ({ ...write, trace: traces.get(write.ref) }));
}

/** Sends an answer; long ones one after the other. */
async function send(connection: Connection, reply: Rpc, onSent: (() => void) | undefined): Promise<void> {
  const write = (writer: ByteWriter) => writeRpc(writer, FRAME.reply, reply);
  if (!onSent) return void connection.send(write);
  await connection.sendLong(write);
  onSent();
}

/** Tells an HTTP client that this is the wrong port; others are closed without a word. */
async function answerStranger(connection: Connection, first: Uint8Array): Promise<void> {
  const word = new TextDecoder().decode(first);
  if (!/^(GET |POST|PUT |HEAD|DELE|OPTI|PATC)/.test(word)) throw new DecodeError("it is not a muster node");
  const text =
    "This is muster's cluster port, for traffic between nodes. The HTTP API is on the address given by -http-addr.\n";
  connection.sendRaw(new TextEncoder().encode(
    `HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n${WRONG_PORT_HEADER}: true\r\nConnection: close\r\n` +
      `Content-Length: ${text.length}\r\n\r\n${text}`,
  ));
  await connection.drained();
}
