/**
 * A picture of the cluster: its nodes in a circle, the leader with lines to those that it replicates to. It changes as the
 * cluster does.
 * @module
 */
import type { JSX } from "preact";
import type { ClusterNode, Picture } from "../cluster.ts";

const [WIDTH, HEIGHT] = [520, 260];
/** A single node needs less room. */
const LONE_HEIGHT = 130;
const RADIUS_X = 175;
const RADIUS_Y = 85;
const NODE_RADIUS = 15;
/** More nodes would lie on each other: the table has all of them. */
const NODES_MAX = 24;

interface Placed {
  readonly node: ClusterNode;
  readonly x: number;
  readonly y: number;
}

/** Places nodes around the middle; a single one stands in it. */
function placed(nodes: readonly ClusterNode[]): readonly Placed[] {
  return nodes.slice(0, NODES_MAX).map((node, at, all) => {
    const angle = -Math.PI / 2 + at / all.length * 2 * Math.PI;
    const isAlone = all.length === 1;
    return {
      node,
      x: WIDTH / 2 + (isAlone ? 0 : Math.cos(angle) * RADIUS_X),
      y: (isAlone ? LONE_HEIGHT : HEIGHT) / 2 - 8 + (isAlone ? 0 : Math.sin(angle) * RADIUS_Y),
    };
  });
}

/** The picture. */
export function ClusterMap({ picture }: { readonly picture: Picture }): JSX.Element {
  const all = placed(picture.nodes);
  const leader = all.find(({ node }) => node.id === picture.leaderId);
  return (
    <svg
      class="map"
      viewBox={`0 0 ${WIDTH} ${all.length > 1 ? HEIGHT : LONE_HEIGHT}`}
      role="img"
      aria-label={describe(picture)}
    >
      {all.map((one) =>
        leader && one !== leader && (
          <Line key={one.node.id} from={leader} to={one} ms={distanceOf(picture, leader.node, one.node)} />
        )
      )}
      {all.map((one) => <Node key={one.node.id} placed={one} isLeader={one === leader} />)}
    </svg>
  );
}

/** As gossip has it; else as the node that was asked has measured. */
function distanceOf({ distances, askedId }: Picture, a: ClusterNode, b: ClusterNode): number | undefined {
  const found = distances.find((one) => one.a === a.id && one.b === b.id || one.a === b.id && one.b === a.id);
  return found?.ms ?? (askedId === a.id ? b.roundTripMs : askedId === b.id ? a.roundTripMs : undefined);
}

function Line(
  { from, to, ms }: { readonly from: Placed; readonly to: Placed; readonly ms: number | undefined },
): JSX.Element {
  const isBroken = to.node.health === "unreachable" || from.node.health === "unreachable";
  return (
    <g class={isBroken ? "line broken" : "line"}>
      <line x1={from.x} y1={from.y} x2={to.x} y2={to.y} />
      {ms !== undefined && !isBroken && (
        <text x={(from.x + to.x) / 2} y={(from.y + to.y) / 2 - 4} text-anchor="middle">{ms} ms</text>
      )}
    </g>
  );
}

function Node(
  { placed: { node, x, y }, isLeader }: { readonly placed: Placed; readonly isLeader: boolean },
): JSX.Element {
  const name = node.name.length > 22 ? `${node.name.slice(0, 21)}…` : node.name;
  return (
    <g class={`node ${node.health}${isLeader ? " leads" : ""}${node.isVoter ? "" : " replica"}`}>
      <title>{node.name}: {node.role}, {node.health}{node.cause === "" ? "" : `: ${node.cause}`}</title>
      {isLeader && <circle class="ring" cx={x} cy={y} r={NODE_RADIUS + 5} />}
      <circle cx={x} cy={y} r={NODE_RADIUS} />
      {/* What a colour says, a sign says as well. */}
      <text class="sign" x={x} y={y + 5} text-anchor="middle">
        {node.health === "unreachable" ? "×" : node.health === "healthy" ? isLeader ? "★" : "✓" : "!"}
      </text>
      <text x={x} y={y + NODE_RADIUS + 18} text-anchor="middle" class="label">{name}</text>
      <text x={x} y={y + NODE_RADIUS + 32} text-anchor="middle" class="detail">
        {node.health === "healthy" ? node.role : node.health}
      </text>
    </g>
  );
}

function describe({ nodes, leaderId }: Picture): string {
  const leader = nodes.find(({ id }) => id === leaderId);
  return `${leader ? `${leader.name} leads` : "No node leads"}. ` +
    nodes.map(({ name, role, health }) => `${name}: ${role}, ${health}`).join(". ");
}
