/**
 * Who leads, and who belongs to the cluster.
 * @module
 */
import type { JSX } from "preact";
import { cluster, type ClusterNode, type Picture } from "../../cluster.ts";
import { Commands } from "../../parts/commands.tsx";
import { countText } from "../../parts/format.ts";
import { may, session } from "../../session.ts";
import { useStore } from "../../store.ts";
import { run } from "../../consul/run.ts";
import { TableHead } from "../../parts/table_head.tsx";

/** The part. */
export function NodesPart(): JSX.Element {
  const { picture } = useStore(cluster);
  return (
    <section class="card" aria-labelledby="nodes-title">
      <h2 id="nodes-title">Leader and nodes</h2>
      {picture
        ? (
          <>
            <NodeTable picture={picture} />
            <AddNode picture={picture} />
          </>
        )
        : (
          <p class="muted">
            {may("status") ? "Looking at the cluster…" : "The nodes are shown to whoever has the permission status."}
          </p>
        )}
    </section>
  );
}

function NodeTable({ picture }: { readonly picture: Picture }): JSX.Element {
  const { nodes, leaderId } = picture;
  const heirs = nodes.filter(({ id, isVoter, health }) => isVoter && id !== leaderId && health !== "unreachable");
  return (
    <>
      <p>
        {leaderId === ""
          ? "No node leads: leadership can be handed over once one does."
          : heirs.length === 0
          ? "There is no other voter that could lead."
          : "The leader can hand over before it is stopped: writes wait for some milliseconds instead of for an election."}
      </p>
      <div class="scroll" tabIndex={0} role="region" aria-label="Nodes, scrollable">
        <table class="plain-table">
          <TableHead titles={["Node", "Role", "Health", "Address"]} hasActions />
          <tbody>
            {nodes.map((node) => (
              <tr key={node.id}>
                <th scope="row">
                  <bdi>{node.name}</bdi>
                  {node.id === picture.askedId && <span class="tag">this one</span>}
                </th>
                <td>{node.role}</td>
                <td>
                  <span class={`health ${node.health}`}>{node.health}</span>
                </td>
                <td>
                  <span class="address">{node.addr}</span>
                </td>
                <td class="row-actions">
                  {may("leader-ops") && heirs.includes(node) && (
                    <button
                      type="button"
                      onClick={() => handOver(node, picture)}
                    >
                      Let it lead
                    </button>
                  )}
                  {may("remove") && nodes.length > 1 && (
                    <button
                      type="button"
                      class="danger"
                      onClick={() => remove(node, picture)}
                    >
                      Remove
                    </button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {may("leader-ops") && heirs.length > 1 && (
        <div class="toolbar after">
          <button type="button" onClick={() => handOver(undefined, picture)}>Hand over to whoever is furthest</button>
        </div>
      )}
    </>
  );
}

/** How a node is added: it joins by itself when it is started. */
function AddNode({ picture: { nodes, leaderId } }: { readonly picture: Picture }): JSX.Element {
  const { isAgent, datacenter } = useStore(session);
  const first = nodes.find(({ id }) => id === leaderId) ?? nodes[0];
  const join = isAgent ? `-retry-join=${first?.addr ?? ""}` : `-join ${nodes.map(({ addr }) => addr).join(",")}`;
  const command = isAgent
    ? `muster agent -server -datacenter=${datacenter} -node=NAME -bind=HOST -data-dir=DIRECTORY ${join}`
    : `muster serve -node-id ID -http-addr HOST:4001 -raft-addr HOST:4002 ${join} DIRECTORY`;
  return (
    <details class="after">
      <summary>Add a node</summary>
      <p>
        A node joins when it is started, as a voter. With <code>{isAgent ? "-read-replica" : "-raft-non-voter"}</code>
        {" "}
        it is a read replica. Its addresses must be such that the others reach it; the secrets of the cluster are given
        to it as to them.
      </p>
      <Commands title="On the machine of the new node:" commands={[command]} />
    </details>
  );
}

/** @param heir Undefined: the node decides. */
async function handOver(heir: ClusterNode | undefined, { nodes, leaderId }: Picture): Promise<void> {
  const leader = nodes.find(({ id }) => id === leaderId)?.name ?? "the leader";
  await run({
    title: heir ? `Let ${heir.name} lead?` : "Hand the leadership over?",
    text: `${leader} brings ${heir?.name ?? "the voter that is furthest"} up to date and hands the leadership over. ` +
      "Writes wait for some milliseconds; none is lost.",
    action: "Hand over",
    isSafe: true,
    method: "POST",
    path: "leader?wait",
    ...(heir ? { body: { id: heir.id } } : {}),
    muster: ["operator", "raft", "transfer-leader", ...(heir ? [`-id=${heir.id}`] : [])],
    done: heir ? `${heir.name} leads now` : "Another node leads now",
  });
}

async function remove(node: ClusterNode, { nodes, leaderId }: Picture): Promise<void> {
  const voters = nodes.filter(({ isVoter, id }) => isVoter && id !== node.id).length;
  const spare = Math.max(0, voters - (Math.floor(voters / 2) + 1));
  await run({
    title: `Remove ${node.name}?`,
    text:
      `${node.name} does not belong to the cluster any more: it gets no more writes and answers with what it has. ` +
      `${countText(voters, "voter is", "voters are")} left, of which ${spare === 0 ? "none" : spare} may fail.` +
      `${node.id === leaderId ? " It leads now: another node is elected first." : ""}` +
      " To come back it joins again; an agent that still runs does so by itself.",
    action: `Remove ${node.name}`,
    method: "DELETE",
    path: "remove",
    body: { id: node.id },
    muster: ["operator", "raft", "remove-peer", `-id=${node.id}`],
    typed: node.name,
    done: `${node.name} is removed`,
  });
}
