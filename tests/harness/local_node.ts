/**
 * A server's services over a database of its own, all in this thread: writes are applied at once, as if a log had them, and
 * the replica and the pool answer calls as a test says. Handlers of both APIs run over it without a socket, a Worker or
 * another node.
 * @module
 */
import { AnswerBudget } from "../../src/base/shared/answer_budget.ts";
import { unpack } from "../../src/base/codec/packed.ts";
import { Callee, type Methods, type ToCallee } from "../../src/base/worker/channel.ts";
import type { HttpRequest } from "../../src/api/http/request.ts";
import type { HttpResponse } from "../../src/api/http/problem.ts";
import { route } from "../../src/api/server/router.ts";
import type { Services } from "../../src/api/server/services.ts";
import type { Member } from "../../src/core/raft/message.ts";
import { MAX_STEPS_DEFAULT, stampCommand } from "../../src/core/sql/command.ts";
import { packOutcomes, packReadResults, transferOf, unpackReads } from "../../src/core/sql/exchange.ts";
import { renderFlags } from "../../src/core/sql/render_options.ts";
import { Control } from "../../src/drivers/libsqlite/control.ts";
import { bundledLibrary } from "../../src/drivers/libsqlite/library.ts";
import type { MembershipMethods } from "../../src/drivers/membership/api.ts";
import type {
  Forward,
  Forwarded,
  FromHttp,
  LeaderInfo,
  Proposals,
  Refused,
  ReplicaMethods,
  ToHttp,
} from "../../src/drivers/replica/api.ts";
import type { CatalogChanged, FromReader, Outcomes, ToReader } from "../../src/drivers/sqlite/api.ts";
import type { OpenBackups } from "../../src/drivers/backup/api.ts";
import { openReader, type Reader } from "../../src/drivers/sqlite/reader.ts";
import { openStateMachine, type StateMachine } from "../../src/drivers/sqlite/state_machine.ts";
import { type FakeOptions, type FakeServices, fakeServices } from "./services.ts";

/** This node as the leader. */
export const SELF: LeaderInfo = { id: "1", addr: "h:2", apiUrl: "http://h:1" };
/** Another node as the leader. */
export const OTHER: LeaderInfo = { id: "2", addr: "o:2", apiUrl: "http://o:1" };

const VOTERS: readonly Member[] = [
  { id: "1", storageId: "d1", addr: "h:2", role: "voter" },
  { id: "2", storageId: "d2", addr: "o:2", role: "voter" },
];

/** An answer with its body as text. */
export type Answered = Omit<HttpResponse, "body"> & { readonly text: string };

/** Methods that a test sets. */
type Answers<M> = { -readonly [K in keyof M]?: M[K] };

const unasked = (what: string) => () => Promise.reject(new Error(`${what} is not answered in this test`));

/** A node without a log. */
export class LocalNode implements AsyncDisposable {
  readonly services: Services;
  /** What the replica answers; further methods are a test's. */
  readonly replica: Answers<Methods<ReplicaMethods>> = {
    confirm: () => ({ byLease: false }),
    caughtUp: () => ({}),
    leaderReachable: () => ({}),
  };
  /** What the pool answers. */
  readonly pool: Answers<Methods<MembershipMethods>> = {};
  /** Each write is refused so, while there is something. */
  refusal: Refused["code"] | undefined;
  readonly #fake: FakeServices;
  readonly #machine: StateMachine;
  readonly #reader: Reader;
  readonly #readerLine = new MessageChannel();
  readonly #directory = Deno.makeTempDirSync({ prefix: "muster-local-" });
  #backups: Worker | undefined;

