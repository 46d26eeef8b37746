/**
 * The agent that serves the page, and members of its pool that failed.
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { askJson } from "../../api.ts";
import { fieldOf, listOf, numberOf, textOf } from "../../json.ts";
import { may, session } from "../../session.ts";
import { useStore } from "../../store.ts";
import { run } from "../../consul/run.ts";

/** Numbers by which serf tells how a member is. */
const STATUS: readonly string[] = ["none", "alive", "leaving", "left", "failed"];

/** The part. */
export function AgentPart(): JSX.Element {
  const { node } = useStore(session);
  const reload = () =>
    run({
      title: `Have ${node} read its configuration again?`,
      text:
        "Services, checks, tokens and log level are taken over from its files; what needs a restart stays as it is.",
      action: "Reload",
      isSafe: true,
      method: "PUT",
      path: "v1/agent/reload",
      muster: ["reload"],
      done: "Reloaded",
    });
  const [address, setAddress] = useState("");
  const join = (event: Event) => {
    event.preventDefault();
    return run({
      title: `Have ${node} join ${address}?`,
      text:
        `${node} gossips with the agent at ${address}, and both pools become one: all agents of both know each other ` +
        "then. Servers of two clusters that have data of their own must not be brought together.",
      action: "Join",
      isSafe: true,
      method: "PUT",
      path: `v1/agent/join/${encodeURIComponent(address)}`,
      muster: ["join", address],
      done: `${node} has joined ${address}`,
    }).then((response) => response && setAddress(""));
  };
  const leave = () =>
    run({
      title: `Have ${node} leave?`,
      text: `${node} tells the others that it goes, leaves the cluster and ends. This page is gone with it. ` +
        "It is back when somebody starts it again.",
      action: `Have ${node} leave`,
      method: "PUT",
      path: "v1/agent/leave",
      muster: ["leave"],
      typed: node,
      done: `${node} leaves`,
    });
  return (
    <section class="card" aria-labelledby="agent-title">
      <h2 id="agent-title">The agent {node}</h2>
      <p>
        Join the pool of another agent, read the configuration again, or leave the pool before the machine goes away.
      </p>
      {may("agent-write") && (
        <form class="toolbar after" onSubmit={join}>
          <label>
            Agent to join
            <input
              required
              placeholder="HOST or HOST:PORT of its gossip"
              spellcheck={false}
              value={address}
              onInput={(event) => setAddress(event.currentTarget.value)}
            />
          </label>
          <button type="submit">Join</button>
        </form>
      )}
      {may("agent-write") && (
        <div class="toolbar after">
          <button type="button" onClick={reload}>Reload</button>
          <button type="button" class="danger" onClick={leave}>Leave</button>
        </div>
      )}
      {may("operator-write") && <FailedMembers />}
    </section>
  );
}

/** Members that failed, and may be counted as left. */
function FailedMembers(): JSX.Element {
  const [gone, setGone] = useState<readonly { readonly name: string; readonly status: string }[]>([]);
  const renew = () =>
    askJson("v1/agent/members").then(
      (found) =>
        setGone(
          listOf(found).map((one) => ({
            name: textOf(fieldOf(one, "Name")),
            status: STATUS[numberOf(fieldOf(one, "Status")) ?? 0] ?? "unknown",
          })).filter(({ status }) => status === "failed"),
        ),
      () => {}, // whoever may not see them has none to force
    );
  useEffect(() => {
    renew();
  }, []);
  const force = async (name: string) => {
    await run({
      title: `Count ${name} as left?`,
      text: `${name} failed and is expected back. It counts as left from then on: its services leave the catalog, ` +
        "and a server leaves the voters. If it runs, it joins again by itself.",
      action: "Count it as left",
      method: "PUT",
      path: `v1/agent/force-leave/${encodeURIComponent(name)}`,
      muster: ["force-leave", name],
      done: `${name} counts as left`,
    });
    renew();
  };
  if (gone.length === 0) return <p class="muted hint">No member has failed.</p>;
  return (
    <>
      {gone.map(({ name }) => (
        <div key={name} class="toolbar after">
          <strong>
            <bdi>{name}</bdi>
          </strong>
          <span class="muted">failed</span>
          <span class="spacer" />
          <button type="button" class="danger" onClick={() => force(name)}>Count as left</button>
        </div>
      ))}
    </>
  );
}
