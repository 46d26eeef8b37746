/**
 * Overview: who leads since when, how each node is, what should be done, and how to go on from here.
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { type Cluster, cluster, type ClusterNode, type Picture, type Warning } from "../cluster.ts";
import { ClusterMap } from "../parts/cluster_map.tsx";
import { bytesText, countText, spanText } from "../parts/format.ts";
import { Icon } from "../parts/icon.tsx";
import { linkTo } from "../router.ts";
import { may, session } from "../session.ts";
import { useStore } from "../store.ts";

/** The page. */
export function OverviewPage(): JSX.Element {
  const { picture, fault }: Cluster = useStore(cluster);
  const now = useClock();
  if (!picture) return <p class={fault === "" ? "muted" : "note error"}>{fault || "Looking at the cluster…"}</p>;
  return (
    <div class={fault === "" ? "page" : "page stale"}>
      <h1>Overview</h1>
      {fault !== "" && <p class="note error" role="alert">Not current: {fault}. Trying again…</p>}
      <Facts picture={picture} now={now} />
      <Warnings warnings={picture.warnings} />
      <div class="overview-parts">
        <section class="card" aria-labelledby="map-title">
          <h2 id="map-title">The cluster</h2>
          <ClusterMap picture={picture} />
        </section>
        <section class="card" aria-labelledby="next-title">
          <h2 id="next-title">From here</h2>
          <NextSteps />
        </section>
      </div>
      <section class="card" aria-labelledby="nodes-title">
        <h2 id="nodes-title">Nodes</h2>
        <Nodes picture={picture} now={now} />
      </section>
    </div>
  );
}

/** The time, every second: how long somebody leads goes on while nothing is sent. */
function useClock(): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

function Facts({ picture, now }: { readonly picture: Picture; readonly now: number }): JSX.Element {
  const leader = picture.nodes.find(({ id }) => id === picture.leaderId);
  const voters = picture.nodes.filter(({ isVoter }) => isVoter);
  const healthy = voters.filter(({ health }) => health !== "unreachable");
  const spare = healthy.length - (Math.floor(voters.length / 2) + 1);
  const facts: readonly (readonly [name: string, value: string, detail: string, isBad?: boolean])[] = [
    [
      "Leader",
      leader?.name ?? "none",
      leader === undefined
        ? "writes are refused"
        : picture.leaderSinceMs === undefined
        ? ""
        : `for ${spanText(now - picture.leaderSinceMs)}, since ${timeText(picture.leaderSinceMs)}`,
      leader === undefined,
    ],
    [
      "Voters",
      `${healthy.length} of ${voters.length}`,
      spare < 0 ? "no majority: writes are refused" : spare === 0 ? "none may fail" : `${spare} more may fail`,
      spare < 0,
    ],
    ["Log", String(picture.commitIndex ?? "–"), `last committed entry, term ${picture.term ?? "–"}`],
    ["Data directory", bytesText(leader?.usedBytes), "the leader's Raft log, snapshots and database"],
  ];
  return (
    <dl class="facts">
      {facts.map(([name, value, detail, isBad]) => (
        <div key={name} class={isBad ? "fact bad" : "fact"}>
          <dt>{name}</dt>
          <dd class="value">{value}</dd>
          <dd class="muted">{detail}</dd>
        </div>
      ))}
    </dl>
  );
}

function timeText(ms: number): string {
  const at = new Date(ms);
  const isToday = at.toDateString() === new Date().toDateString();
  return isToday ? at.toLocaleTimeString() : at.toLocaleString();
}