  constructor(options: FakeOptions = {}) {
    const path = `${this.#directory}/db.sqlite`;
    const library = { path: bundledLibrary(), extensions: [] };
    this.#fake = fakeServices({
      wakeBackups: (backups) => {
        const { port1, port2 } = new MessageChannel();
        this.#backups = new Worker(new URL("../../src/drivers/backup/worker.ts", import.meta.url), { type: "module" });
        const open: OpenBackups = { path, library, port: port1 };
        this.#backups.postMessage(open, [port1]);
        backups.connect(port2);
      },
      ...options,
    });
    this.services = this.#fake.services;
    this.services.replica.onCatalogChanged = () => this.services.catalog.changed();
    const { replica, writer, pool } = this.#fake.ends;
    const { answers } = this.services;
    this.#machine = openStateMachine(path, {
      foreignKeys: false,
      library,
      answers,
      deliver: (_port, outcomes) => {
        const message: Outcomes = { k: "outcomes", outcomes: packOutcomes(outcomes) };
        writer.postMessage(message, transferOf(message.outcomes));
      },
      onApplied: () => this.#noteApplied(),
      onCatalogChanged: () => {
        const message: CatalogChanged = { k: "catalogChanged" };
        writer.postMessage(message);
      },
    });
    const control = new Control();
    const tempBytesMax = 1024 * 1024;
    this.#reader = openReader(path, {
      foreignKeys: false,
      library,
      control,
      answers: new AnswerBudget(),
      tempBytesMax,
    });
    this.#serveReads();
    this.services.readers.add({ port: this.#readerLine.port1, ticket: control.ticketPlace });
    this.#serveReplica(replica);
    this.#servePool(pool);
    this.lead(SELF);
    this.tell({ k: "members", members: VOTERS });
  }

  /** Has somebody else lead, or nobody. */
  lead(leader: LeaderInfo | null): void {
    const { state } = this.services;
    const isOwn = leader?.id === SELF.id;
    state.role = isOwn ? "leader" : "follower";
    state.leaderKnown = leader !== null;
    state.ready = leader !== null;
    state.confirmedMs = isOwn ? Date.now() + 3_600_000 : 0;
    this.tell({ k: "leader", leader });
    this.services.replica.leader = leader; // before the message arrives
  }

  /** Sends to HTTP as the replica. */
  tell(message: ToHttp): void {
    this.#fake.ends.replica.postMessage(message);
    if (message.k === "members") this.services.replica.members = message.members;
  }

  /** Sends an event as the pool. */
  tellPool(message: unknown): void {
    this.#fake.ends.pool.postMessage(message);
  }

  #noteApplied(): void {
    const { state } = this.services;
    state.commit = state.applied = this.#machine.applied;
    state.appliedTerm = state.term = 1;
  }

  #serveReads(): void {
    const { port2 } = this.#readerLine;
    port2.onmessage = ({ data }: MessageEvent<ToReader>) => {
      if (data.k !== "read") return;
      const results = packReadResults(this.#reader.readAll(unpackReads(data.requests)));
      const message: FromReader = { k: "results", results };
      port2.postMessage(message, transferOf(results));
    };
  }

  #serveReplica(port: MessagePort): void {
    const callee = new Callee<ReplicaMethods>(port, answering(this.replica, "the replica's"), coded);
    port.onmessage = ({ data }: MessageEvent<FromHttp>) => {
      if (data.k === "propose") this.#write(data);
      else if (data.k !== "answer") callee.take(data);
    };
  }

  #servePool(port: MessagePort): void {
    const callee = new Callee<MembershipMethods>(port, answering(this.pool, "the pool's"));
    port.onmessage = ({ data }: MessageEvent<ToCallee<MembershipMethods>>) => callee.take(data);
  }

  #write({ refs, render, bodies }: Proposals): void {
    const { refusal: code } = this;
    if (code) {
      return this.tell({ k: "refused", items: refs.map((ref) => ({ ref, code, message: `refused: ${code}` })) });
    }
    this.#machine.apply(
      unpack(bodies).map((packed, at) => {
        const body = packed.slice();
        stampCommand(body, { timeMs: Date.now(), seed: { hi: 1, lo: refs[at] }, maxSteps: MAX_STEPS_DEFAULT });
        const waiter = { port: 0, ref: refs[at], options: renderFlags(render[at]) };
        return { index: this.#machine.applied + 1 + at, term: 1, kind: "command", body, waiter };
      }),
    );
  }

  /** Does what another node asks of this one, as if it had come over the port between nodes. */
  async serve({ call }: Pick<Forward, "call">): Promise<Forwarded> {
    const { answer, held } = await this.services.operations.serve(call, new Promise(() => {}));
    held?.release();
    return { answer, from: SELF.addr };
  }

  /** Sends a request; the body of the answer as text. */
  async send(method: string, target: string, body: unknown = "", rest: Partial<HttpRequest> = {}): Promise<Answered> {
    const { body: found, ...head } = await this.ask(method, target, body, rest);
    return { ...head, text: await textOf(found, head) };
  }

  /** Sends a request. */
  async ask(
    method: string,
    target: string,
    body: unknown = "",
    rest: Partial<HttpRequest> = {},
  ): Promise<HttpResponse> {
    const bytes = body instanceof Uint8Array
      ? body
      : new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body));
    return await route({
      method,
      target,
      contentType: "application/json",
      authorization: "",
      address: "10.0.0.1",
      body: bytes,
      startedMs: performance.now(),
      whenOver: () => new Promise(() => {}),
      ...rest,
    }, this.services);
  }

  /** JSON of an answer that is to be 200. */
  // deno-lint-ignore no-explicit-any
  async json(method: string, target: string, body: unknown = ""): Promise<any> {
    const { status, text } = await this.send(method, target, body);
    if (status !== 200) throw new Error(`${method} ${target}: ${status} ${text}`);
    return JSON.parse(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.services.queue.close(1000);
    this.services.readers.close();
    this.#fake.close();
    this.#readerLine.port1.close();
    this.#readerLine.port2.close();
    this.#backups?.terminate();
    this.#reader.close();
    this.#machine.close();
    Deno.removeSync(this.#directory, { recursive: true });
  }
}

/** The answer of another node to an operation: its result, or how it failed. */
export function answerOf(result: unknown, body = "", failure?: Record<string, unknown>): Forwarded {
  const head = { servedBy: "o:1", ...(failure ? { failure } : { result }) };
  return { answer: { head, body: new TextEncoder().encode(body) }, from: OTHER.addr };
}

/** A failure of the replica, with the code that it travels with. */
export class CodedError extends Error {
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

function coded(error: unknown): { error: string; code?: string } {
  if (error instanceof CodedError) return { error: error.message, code: error.code };
  return { error: error instanceof Error ? error.message : String(error) };
}

/** Methods that are looked up when they are called: a test sets them as it goes. */
function answering<M extends object>(methods: M, whose: string): Required<M> {
  return new Proxy(methods, {
    get: (target, name) => Reflect.get(target, name) ?? unasked(`${whose} ${String(name)}`),
  }) as Required<M>;
}

async function textOf(body: string | Uint8Array, { stream, held }: Omit<HttpResponse, "body">): Promise<string> {
  const decoder = new TextDecoder();
  if (held) {
    const text = decoder.decode(held.whole());
    held.release();
    return text;
  }
  if (!stream) return typeof body === "string" ? body : decoder.decode(body);
  let text = "";
  for await (const piece of stream.pieces(new Promise(() => {}))) {
    text += typeof piece === "string" ? piece : decoder.decode(piece, { stream: true });
  }
  return text;
}
