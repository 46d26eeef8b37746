/**
 * Cycles among transactions: the shortest of each strongly connected component, named after the edges it needs. Pure.
 *
 * Real-time edges are not written out, they would be a square of the number of transactions: a chain of moments stands
 * for them, one for each return, and a transaction comes after the last moment before its call.
 * @module
 */
import type { CycleKind, Transaction } from "./list_append.ts";

/** An order between two transactions. */
export interface Edge {
  readonly from: Transaction;
  readonly to: Transaction;
  /** Write-write, write-read, read-write, real time. */
  readonly kind: "ww" | "wr" | "rw" | "rt";
  /** A verb between the two. */
  readonly label: string;
}

/** A cycle: each edge goes to where the next one starts. */
export interface Cycle {
  readonly kind: CycleKind;
  readonly edges: readonly Edge[];
}

/** Which edges a cycle may have, the worst anomalies first. */
const LEVELS: readonly (readonly Edge["kind"][])[] = [
  ["ww"],
  ["ww", "wr"],
  ["ww", "wr", "rw"],
  ["ww", "rt"],
  ["ww", "wr", "rt"],
  ["ww", "wr", "rw", "rt"],
];

/** A vertex: transactions first, the moments of the clock after them. */
interface Step {
  readonly to: number;
  /** Undefined for the clock's. */
  readonly edge: Edge | undefined;
}

/** Finds a cycle for every component that has one. */
export function findCycles(transactions: readonly Transaction[], edges: readonly Edge[]): Cycle[] {
  const vertexOf = new Map(transactions.map((transaction, at) => [transaction, at]));
  const graph: Step[][] = transactions.map(() => []);
  for (const edge of edges) {
    const [from, to] = [vertexOf.get(edge.from), vertexOf.get(edge.to)];
    if (from !== undefined && to !== undefined) graph[from].push({ to, edge });
  }
  addClock(transactions, graph);
  return components(graph).map((component) => nameCycle(transactions, graph, component));
}

function addClock(transactions: readonly Transaction[], graph: Step[][]): void {
  const calls = transactions.map((one, vertex) => ({ vertex, at: one.invokedAt, isCall: true }));
  const returns = transactions.flatMap((one, vertex) =>
    one.returnedAt === Infinity ? [] : [{ vertex, at: one.returnedAt, isCall: false }]
  );
  // At the same time calls come first: such transactions are concurrent.
  const events = [...calls, ...returns].sort((a, b) => a.at - b.at || Number(b.isCall) - Number(a.isCall));
  let moment: number | undefined;
  for (const { vertex, isCall } of events) {
    if (isCall) {
      if (moment !== undefined) graph[moment].push({ to: vertex, edge: undefined });
      continue;
    }
    const next = graph.push([]) - 1;
    graph[vertex].push({ to: next, edge: undefined });
    if (moment !== undefined) graph[moment].push({ to: next, edge: undefined });
    moment = next;
  }
}

/** Strongly connected components of more than one vertex (Tarjan, without recursion). */
function components(graph: readonly (readonly Step[])[]): Set<number>[] {
  const found: Set<number>[] = [];
  const order = new Array<number>(graph.length).fill(-1);
  const low = new Array<number>(graph.length).fill(0);
  const isOpen = new Array<boolean>(graph.length).fill(false);
  const open: number[] = [];
  let count = 0;
  const enter = (vertex: number, path: { vertex: number; at: number }[]) => {
    order[vertex] = low[vertex] = count++;
    open.push(vertex);
    isOpen[vertex] = true;
    path.push({ vertex, at: 0 });
  };
  for (let root = 0; root < graph.length; root++) {
    if (order[root] >= 0) continue;
    const path: { vertex: number; at: number }[] = [];
    enter(root, path);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const { vertex } = top;
      const step = graph[vertex][top.at++];
      if (step !== undefined) {
        if (order[step.to] < 0) enter(step.to, path);
        else if (isOpen[step.to]) low[vertex] = Math.min(low[vertex], order[step.to]);
        continue;
      }
      path.pop();
      const parent = path.at(-1);
      if (parent) low[parent.vertex] = Math.min(low[parent.vertex], low[vertex]);
      if (low[vertex] !== order[vertex]) continue;
      const component = new Set(open.splice(open.lastIndexOf(vertex)));
      for (const one of component) isOpen[one] = false;
      if (component.size > 1) found.push(component);
    }
  }
  return found;
}

/** The shortest cycle with the fewest kinds of edges. */
function nameCycle(
  transactions: readonly Transaction[],
  graph: readonly (readonly Step[])[],
  component: ReadonlySet<number>,
): Cycle {
  for (const kinds of LEVELS) {
    const allows = ({ to, edge }: Step) => component.has(to) && kinds.includes(edge?.kind ?? "rt");
    let shortest: Step[] | undefined;
    for (const start of component) {
      if (start >= transactions.length) continue;
      const path = pathBack(graph, start, allows);
      if (path && (shortest === undefined || path.length < shortest.length)) shortest = path;
    }
    if (shortest === undefined) continue;
    const edges = withoutMoments(transactions, shortest);
    const misses = edges.filter(({ kind }) => kind === "rw").length;
    const name = misses > 1 ? "G2" : misses === 1 ? "G-single" : edges.some(({ kind }) => kind === "wr") ? "G1c" : "G0";
    return { kind: edges.some(({ kind }) => kind === "rt") ? `${name}-realtime` : name, edges };
  }
  throw new Error("A component without a cycle");
}

/** Shortest way from a vertex to itself, breadth first: its last step leads back to `start`. */
function pathBack(
  graph: readonly (readonly Step[])[],
  start: number,
  allows: (step: Step) => boolean,
): Step[] | undefined {
  const cameBy = new Map<number, { from: number; step: Step }>();
  const queue = [start];
  for (const vertex of queue) {
    for (const step of graph[vertex]) {
      if (!allows(step) || cameBy.has(step.to)) continue;
      cameBy.set(step.to, { from: vertex, step });
      if (step.to !== start) {
        queue.push(step.to);
        continue;
      }
      const path: Step[] = [];
      let back = cameBy.get(start);
      while (back !== undefined) {
        path.unshift(back.step);
        back = back.from === start ? undefined : cameBy.get(back.from);
      }
      return path;
    }
  }
}

/** The cycle as edges between transactions: a way through moments becomes one real-time edge. */
function withoutMoments(transactions: readonly Transaction[], path: readonly Step[]): Edge[] {
  const edges: Edge[] = [];
  const start = path.at(-1)?.to ?? 0;
  let from = transactions[start];
  for (const { to, edge } of path) {
    if (edge) edges.push(edge);
    else if (to < transactions.length) edges.push({ from, to: transactions[to], kind: "rt", label: "ended before" });
    if (to < transactions.length) from = transactions[to];
  }
  return edges;
}
