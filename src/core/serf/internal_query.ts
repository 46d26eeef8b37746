/**
 * Queries of Serf itself (G5.8 to G5.10): names in conflict, and keys. The application never sees them. Pure.
 * @module
 */
import { DecodeError } from "../../base/codec/cursor.ts";
import { encodeKeyText } from "../swim/key_text.ts";
import { KeyringError, sameBytes } from "../swim/keyring.ts";
import type { Alive } from "../swim/message.ts";
import { decode, encodeMessage, NO_BYTES } from "../swim/msgpack.ts";
import { type SwimNode, VSN } from "../swim/node_table.ts";
import { describe } from "../swim/membership_rules.ts";
import type { Queries } from "./query.ts";
import {
  CONFLICT_MEMBER,
  type ConflictMember,
  KEY_REQUEST,
  KEY_RESPONSE,
  type KeyResponse,
  type QueryMessage,
  SERF,
} from "./message.ts";
import type { SerfMember, SerfState, SerfStatus } from "./state.ts";

/** Prefix of the names. */
export const INTERNAL_PREFIX = "_serf_";
const CONFLICT = "_serf_conflict";
const STATUS_NUMBERS: Readonly<Record<SerfStatus, number>> = { alive: 1, leaving: 2, left: 3, failed: 4 };

/** Operations on keys. */
export type KeyOperation = "install" | "use" | "remove" | "list";
/** The query of an operation. */
const KEY_QUERIES: Readonly<Record<KeyOperation, string>> = {
  install: "_serf_install-key",
  use: "_serf_use-key",
  remove: "_serf_remove-key",
  list: "_serf_list-keys",
};

/** The members' answers about keys. */
export interface KeyTally {
  readonly members: number;
  responses: number;
  failures: number;
  readonly messages: Map<string, string>;
  readonly keys: Map<string, number>;
  readonly primaryKeys: Map<string, number>;
}

/** Answers the queries of Serf itself, and asks them. */
export class InternalQueries {
  readonly #state: SerfState;
  readonly #queries: () => Queries;
  #isResolving = false;

  constructor(state: SerfState, queries: () => Queries) {
    this.#state = state;
    this.#queries = queries;
  }

  /** Answers one. */
  take(ref: number, { name, payload, sourceNode }: QueryMessage): void {
    if (name === CONFLICT) return this.#answerConflict(ref, payload);
    const operation = (["install", "use", "remove", "list"] as const).find((one) => KEY_QUERIES[one] === name);
    if (operation) this.#answerKeys(ref, operation, payload);
    else if (name !== "_serf_ping") this.#state.net.drop("Unhandled internal query", `${name} from ${sourceNode}`);
  }

  #answerConflict(ref: number, payload: Uint8Array): void {
    const name = new TextDecoder().decode(payload);
    if (name === this.#state.name) return; // its own word does not count
    const member = this.#state.members.get(name);
    const answer = member
      ? encodeMessage(SERF.conflictResponse, CONFLICT_MEMBER, asConflictMember(member))
      : Uint8Array.of(SERF.conflictResponse, 0xc0);
    if (this.#queries().fits(ref, answer)) this.#queries().respond(ref, answer);
  }

  #answerKeys(ref: number, operation: KeyOperation, payload: Uint8Array): void {
    let response: KeyResponse = { result: false, message: "", keys: [], primaryKey: "" };
    try {
      response = this.#applyKeys(operation, payload);
    } catch (error) {
      if (!(error instanceof DecodeError) && !(error instanceof KeyringError)) throw error;
      response = { ...response, message: error.message };
      this.#state.net.log("warn", `Failed to ${operation} key: ${error.message}`);
    }
    let answer = encodeMessage(SERF.keyResponse, KEY_RESPONSE, response);
    const total = response.keys.length;
    for (let keys = response.keys; keys.length > 0 && !this.#queries().fits(ref, answer);) {
      keys = keys.slice(0, -1);
      const message = `truncated key list response, showing first ${keys.length} of ${total} keys`;
      answer = encodeMessage(SERF.keyResponse, KEY_RESPONSE, { ...response, keys, message });
    }
    if (this.#queries().fits(ref, answer)) this.#queries().respond(ref, answer);
  }

  #applyKeys(operation: KeyOperation, payload: Uint8Array): KeyResponse {
    const keyring = this.#state.cipher?.keyring;
    if (!keyring) throw new KeyringError("No keyring to modify (encryption not enabled)");
    const done = { result: true, message: "", keys: [], primaryKey: "" };
    if (operation === "list") {
      return { ...done, keys: keyring.keys.map(encodeKeyText), primaryKey: encodeKeyText(keyring.primary) };
    }
    if (payload[0] !== SERF.keyRequest) throw new DecodeError("not a key request");
    const { key } = decode(KEY_REQUEST, payload, 1);
    keyring[operation](key);
    const why = this.#state.options.keepKeys?.(keyring);
    this.#state.tell({ type: "keyring" });
    // The change holds while the node runs; who asked must know that it is not there after a restart.
    if (why !== undefined) throw new KeyringError(why);
    return done;
  }

