/**
 * Calls between nodes over the cluster port. A call ends in one of three ways, told apart by error class: answered;
 * definitely not received ({@linkcode NotSentError}); or sent without an answer ({@linkcode UnansweredError}), when
 * nobody may say that it failed, nor send it again (X2).
 * @module
 */
import { Connection } from "./connection.ts";
import {
  decodeHello,
  decodeRpc,
  FRAME,
  type Hello,
  HELLO_BYTES_MAX,
  OPERATION,
  PREAMBLE,
  type Rpc,
  writeCancel,
  writeRpc,
} from "./wire.ts";
import { writeFrame } from "../../base/codec/frame.ts";
import { type ByteWriter, DecodeError } from "../../base/codec/cursor.ts";
import { writeTraces } from "./trace_frames.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { answerChallenge, offerOf } from "./handshake.ts";
import { type ClusterSecret, SecretError } from "./secret.ts";
import type { TlsTrust } from "../../base/net/conn.ts";

/** The call was never sent: it is safe to try elsewhere. */
export class NotSentError extends Error {
  /** Always `NotSentError`. */
  override readonly name = "NotSentError";
  /** Whether something took the connection, although it did not answer as a node does. */
  readonly reached: boolean;

  constructor(message: string, { reached = false } = {}) {
    super(message);
    this.reached = reached;
  }
}

/** The call was sent and not answered: its outcome is unknown. */
export class UnansweredError extends Error {
  /** Always `UnansweredError`. */
  override readonly name = "UnansweredError";
}

/** The call was sent, and given up before its answer because nobody waited for it any more. */
export class CanceledError extends Error {
  /** Always `CanceledError`. */
  override readonly name = "CanceledError";
}

/** The other node answered with a refusal. */
export class RemoteError extends Error {
  /** Always `RemoteError`. */
  override readonly name = "RemoteError";
  /** Further facts of the refusal. */
  readonly head: Record<string, unknown>;

  constructor(message: string, head: Record<string, unknown> = {}) {
    super(message);
    this.head = head;
  }
}

/**
 * The error for whoever asked a node that does not know operations: nothing was done, and it is to be upgraded. Any other is
 * as it was.
 */
export function outdated(error: unknown, addr: string): unknown {
  if (!(error instanceof RemoteError) || !error.message.startsWith(`unknown call "${OPERATION}"`)) return error;
  return new NotSentError(`the node at ${addr} is of an earlier version, which does not take this: upgrade it`);
}

/** An answer. */
export interface RpcAnswer {
  readonly head: Readonly<Record<string, unknown>>;
  readonly body: Uint8Array;
  /** Called, if given, when the answer has been sent or the connection is closed. */
  readonly onSent?: () => void;
}

/** Limits of a call. */
export interface CallOptions {
  /** For connecting, and again for the answer. */
  readonly timeoutMs: number;
  readonly body?: Uint8Array;
  /** Nobody waits for the answer any more: the other node hears of it and may stop. */
  readonly over?: Promise<void>;
  /** The trace that the call belongs to; a node of an earlier version does not see it. */
  readonly trace?: string | undefined;
}

/** Calls that one connection carries at a time. */
export const CALLS_MAX = 16_384;

const EMPTY = new Uint8Array(0);

interface Channel {
  readonly connection: Connection;
  readonly calls: Map<number, { resolve(answer: RpcAnswer): void; reject(error: Error): void }>;
}

/** How a stream is opened. */
export interface StreamOptions {
  readonly timeoutMs: number;
  readonly frameBytesMax: number;
  /** The secret of the cluster. */
  readonly secret?: ClusterSecret | undefined;
  /** Present where nodes speak TLS. */
  readonly trust?: TlsTrust | undefined;
}