function Warnings({ warnings }: { readonly warnings: readonly Warning[] }): JSX.Element {
  if (warnings.length === 0) {
    return (
      <p class="note good">
        <Icon name="good" /> Nothing needs attention.
      </p>
    );
  }
  return (
    <ul class="warnings" aria-label="Warnings">
      {warnings.map(({ code, level, title, cause, nextStep }) => (
        <li key={`${code} ${title}`} class={level === "error" ? "note error" : "note warning"}>
          <Icon name="warning" />
          <div>
            <strong>{title}</strong>
            <p>{cause}</p>
            <p class="next">
              <span>Next step:</span> {nextStep}
            </p>
          </div>
        </li>
      ))}
    </ul>
  );
}

/** What people come for most. */
function NextSteps(): JSX.Element {
  const { isAgent } = useStore(session);
  return (
    <ul class="links">
      {may("query") && (
        <li>
          <a href={linkTo("data")}>Browse the tables</a>
          <span class="muted">the newest rows first</span>
        </li>
      )}
      {may("query") && (
        <li>
          <a href={linkTo("sql")}>Ask in SQL</a>
          <span class="muted">with completion and query plans</span>
        </li>
      )}
      {may("backup") && (
        <li>
          <a href={linkTo("operations")}>Back up the database</a>
          <span class="muted">
            <code>muster backup FILE</code>
          </span>
        </li>
      )}
      <li>
        <span>More</span>
        <span class="muted">
          <code>muster docs</code>
          {isAgent ? ", muster members" : ""}
        </span>
      </li>
    </ul>
  );
}

function Nodes({ picture, now }: { readonly picture: Picture; readonly now: number }): JSX.Element {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Nodes, scrollable">
      <table class="plain-table nodes">
        <thead>
          <tr>
            {["Node", "Role", "Health", "Behind", "Round trip", "Memory", "Disk", "Up", "Version", "Address"].map((
              name,
            ) => <th key={name} scope="col">{name}</th>)}
          </tr>
        </thead>
        <tbody>
          {picture.nodes.map((node) => <NodeRow key={node.id} node={node} askedId={picture.askedId} now={now} />)}
        </tbody>
      </table>
    </div>
  );
}

function NodeRow(
  { node, askedId, now }: { readonly node: ClusterNode; readonly askedId: string; readonly now: number },
): JSX.Element {
  const { name, role, health, cause, lag, roundTripMs, memoryBytes, startedMs, version, addr, apiUrl, id } = node;
  return (
    <tr>
      <th scope="row">
        {name}
        {id === askedId && <span class="tag">this one</span>}
      </th>
      <td>{role}</td>
      <td>
        <span class={`health ${health}`}>{health}</span>
        {cause !== "" && <span class="cause" title={cause}>{cause}</span>}
      </td>
      <td class="number">{lag === undefined ? "–" : lag === 0 ? "0" : countText(lag, "entry", "entries")}</td>
      <td class="number">{roundTripMs === undefined ? "–" : `${roundTripMs} ms`}</td>
      <td class="number">{bytesText(memoryBytes)}</td>
      <td class="number">
        <Disk node={node} />
      </td>
      <td class="number">{startedMs === undefined ? "–" : spanText(now - startedMs)}</td>
      <td>{version || "–"}</td>
      <td>
        <span class="address">{addr}</span>
        {id !== askedId && apiUrl !== "" && health !== "unreachable" && (
          <a href={`${apiUrl}/console/`} rel="noreferrer" title={`Open the console of ${name}`}>
            <Icon name="link" /> console
          </a>
        )}
      </td>
    </tr>
  );
}

/** How full a disk is. */
function Disk({ node: { usedBytes, freeBytes, totalBytes } }: { readonly node: ClusterNode }): JSX.Element {
  if (freeBytes === undefined || !totalBytes) return <>{bytesText(usedBytes)}</>;
  const part = 1 - freeBytes / totalBytes;
  return (
    <span
      class="disk"
      title={`The data directory takes ${bytesText(usedBytes)}; the disk has ${bytesText(totalBytes)}`}
    >
      <meter min={0} max={1} high={0.9} value={part} aria-label="Part of the disk that is used" />
      {bytesText(freeBytes)} free
    </span>
  );
}