  /** Carries out an operation on the keys of all members. */
  keys(
    operation: KeyOperation,
    { key = NO_BYTES, relayFactor, onDone }: { key?: Uint8Array; relayFactor: number; onDone(tally: KeyTally): void },
  ): void {
    const tally: KeyTally = {
      members: this.#state.count("alive"),
      responses: 0,
      failures: 0,
      messages: new Map(),
      keys: new Map(),
      primaryKeys: new Map(),
    };
    let isOver = false;
    const finish = () => {
      if (isOver) return;
      isOver = true;
      onDone(tally);
    };
    const payload = encodeMessage(SERF.keyRequest, KEY_REQUEST, { key });
    const params = { nodes: [], tags: new Map<string, string>(), wantAck: false, relayFactor, timeoutMs: undefined };
    this.#queries().start({ name: KEY_QUERIES[operation], payload, ...params }, {
      onAck() {},
      onResponse(from, answer) {
        count(tally, from, answer);
        if (tally.responses >= tally.members) finish();
      },
      onDone: finish,
    });
  }

  /** A live node's name is claimed from another address. */
  onConflict(existing: SwimNode, other: Alive): void {
    const { net, name, options } = this.#state;
    const isOwn = other.node === name;
    const claimed = describe({ ...existing, addr: other.addr, port: other.port });
    net.drop(`Conflicting address for ${isOwn ? "this node" : "a node"}`, `${describe(existing)} and ${claimed}`);
    if (isOwn && options.resolveConflicts && this.#state.status === "alive") this.#resolve();
  }

  /** Asks everybody who has this node's name (G5.9). */
  #resolve(): void {
    if (this.#isResolving) return;
    this.#isResolving = true;
    const { addr, port } = this.#state.options.swim;
    let responses = 0;
    let matching = 0;
    const payload = new TextEncoder().encode(this.#state.name);
    const params = { nodes: [], tags: new Map<string, string>(), wantAck: false, relayFactor: 0, timeoutMs: undefined };
    this.#queries().start({ name: CONFLICT, payload, ...params }, {
      onAck() {},
      onResponse(_, answer) {
        const member = readConflictMember(answer);
        if (!member) return;
        responses++;
        if (sameBytes(member.addr, addr) && member.port === port) matching++;
      },
      onDone: () => {
        this.#isResolving = false;
        const majority = Math.floor(responses / 2) + 1;
        const votes = `[${matching} / ${responses}]`;
        if (matching >= majority) return this.#state.net.log("info", `majority in name conflict resolution ${votes}`);
        this.#state.tell({ type: "fatal", reason: `minority in name conflict resolution ${votes}` });
      },
    });
  }
}

function count(tally: KeyTally, from: string, answer: Uint8Array): void {
  tally.responses++;
  const refuse = (message: string) => {
    tally.failures++;
    tally.messages.set(from, message);
  };
  if (answer[0] !== SERF.keyResponse) return refuse("Invalid key query response type");
  try {
    const { result, message, keys, primaryKey } = decode(KEY_RESPONSE, answer, 1);
    if (!result) return refuse(message);
    if (message !== "") tally.messages.set(from, message);
    for (const key of keys) tally.keys.set(key, (tally.keys.get(key) ?? 0) + 1);
    if (primaryKey !== "") tally.primaryKeys.set(primaryKey, (tally.primaryKeys.get(primaryKey) ?? 0) + 1);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    refuse(`Failed to decode key query response: ${error.message}`);
  }
}

function readConflictMember(answer: Uint8Array): ConflictMember | undefined {
  if (answer[0] !== SERF.conflictResponse) return undefined;
  try {
    return decode(CONFLICT_MEMBER, answer, 1);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return undefined;
  }
}

function asConflictMember({ name, addr, port, tags, status, vsn }: SerfMember): ConflictMember {
  return {
    name,
    addr,
    port,
    tags,
    status: STATUS_NUMBERS[status],
    protocolMin: vsn[VSN.protocolMin],
    protocolMax: vsn[VSN.protocolMax],
    protocolCur: vsn[VSN.protocolCur],
    delegateMin: vsn[VSN.delegateMin],
    delegateMax: vsn[VSN.delegateMax],
    delegateCur: vsn[VSN.delegateCur],
  };
}