/** Opens a stream as `hello` says and waits for the other node's welcome. */
export async function openStream(
  addr: string,
  hello: Hello,
  { timeoutMs, frameBytesMax, secret, trust }: StreamOptions,
): Promise<{ connection: Connection; peer: Hello }> {
  const connection = await Connection.dial(addr, {
    timeoutMs,
    frameBytesMax: Math.max(frameBytesMax, HELLO_BYTES_MAX),
    trust,
  });
  const timer = setTimeout(() => connection.close(), timeoutMs);
  try {
    connection.sendRaw(PREAMBLE);
    const offer = secret && await offerOf(secret);
    const said = new TextEncoder().encode(JSON.stringify({ ...hello, ...offer }));
    connection.send((writer) => writeFrame(writer, FRAME.hello, (p) => p.raw(said)));
    let frame = await connection.read();
    if (offer && frame?.kind === FRAME.challenge) {
      await answerChallenge(connection, secret, { challenge: frame, said: { callers: offer.number, hello: said } });
      frame = await connection.read();
    } else if (secret?.isOptional === false && frame?.kind === FRAME.welcome) {
      throw new SecretError(`${addr} does not ask for the cluster secret: start it with the same one`);
    }
    if (frame === undefined) {
      const hint = trust ? "does it accept this node's certificate?" : "is it a muster cluster address?";
      throw new DecodeError(`${addr} closed the connection instead of answering: ${hint}`);
    }
    if (frame.kind === FRAME.refused) throw new RemoteError(new TextDecoder().decode(frame.payload));
    if (frame.kind !== FRAME.welcome) throw new DecodeError(`${addr} did not answer as a muster node`);
    return { connection, peer: decodeHello(frame.payload) };
  } catch (error) {
    connection.close();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Limits of a client, and what it shares with those it calls. */
export interface RpcClientOptions {
  readonly frameBytesMax: number;
  readonly connectTimeoutMs: number;
  readonly secret?: ClusterSecret | undefined;
  /** Asked at each connection; undefined where nodes do not speak TLS. */
  trust?(): TlsTrust | undefined;
}

/** How a client differs from the one that it is derived from. */
export interface Derivation {
  /** What it says of this node, given what the other one says. */
  hello(own: Hello): Hello;
  /** What it expects of certificates, given what the other one does. */
  trust(own: TlsTrust | undefined): TlsTrust | undefined;
  /** Longest wait for a connection; that of the other one if it is shorter. */
  readonly connectTimeoutMs: number;
}

/** Calls other nodes; keeps one connection per address. */
export class RpcClient {
  readonly #hello: () => Hello;
  readonly #frameBytesMax: number;
  readonly #connectTimeoutMs: number;
  readonly #secret: ClusterSecret | undefined;
  readonly #trust: (() => TlsTrust | undefined) | undefined;
  readonly #channels = new Map<string, Promise<Channel>>();
  readonly #derived: RpcClient[] = [];
  #nextId = 1;

  /** @param hello What this node says of itself, asked at each connection. */
  constructor(
    hello: () => Hello,
    { frameBytesMax, connectTimeoutMs, secret, trust }: RpcClientOptions,
  ) {
    this.#secret = secret;
    this.#trust = trust;
    this.#hello = hello;
    this.#frameBytesMax = frameBytesMax;
    this.#connectTimeoutMs = connectTimeoutMs;
  }

  /**
   * Calls `method` at `addr`.
   * @throws {NotSentError} When no connection could be made.
   * @throws {UnansweredError} When the connection broke or the time ran out after sending.
   * @throws {CanceledError} When nobody waits any more.
   * @throws {RemoteError} When the other node refused.
   */
  async call(addr: string, method: string, head: RpcAnswer["head"], options: CallOptions): Promise<RpcAnswer> {
    const channel = await this.#channel(addr, options.timeoutMs);
    const id = this.#nextId++;
    if (channel.calls.size >= CALLS_MAX) {
      throw new NotSentError(`Cannot call ${addr}: ${CALLS_MAX} calls are waiting for it`);
    }
    return await new Promise<RpcAnswer>((resolve, reject) => {
      const timer = setTimeout(() => {
        channel.calls.delete(id);
        reject(new UnansweredError(`no answer from ${addr} within ${options.timeoutMs} ms`));
      }, options.timeoutMs);
      channel.calls.set(id, {
        resolve: (answer) => (clearTimeout(timer), resolve(answer)),
        reject: (error) => (clearTimeout(timer), reject(error)),
      });
      const rpc: Rpc = { id, method, head, body: options.body ?? EMPTY };
      const { trace } = options;
      const write = (writer: ByteWriter) => {
        if (trace !== undefined) writeTraces(writer, [{ ref: id, trace }]);
        writeRpc(writer, FRAME.call, rpc);
      };
      if (!channel.connection.send(write)) {
        clearTimeout(timer);
        channel.calls.delete(id);
        reject(new NotSentError(`Cannot call ${addr}: it does not take what is sent to it`));
      }
      options.over?.then(() => {
        const call = channel.calls.get(id);
        if (!call) return;
        channel.calls.delete(id);
        call.reject(new CanceledError(`nobody waits for the answer of ${addr} any more`));
        channel.connection.send((writer) => writeCancel(writer, id));
      });
    });
  }

  async #channel(addr: string, timeoutMs: number): Promise<Channel> {
    const known = this.#channels.get(addr);
    if (known) {
      const channel = await known.catch(() => undefined);
      if (channel && !channel.connection.closed) return channel;
    }
    let made = this.#channels.get(addr);
    if (!made || made === known) {
      made = this.#dial(addr, Math.min(timeoutMs, this.#connectTimeoutMs));
      this.#channels.set(addr, made);
    }
    try {
      return await made;
    } catch (error) {
      if (this.#channels.get(addr) === made) this.#channels.delete(addr);
      if (error instanceof RemoteError) throw error;
      throw new NotSentError(`Cannot reach ${addr}: ${messageOf(error)}`, {
        reached: error instanceof DecodeError,
      });
    }
  }

  async #dial(addr: string, timeoutMs: number): Promise<Channel> {
    const { connection } = await openStream(addr, this.#hello(), {
      timeoutMs,
      frameBytesMax: this.#frameBytesMax,
      secret: this.#secret,
      trust: this.#trust?.(),
    });
    const channel: Channel = { connection, calls: new Map() };
    this.#read(addr, channel);
    return channel;
  }

  async #read(addr: string, channel: Channel): Promise<void> {
    let why = "the connection was closed";
    try {
      for (;;) {
        const frame = await channel.connection.read();
        if (frame === undefined) break;
        if (frame.kind !== FRAME.reply) continue;
        const reply = decodeRpc(frame.payload);
        const call = channel.calls.get(reply.id);
        channel.calls.delete(reply.id);
        if (reply.method === "ok") call?.resolve({ head: reply.head, body: reply.body });
        else call?.reject(new RemoteError(String(reply.head.error ?? "refused"), reply.head));
      }
    } catch (error) {
      why = messageOf(error);
    }
    channel.connection.close();
    for (const call of channel.calls.values()) call.reject(new UnansweredError(`no answer from ${addr}: ${why}`));
    channel.calls.clear();
  }

  /** A client that calls as another would, with connections of its own; it ends with this one. */
  derived({ hello, trust, connectTimeoutMs }: Derivation): RpcClient {
    const client = new RpcClient(() => hello(this.#hello()), {
      frameBytesMax: this.#frameBytesMax,
      connectTimeoutMs: Math.min(connectTimeoutMs, this.#connectTimeoutMs),
      secret: this.#secret,
      trust: () => trust(this.#trust?.()),
    });
    this.#derived.push(client);
    return client;
  }

  /** Whether anything has come from `addr` since `sinceMs`, by `performance.now()`. */
  async hasHeard(addr: string, sinceMs: number): Promise<boolean> {
    const channel = await this.#channels.get(addr)?.catch(() => undefined);
    return channel !== undefined && !channel.connection.closed && channel.connection.heardMs > sinceMs;
  }

  /** Closes the connection to `addr`: calls under way there end unanswered. */
  async hangUp(addr: string): Promise<void> {
    const made = this.#channels.get(addr);
    this.#channels.delete(addr);
    const channel = await made?.catch(() => undefined);
    channel?.connection.close();
  }

  /** Closes all connections. */
  close(): void {
    for (const channel of this.#channels.values()) channel.then((open) => open.connection.close(), () => {});
    this.#channels.clear();
    for (const client of this.#derived) client.close();
  }
}
