/**
 * A muster and an rqlite node side by side: both get every request, and where their answers differ it is noted.
 *
 * Only what must vary is made equal before the comparison: times, log indices, the addresses and versions of the nodes,
 * and `error_v2`, which rqlite 8 does not have. Everything else counts to the byte: the order of keys, the form of numbers, white space.
 * @module
 */
import { leaderOf, nodePlace, NodeProcess, startCluster, until } from "../harness/processes.ts";
import type { Call, Case, Expected, Theme } from "./case.ts";
import { post } from "./case.ts";
import { type Rqlite, startRqlite, startRqliteCluster } from "../harness/rqlite.ts";

/**
 * Headers that are compared. The others are the servers' own (Date, Content-Length) or differ by version: rqlite 8 sends
 * no X-RQLITE-SERVED-BY and no WWW-Authenticate.
 */
const HEADERS = [
  "access-control-allow-credentials",
  "access-control-allow-headers",
  "access-control-allow-methods",
  "access-control-allow-origin",
  "location",
  "x-content-type-options",
];
const REQUEST_MS = 10_000;

/** An answer, normalised. */
interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly headers: string;
  readonly body: string;
}

/** The two sides that are compared, and how to stop them. */
interface Sides {
  readonly root: string;
  readonly muster: Side;
  readonly rqlite: Side;
  readonly nodes: readonly { stop(signal: "SIGKILL"): Promise<unknown> }[];
}

/** The addresses of one side. */
interface Side {
  readonly url: string;
  /** Addresses in answers, and what to write instead. */
  readonly names: readonly (readonly [address: string, name: string])[];
}

/** A muster and an rqlite node that get the same requests. */
export class Pair {
  readonly #sides: Sides;
  /** Answers compared so far. */
  compared = 0;
  /** Reasons of the intended differences seen so far. */
  readonly reasons = new Set<string>();

  private constructor(sides: Sides) {
    this.#sides = sides;
  }

  /**
   * Starts both and waits until they are ready.
   * @param authFile Text of an auth file for both, where `*` may do whatever a theme's preparation needs.
   */
  static async start(authFile?: string): Promise<Pair> {
    const root = await Deno.makeTempDir({ prefix: "muster-differential-" });
    const flags = authFile === undefined ? [] : ["-auth", `${root}/auth.json`];
    if (authFile !== undefined) await Deno.writeTextFile(`${root}/auth.json`, authFile);
    const muster = NodeProcess.start(nodePlace(root, "1"), flags);
    try {
      const rqlite = await startRqlite(root, "1", flags);
      await muster.ready();
      return new Pair({ root, muster: sideOf(muster), rqlite: sideOf(rqlite), nodes: [muster, rqlite] });
    } catch (error) {
      await muster.stop("SIGKILL");
      await Deno.remove(root, { recursive: true });
      throw error;
    }
  }

  /** Starts two clusters of three; requests go to a follower of each. */
  static async startFollowers(): Promise<Pair> {
    const root = await Deno.makeTempDir({ prefix: "muster-differential-" });
    const nodes: { stop(signal: "SIGKILL"): Promise<unknown> }[] = [];
    try {
      const musters = await startCluster(root, (place, flags) => {
        const node = NodeProcess.start(place, flags);
        nodes.push(node);
        return node;
      });
      const rqlites = await startRqliteCluster(root, 3);
      nodes.push(...rqlites);
      const muster = await followerOf(musters, await leaderOf(musters));
      const rqlite = await followerOf(rqlites, await rqliteLeaderOf(rqlites));
      return new Pair({ root, muster, rqlite, nodes });
    } catch (error) {
      await Promise.all(nodes.map((node) => node.stop("SIGKILL")));
      await Deno.remove(root, { recursive: true });
      throw error;
    }
  }

