/**
 * Sessions, and the locks that they hold.
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ask, askJson } from "../../api.ts";
import { curlOf } from "../../consul/commands.ts";
import { datacenter } from "../../consul/datacenter.ts";
import { LiveSign, useKvChanges } from "../../consul/kv_watch.tsx";
import { useLive } from "../../consul/live.ts";
import { rowsOf } from "../../database.ts";
import { fieldOf, listOf, numberOf, textOf } from "../../json.ts";
import { confirmed, tell } from "../../parts/dialog.tsx";
import { messageOf } from "../../parts/fault.ts";
import { countText } from "../../parts/format.ts";
import { FilterField } from "../../parts/tabs.tsx";
import { linkTo } from "../../router.ts";
import { may } from "../../session.ts";
import { placeOf } from "./tree.tsx";
import { TableHead } from "../../parts/table_head.tsx";

/** A session. */
interface KvSession {
  readonly id: string;
  readonly name: string;
  readonly node: string;
  readonly behavior: string;
  readonly ttl: string;
  readonly lockDelayMs: number;
  readonly checks: readonly string[];
}

function sessionOf(data: unknown): KvSession {
  const text = (name: string) => textOf(fieldOf(data, name));
  const serviceChecks = listOf(fieldOf(data, "ServiceChecks")).map((one) => textOf(fieldOf(one, "ID")));
  return {
    id: text("ID"),
    name: text("Name"),
    node: text("Node"),
    behavior: text("Behavior"),
    ttl: text("TTL"),
    lockDelayMs: (numberOf(fieldOf(data, "LockDelay")) ?? 0) / 1e6,
    checks: [...listOf(fieldOf(data, "NodeChecks")).map(textOf), ...serviceChecks],
  };
}

/**
 * Keys by the session that holds them. The database tells them without their values; whoever may not ask it reads all keys.
 * @throws {ApiError}
 */
async function readLocks(): Promise<ReadonlyMap<string, readonly string[]>> {
  const asked = datacenter.value === ""
    ? rowsOf("SELECT session, key FROM muster.kv WHERE session <> '' ORDER BY key")
    : Promise.reject(new Error("the database is that of this datacenter"));
  const found = await asked.then(
    (rows) => rows.map(([session, key]) => [String(session), String(key)] as const),
    async () =>
      listOf(await askJson("v1/kv/?recurse").catch(() => []))
        .map((one) => [textOf(fieldOf(one, "Session")), textOf(fieldOf(one, "Key"))] as const),
  );
  const held = found.filter(([session]) => session !== "");
  return new Map([...Map.groupBy(held, ([session]) => session)].map(([id, all]) => [id, all.map(([, key]) => key)]));
}

/** The page. */
export function SessionsPage(): JSX.Element {
  const { value: sessions, fault } = useLive("v1/session/list", (data) => listOf(data).map(sessionOf));
  const [locks, setLocks] = useState<ReadonlyMap<string, readonly string[]>>(new Map());
  const [wanted, setWanted] = useState("");
  const changes = useKvChanges();
  useEffect(() => {
    let isHere = true;
    readLocks().then((found) => isHere && setLocks(found), () => {}); // they are shown as unknown
    return () => {
      isHere = false; // what was asked for later counts
    };
  }, [sessions, changes.version]);
  const end = async ({ id, name, node, behavior }: KvSession) => {
    const held = locks.get(id) ?? [];
    const path = `v1/session/destroy/${encodeURIComponent(id)}`;
    const isSure = await confirmed({
      title: `End the session ${name || id}?`,
      text: `${
        held.length === 0
          ? "It holds no lock."
          : `${countText(held.length, "lock")} ${held.length === 1 ? "is" : "are"} ${
            behavior === "delete" ? "freed, and the keys deleted" : "freed"
          }: ${held.slice(0, 5).join(", ")}${held.length > 5 ? ", …" : ""}.`
      } The program on ${node} that has it is told nothing, and believes in its lock until it asks.`,
      action: "End the session",
      commands: [curlOf("PUT", path)],
    });
    if (!isSure) return;
    try {
      await ask(path, { method: "PUT" });
      tell("The session is ended");
    } catch (error) {
      tell(messageOf(error), { isError: true });
    }
  };
  const found = (sessions ?? []).filter(({ id, name, node }) =>
    `${id} ${name} ${node}`.toLowerCase().includes(wanted.toLowerCase())
  );
  return (
    <div class={fault === "" ? "page" : "page stale"}>
      <h1>Sessions and locks</h1>
      {fault !== "" && <p class="note error" role="alert">Not current: {fault}. Trying again…</p>}
      {!sessions && fault === "" && <p class="muted">Reading…</p>}
      {sessions?.length === 0 && (
        <div class="empty">
          <h1>No sessions</h1>
          <p>A session is a lease by which a program holds locks. It ends with its node, or when it is not renewed.</p>
          <code>muster lock my/lock ./program</code>
        </div>
      )}
      {sessions && sessions.length > 0 && (
        <>
          <div class="toolbar page-bar">
            <FilterField label="Find a session" value={wanted} onInput={setWanted} />
            <LiveSign changes={changes} />
          </div>
          <div class="card scroll" tabIndex={0} role="region" aria-label="Sessions, scrollable">
            <SessionTable sessions={found} locks={locks} onEnd={end} />
          </div>
        </>
      )}
    </div>
  );
}

function SessionTable(
  { sessions, locks, onEnd }: {
    readonly sessions: readonly KvSession[];
    readonly locks: ReadonlyMap<string, readonly string[]>;
    readonly onEnd: (session: KvSession) => void;
  },
): JSX.Element {
  return (
    <table class="plain-table">
      <TableHead titles={["Session", "Node", "Holds", "At its end", "TTL", "Lock delay", "Ends with"]} hasActions />
      <tbody>
        {sessions.map((session) => (
          <tr key={session.id}>
            <th scope="row">
              <bdi>{session.name || "–"}</bdi>
              <span class="cause address">{session.id}</span>
            </th>
            <td>
              <a href={linkTo("services", "node", session.node)}>
                <bdi>{session.node}</bdi>
              </a>
            </td>
            <td>
              {(locks.get(session.id) ?? []).map((key) => (
                <a key={key} class="held" href={placeOf(key)}>
                  <bdi>{key}</bdi>
                </a>
              ))}
              {!locks.has(session.id) && <span class="muted">nothing</span>}
            </td>
            <td>{session.behavior === "delete" ? "keys are deleted" : "locks are freed"}</td>
            <td class="number">{session.ttl || "–"}</td>
            <td class="number">{session.lockDelayMs / 1000} s</td>
            <td>{session.checks.join(", ") || "–"}</td>
            <td>
              {may("session-write") && (
                <button
                  type="button"
                  class="danger"
                  onClick={() => onEnd(session)}
                  aria-label={`End ${session.name || session.id}`}
                >
                  End
                </button>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
