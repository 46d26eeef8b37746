/**
 * The workload of fences: clients that hold a lock and write rows which demand its token, some of them beyond its end, as a
 * program does that was suspended and does not know what it has lost.
 *
 * The end is brought about by the session, which a client ends or whose lock it gives back, and goes on writing; or it comes
 * while the client sleeps, when its node fails.
 * @module
 */
import type { FencedWrite } from "../../tests/harness/history/fences.ts";
import { Random } from "../../tests/harness/random.ts";
import type { Reply } from "./client.ts";
import { LOCK_DELAY_MS } from "./locks.ts";
import type { Tally } from "./tally.ts";
import { type Client, Clients, pause, type WorkloadOptions } from "./workload.ts";

/** The table of fenced writes: its rowids are in the order of the log. */
export const FENCES_SCHEMA = "CREATE TABLE fenced(at INTEGER PRIMARY KEY AUTOINCREMENT, id INTEGER NOT NULL)";
/** Reads the writes. */
export const FENCES_QUERY = "SELECT id FROM fenced ORDER BY at";

const CLIENTS = 4;
const LOCKS = 2;
const WRITES_MAX = 5;
const LATE_MAX = 3;
const ATTEMPTS_MAX = 30;
const ATTEMPT_PAUSE_MS = 100;
const SLEEP_MS_MAX = 100;
const TOKEN_QUERY =
  "SELECT token FROM muster.fences f JOIN muster.kv k ON k.key = f.key WHERE k.key = ? AND k.session = ?";

/** A lock that a client has held. */
interface Hold {
  readonly lock: number;
  readonly session: string;
  readonly token: number;
}

/** Clients of fences. */
export class Fences {
  /** The writes so far. */
  readonly writes: FencedWrite[] = [];
  readonly #tally: Tally;
  readonly #clients: Clients;

  /** @param process First of the processes of the history. */
  constructor({ urls, tally }: WorkloadOptions, { seed, process }: { seed: number; process: number }) {
    this.#tally = tally;
    const clients = Array.from({ length: CLIENTS }, (_, at) => ({
      process: process + at,
      random: new Random(seed, 5000 + at),
    }));
    this.#clients = new Clients(urls, clients, (client) => this.#turn(client));
  }

  async stop(): Promise<void> {
    await this.#clients.stop();
  }

  async #turn(client: Client): Promise<Pick<Reply, "outcome">> {
    const { random, request } = client;
    const wanted = JSON.stringify({ TTL: "10s", LockDelay: `${LOCK_DELAY_MS}ms` });
    const made = await request("PUT", "/v1/session/create", wanted);
    if (made.outcome !== "done") return made;
    const { ID: session }: { ID: string } = JSON.parse(made.text);
    const lock = 1 + random.below(LOCKS);
    const token = await this.#acquire(client, lock, session);
    if (token === undefined) return await request("PUT", `/v1/session/destroy/${session}`);
    const hold = { lock, session, token };
    for (let left = random.below(WRITES_MAX + 1); left > 0; left--) {
      await this.#write(client, hold, { isLate: false });
      await pause(random.below(SLEEP_MS_MAX));
    }
    const ending = random.chance(0.5) ? `/v1/session/destroy/${session}` : `/v1/kv/fences/${lock}?release=${session}`;
    const ended = await request("PUT", ending);
    // What was released may be held again only by another session: whatever the answer "done" says, it is lost.
    if (ended.outcome !== "done") return ended;
    for (let left = random.below(LATE_MAX + 1); left > 0; left--) await this.#write(client, hold, { isLate: true });
    return await request("PUT", `/v1/session/destroy/${session}`);
  }

  /** The token of the lock once it is held; undefined: it was not had, or that is unknown. */
  async #acquire({ request, send }: Client, lock: number, session: string): Promise<number | undefined> {
    const key = `fences/${lock}`;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const reply = await request("PUT", `/v1/kv/${key}?acquire=${session}`);
      if (reply.outcome !== "done") return undefined;
      if (reply.text.trim() === "true") {
        const found = await send("/db/query?level=linearizable", [[TOKEN_QUERY, key, session]]);
        const token = found.outcome === "done" ? found.results[0].values?.[0]?.[0] : undefined;
        return typeof token === "number" ? token : undefined;
      }
      await pause(ATTEMPT_PAUSE_MS);
    }
    return undefined;
  }

  async #write({ process, send }: Client, hold: Hold, { isLate }: { isLate: boolean }): Promise<void> {
    const id = this.writes.length * 1000 + process;
    const place = this.writes.push({ ...hold, id, isLate, outcome: "unknown" }) - 1;
    const sql = "INSERT INTO fenced(id) SELECT ? WHERE muster_fence(?, ?)";
    const reply = await send("/db/execute?x", [[sql, id, `fences/${hold.lock}`, hold.token]]);
    this.#tally.count(
      isLate ? "late write" : "fenced write",
      reply.outcome,
      reply.outcome === "done" ? undefined : reply.reason,
    );
    this.writes[place] = { ...hold, id, isLate, outcome: reply.outcome };
  }
}
