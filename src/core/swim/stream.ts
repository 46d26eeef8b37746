/**
 * Streams (G3.1 to G3.3): one request on a connection, at most one answer. Pure.
 *
 *   [f4 len label]  once, from the initiator
 *   0a | length u32 | blob        or   09 | compressed   or   type | body
 *
 * {@linkcode StreamDecoder} takes bytes in whatever pieces they come and says when the message is complete. It keeps no
 * more than the limits allow, and allocates by what has come, not by what a header claims.
 * @module
 */
import { ByteWriter, DecodeError } from "../../base/codec/cursor.ts";
import { CIPHER_OVERHEAD, openBlob, sealBlob } from "./cipher.ts";
import { sameBytes } from "./keyring.ts";
import { DECOMPRESSED_BYTES_MAX } from "./lzw.ts";
import {
  ACK,
  type Ack,
  checkIdentity,
  PING,
  type Ping,
  PUSH_NODE,
  PUSH_PULL_HEADER,
  type PushNode,
  REMOTE_ERROR,
  STATE,
  TYPE,
  USER_HEADER,
} from "./message.ts";
import { encodeMessage, MsgpackReader, TruncatedError } from "./msgpack.ts";
import { compressed, expanded, labelHeader, type Wrapping } from "./packet.ts";

/** Longest blob, user state and user message. */
export const STREAM_BYTES_MAX = 20 * 1024 * 1024;
/** Nodes in a push/pull. */
export const PUSH_NODES_MAX = 1 << 20;
/** Longest map of one node: real ones have some 120 bytes, a large name and tags some 800. */
const MAP_BYTES_MAX = 64 * 1024;
/** Longest message that is not encrypted. */
const BARE_BYTES_MAX = DECOMPRESSED_BYTES_MAX;
const RECORD_HEAD_BYTES = 5;

/** Everything that a node knows. */
export interface PushPull {
  readonly type: "push-pull";
  readonly join: boolean;
  readonly nodes: readonly PushNode[];
  /** Serf's part; empty for none. */
  readonly userState: Uint8Array;
}

/** A message on a stream. */
export type StreamMessage =
  | PushPull
  | { readonly type: "ping"; readonly ping: Ping }
  | { readonly type: "ack"; readonly ack: Ack }
  | { readonly type: "user"; readonly bytes: Uint8Array }
  | { readonly type: "error"; readonly error: string };

/** The first layer could not be read: the other end is told so, by a {@linkcode encodeError} message. */
export class FirstLayerError extends DecodeError {}

/** A push/pull as bytes, to be wrapped. */
export function encodePushPull({ join, nodes, userState }: Omit<PushPull, "type">): Uint8Array {
  const writer = new ByteWriter(256 + 128 * nodes.length + userState.length);
  writer.u8(TYPE.pushPull);
  PUSH_PULL_HEADER.write(writer, { nodes: nodes.length, userStateLen: userState.length, join });
  for (const node of nodes) PUSH_NODE.write(writer, node);
  return writer.raw(userState).copy();
}

/** An error as bytes, to be wrapped. */
export function encodeError(error: string): Uint8Array {
  return encodeMessage(TYPE.error, REMOTE_ERROR, { error });
}

function recordAad(head: Uint8Array, label: Uint8Array): Uint8Array {
  const aad = new Uint8Array(head.length + label.length);
  aad.set(head);
  aad.set(label, head.length);
  return aad;
}

/** Wraps a message for the network; the label stands before a request alone. */
export function sealStream(message: Uint8Array, wrapping: Wrapping, role: "request" | "reply"): Uint8Array {
  const { cipher, compression, label } = wrapping;
  const body = compression ? compressed(message) : message;
  const writer = new ByteWriter(body.length + 512);
  if (role === "request") writer.raw(labelHeader(label));
  if (!cipher) return writer.raw(body).copy();
  const head = new ByteWriter(RECORD_HEAD_BYTES).u8(TYPE.encrypt).u32(body.length + CIPHER_OVERHEAD).copy();
  return writer.raw(head).raw(sealBlob(cipher, body, recordAad(head, label))).copy();
}

/** Bytes of one direction of a stream into its message. */
export class StreamDecoder {
  readonly #wrapping: Wrapping;
  /** Received bytes that are not consumed yet, in a buffer that grows. */
  #bytes = new Uint8Array(0);
  #length = 0;
  #awaitsLabel: boolean;
  #body = new BodyParser();

  /** @param role Whether requests are read, which begin with the label, or replies. */
  constructor(wrapping: Wrapping, role: "request" | "reply") {
    this.#wrapping = wrapping;
    this.#awaitsLabel = role === "request";
  }

  /** Bytes kept. */
  get bufferedBytes(): number {
    return this.#bytes.length;
  }