  /** Ends both. */
  async stop(): Promise<void> {
    await Promise.all(this.#sides.nodes.map((node) => node.stop("SIGKILL")));
    await Deno.remove(this.#sides.root, { recursive: true });
  }

  /** Runs a theme's cases; returns a text for each that is not as it should be. */
  async run({ cases }: Theme): Promise<string[]> {
    const faults: string[] = [];
    await this.#clear();
    for (const one of cases) {
      try {
        const fault = await this.#runCase(one);
        if (fault !== undefined) faults.push(fault);
      } catch (error) {
        faults.push(
          `── ${one.name}\n   ${one.request.method} ${one.request.path}${bodyText(one.request)}\n   ${error}`,
        );
        break; // a node that no longer answers would not answer the rest either
      }
    }
    return faults;
  }

  async #runCase({ name, setup, request, intended }: Case): Promise<string | undefined> {
    if (setup !== undefined) {
      await this.#clear();
      await this.#onBoth(setup);
    }
    const { muster: left, rqlite: right } = this.#sides;
    const [muster, rqlite] = await Promise.all(
      [left, right].map(async ({ url, names }) => normalised(await send(url, request), names)),
    );
    this.compared++;
    const difference = differenceOf(muster, rqlite);
    const head = `── ${name}\n   ${request.method} ${request.path}${bodyText(request)}`;
    if (intended === undefined) return difference === undefined ? undefined : `${head}${difference}`;
    if (difference === undefined) {
      return `${head}\n   is listed as an intended difference, yet there is none: ${muster.body}`;
    }
    this.reasons.add(intended.reason);
    const unmet = unmetBy(muster, rqlite, intended.muster);
    return unmet === undefined ? undefined : `${head}\n   differs otherwise than intended: ${unmet}${difference}`;
  }

  /** Leaves both without tables, and with the same last insert id and rows affected. */
  async #clear(): Promise<void> {
    await Promise.all(this.#urls.map(async (url) => {
      for (const [type, name] of await objectsOf(url)) {
        await send(url, post("/db/execute", [`DROP ${type} IF EXISTS "${name.replaceAll('"', '""')}"`]));
      }
      const reset = ["CREATE TABLE reset(a INTEGER PRIMARY KEY)", "INSERT INTO reset VALUES(7)", "DROP TABLE reset"];
      const answer = await send(url, post("/db/execute", reset));
      if (answer.body.includes("error")) throw new Error(`Cannot clear the database: ${answer.body}`);
    }));
  }

  async #onBoth(setup: readonly unknown[]): Promise<void> {
    if (setup.length === 0) return;
    for (const url of this.#urls) {
      const { body } = await send(url, post("/db/execute", setup));
      // rqlite's readers show a column's old declared type until they have read the schema anew.
      await send(url, post("/db/query", ["SELECT count(*) FROM sqlite_schema"]));
      if (body.includes(`"error"`)) throw new Error(`Cannot set up ${JSON.stringify(setup)} on ${url}: ${body}`);
    }
  }

  get #urls(): readonly string[] {
    return [this.#sides.muster.url, this.#sides.rqlite.url];
  }
}

/** Addresses of a node. */
interface Place {
  readonly url: string;
  readonly clusterAddr: string;
}

function sideOf(node: Place, name = ""): Side {
  return {
    url: node.url,
    names: [[node.url.replace("http://", ""), `«${name}http»`], [node.clusterAddr, `«${name}cluster»`]],
  };
}

/** A node that follows, with the names of its leader's addresses besides its own. */
function followerOf(nodes: readonly Place[], leader: Place): Side {
  const follower = nodes.find((node) => node !== leader);
  if (follower === undefined) throw new Error("No node follows");
  return { url: follower.url, names: [...sideOf(follower).names, ...sideOf(leader, "leader's ").names] };
}

async function rqliteLeaderOf(nodes: readonly Rqlite[]): Promise<Rqlite> {
  return await until("a leader of rqlite", async () => {
    for (const node of nodes) {
      const { body } = await send(node.url, { method: "GET", path: "/status?key=store.leader.addr" });
      const leader = nodes.find(({ clusterAddr }) => JSON.stringify(clusterAddr) === body);
      if (leader !== undefined) return leader;
    }
    return undefined;
  });
}

async function objectsOf(url: string): Promise<[string, string][]> {
  const sql = "SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view', 'trigger') " +
    "AND name NOT LIKE 'sqlite@_%' ESCAPE '@' " +
    // The tables behind a virtual one go with it.
    "ORDER BY sql NOT LIKE 'CREATE VIRTUAL%', type = 'table'";
  const { body } = await send(url, post("/db/query", [sql]));
  const { results: [{ values }] }: { results: { values?: [string, string][] }[] } = JSON.parse(body);
  return values ?? [];
}

async function send(url: string, { method, path, body, contentType, user }: Call): Promise<Answer> {
  const headers: Record<string, string> = {
    ...(body === undefined ? {} : { "Content-Type": contentType ?? "application/json" }),
    ...(user === undefined ? {} : { Authorization: `Basic ${btoa(user)}` }),
  };
  const response = await fetch(`${url}${path}`, {
    method,
    headers,
    redirect: "manual",
    signal: AbortSignal.timeout(REQUEST_MS),
    ...(body === undefined ? {} : { body: new Uint8Array(body) }),
  });
  return {
    status: response.status,
    contentType: response.headers.get("content-type") ?? "",
    headers: HEADERS.map((name) => [name, response.headers.get(name)]).filter(([, value]) => value !== null).join(" "),
    body: await response.text(),
  };
}

function normalised({ status, contentType, headers, body }: Answer, addresses: Side["names"]): Answer {
  let text = body
    .replace(/"time":( ?)[0-9.e-]+/g, `"time":$1«time»`)
    .replace(/"version":( ?)"[^"]*"/g, `"version":$1"«version»"`)
    .replace(/,\s*"error_v2": ?\{\s*"message": ?"(?:[^"\\]|\\.)*"(?:,\s*"sqlite": ?\{[^}]*\})?\s*\}/g, "")
    .replace(/"time_s":( ?)"[^"]*"/g, `"time_s":$1«time»`)
    .replaceAll("\ufffd", "\\ufffd") // the same character, written in two ways
    .replace(/"sequence_number":( ?)[0-9]+/g, `"sequence_number":$1«number»`)
    .replace(/"raft_index":( ?)[0-9]+/g, `"raft_index":$1«index»`);
  let where = headers;
  for (const [address, name] of addresses) {
    text = text.replaceAll(address, name);
    where = where.replaceAll(address, name);
  }
  return { status, contentType, headers: where, body: text };
}

/** The difference between two answers, readable; undefined if they are equal. */
function differenceOf(muster: Answer, rqlite: Answer): string | undefined {
  let text = "";
  const parts = saysMore(muster, rqlite)
    ? (["status"] as const)
    : (["status", "contentType", "headers", "body"] as const);
  for (const part of parts) {
    if (muster[part] === rqlite[part]) continue;
    text += `\n   ${part}\n     muster: ${around(String(muster[part]), String(rqlite[part]))}`;
    text += `\n     rqlite: ${around(String(rqlite[part]), String(muster[part]))}`;
  }
  return text === "" ? undefined : text;
}

/** Whether a refusal gives advice behind rqlite's words, or where rqlite has none. */
function saysMore(muster: Answer, rqlite: Answer): boolean {
  if (rqlite.status < 400) return false;
  return rqlite.body === "" || muster.body.startsWith(`${rqlite.body.trimEnd()}:`);
}

/** A text in quotes; of a long one, what lies around the first difference. */
function around(text: string, other: string): string {
  if (text.length <= 400) return JSON.stringify(text);
  let at = 0;
  while (at < text.length && text[at] === other[at]) at++;
  const from = Math.max(0, at - 150);
  return `${from > 0 ? "…" : ""}${JSON.stringify(text.slice(from, at + 200))}${at + 200 < text.length ? "…" : ""}`;
}

function unmetBy(answer: Answer, rqlite: Answer, expected: Expected): string | undefined {
  if (expected.status !== undefined && expected.status !== answer.status) return `status is not ${expected.status}`;
  if (expected.contentType !== undefined && expected.contentType !== answer.contentType) {
    return `Content-Type is not ${expected.contentType}`;
  }
  const { body } = expected;
  if (body === undefined) return undefined;
  if (body instanceof RegExp) return body.test(answer.body) ? undefined : `the body does not match ${body}`;
  const wanted = typeof body === "string" ? body : body(rqlite.body);
  return answer.body === wanted ? undefined : `the body is not ${JSON.stringify(wanted)}`;
}

function bodyText({ body }: Call): string {
  if (body === undefined) return "";
  const text = new TextDecoder().decode(body);
  return ` ${text.length > 600 ? `${text.slice(0, 600)}…` : text}`;
}