  /**
   * Takes more bytes.
   * @returns The message, once it is complete.
   * @throws {FirstLayerError} When the outermost layer cannot be read.
   * @throws {DecodeError} When what is in it cannot be.
   */
  push(chunk: Uint8Array): StreamMessage | undefined {
    const needed = this.#length + chunk.length;
    if (needed > BARE_BYTES_MAX) throw new DecodeError(`more than ${BARE_BYTES_MAX} bytes`);
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, Math.min(BARE_BYTES_MAX, 2 * this.#bytes.length), 2048));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length = needed;
    return this.#decode();
  }

  #decode(): StreamMessage | undefined {
    if (this.#awaitsLabel && !this.#dropLabel()) return undefined;
    const bytes = this.#bytes.subarray(0, this.#length);
    if (bytes.length === 0) return undefined;
    const isEncrypted = bytes[0] === TYPE.encrypt;
    if (this.#wrapping.cipher && !isEncrypted) {
      throw new FirstLayerError("Encryption is configured but remote state is not encrypted");
    }
    if (!isEncrypted) return this.#decodeBare(bytes);
    const plaintext = this.#decrypt(bytes);
    return plaintext && parseWhole(plaintext[0] === TYPE.compress ? expandFirst(plaintext) : plaintext);
  }

  /** Checks and drops the label; false where more bytes are needed. */
  #dropLabel(): boolean {
    const { label } = this.#wrapping;
    if (this.#length === 0) return false;
    const head = this.#bytes;
    let headBytes = 0;
    if (head[0] === TYPE.label) {
      if (this.#length < 2) return false;
      headBytes = 2 + head[1];
      if (head[1] === 0) throw new DecodeError("an empty label");
      if (this.#length < headBytes) return false;
    }
    if (!sameBytes(head.subarray(Math.min(2, headBytes), headBytes), label)) {
      throw new DecodeError("discarding stream with unacceptable label");
    }
    this.#bytes.copyWithin(0, headBytes, this.#length);
    this.#length -= headBytes;
    this.#awaitsLabel = false;
    return true;
  }

  #decrypt(bytes: Uint8Array): Uint8Array | undefined {
    const { cipher, label } = this.#wrapping;
    if (!cipher) throw new FirstLayerError("Remote state is encrypted and encryption is not configured");
    if (bytes.length < RECORD_HEAD_BYTES) return undefined;
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
    if (length > STREAM_BYTES_MAX) throw new FirstLayerError(`Remote node state is larger than limit (${length})`);
    if (bytes.length < RECORD_HEAD_BYTES + length) return undefined;
    const blob = bytes.subarray(RECORD_HEAD_BYTES, RECORD_HEAD_BYTES + length);
    try {
      return openBlob(cipher, blob, recordAad(bytes.subarray(0, RECORD_HEAD_BYTES), label));
    } catch (error) {
      throw firstLayer(error);
    }
  }

  #decodeBare(bytes: Uint8Array): StreamMessage | undefined {
    if (bytes[0] !== TYPE.compress) return this.#body.parse(bytes);
    try {
      new MsgpackReader(bytes, 1).skip(); // cheap: complete, or not yet
    } catch (error) {
      if (error instanceof TruncatedError) return undefined;
      throw firstLayer(error);
    }
    return parseWhole(expandFirst(bytes));
  }
}

function firstLayer(error: unknown): unknown {
  return error instanceof DecodeError ? new FirstLayerError(error.message) : error;
}

function expandFirst(bytes: Uint8Array): Uint8Array {
  try {
    return expanded(bytes, 1, DECOMPRESSED_BYTES_MAX);
  } catch (error) {
    throw firstLayer(error);
  }
}

function parseWhole(bytes: Uint8Array): StreamMessage {
  const message = new BodyParser().parse(bytes);
  if (message === undefined) throw new TruncatedError("the message ends too early");
  return message;
}

/** Parses a bare message again and again while it grows; what has been parsed is not looked at again. */
class BodyParser {
  #offset = 1;
  #header: { nodes: number; userStateLen: number; join: boolean } | undefined;
  readonly #nodes: PushNode[] = [];

  parse(bytes: Uint8Array): StreamMessage | undefined {
    if (bytes.length === 0) throw new DecodeError("an empty message");
    try {
      return this.#parse(bytes);
    } catch (error) {
      if (!(error instanceof TruncatedError) || bytes.length - this.#offset > MAP_BYTES_MAX) throw error;
      return undefined;
    }
  }

  #parse(bytes: Uint8Array): StreamMessage | undefined {
    const reader = new MsgpackReader(bytes, this.#offset);
    switch (bytes[0]) {
      case TYPE.ping:
        return { type: "ping", ping: PING.read(reader) };
      case TYPE.ack:
        return { type: "ack", ack: ACK.read(reader) };
      case TYPE.error:
        return { type: "error", error: REMOTE_ERROR.read(reader).error };
      case TYPE.user: {
        const { userMsgLen } = USER_HEADER.read(reader);
        if (userMsgLen > STREAM_BYTES_MAX) throw new DecodeError(`a user message of ${userMsgLen} bytes`);
        if (reader.remaining < userMsgLen) return undefined;
        return { type: "user", bytes: bytes.slice(reader.offset, reader.offset + userMsgLen) };
      }
      case TYPE.pushPull:
        return this.#parsePushPull(bytes, reader);
      default:
        throw new DecodeError(`Received invalid msgType (${bytes[0]})`);
    }
  }

  #parsePushPull(bytes: Uint8Array, reader: MsgpackReader): StreamMessage | undefined {
    this.#header ??= readHeader(reader);
    this.#offset = reader.offset;
    while (this.#nodes.length < this.#header.nodes) {
      const node = PUSH_NODE.read(reader);
      checkIdentity(node.name, node);
      if (node.state > STATE.left) throw new DecodeError(`state ${node.state}`);
      this.#nodes.push(node);
      this.#offset = reader.offset;
    }
    const { userStateLen, join } = this.#header;
    if (reader.remaining < userStateLen) return undefined;
    const userState = bytes.slice(reader.offset, reader.offset + userStateLen);
    return { type: "push-pull", join, nodes: this.#nodes, userState };
  }
}

function readHeader(reader: MsgpackReader): { nodes: number; userStateLen: number; join: boolean } {
  const header = PUSH_PULL_HEADER.read(reader);
  if (header.nodes > PUSH_NODES_MAX) throw new DecodeError(`${header.nodes} nodes`);
  if (header.userStateLen > STREAM_BYTES_MAX) throw new DecodeError(`a user state of ${header.userStateLen} bytes`);
  return header;
}
