/**
 * Rules of imports. `src/` has floors, and each floor has rooms, `src/FLOOR/ROOM/FILE.ts`. A file imports from its own
 * room, from the floors below, and from the rooms of its floor that {@linkcode ROOMS} names. Types of another room's `api.ts`,
 * which holds the messages of a Worker, may be imported by every room of the same floor. There is no circle of files, not
 * even one of types or of dynamic imports.
 * @module
 */
import { codeOf } from "./source.ts";
import ratchet from "./ratchet.json" with { type: "json" };

/** From the ground up. */
const FLOORS = ["base", "core", "drivers", "app", "api", "program"];

/** All rooms, each with the rooms of its own floor that it may import from. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  "base/codec": [],
  "base/shared": [],
  "base/worker": ["base/codec", "base/shared"],
  "base/net": ["base/codec", "base/worker"],
  "core/raft": [],
  "core/sql": [],
  "core/acl": ["core/sql", "core/catalog"],
  "core/catalog": ["core/sql"],
  "core/swim": [],
  "core/serf": ["core/swim"],
  "core/wan": [],
  "core/dns": [],
  "core/health": [],
  "core/metrics": [],
  "core/traces": [],
  "core/rendezvous": [],
  "core/provider": ["core/dns"],
  "drivers/log": [],
  "drivers/transport": [],
  "drivers/cluster": ["drivers/log", "drivers/transport"],
  "drivers/replica": ["drivers/log", "drivers/transport", "drivers/cluster"],
  "drivers/libsqlite": [],
  "drivers/sqlite": ["drivers/libsqlite"],
  "drivers/backup": ["drivers/libsqlite", "drivers/sqlite"],
  "drivers/snapshot": ["drivers/libsqlite", "drivers/sqlite"],
  "drivers/membership": [],
  "drivers/discovery": ["core/dns"],
  "drivers/provider": ["drivers/discovery"],
  "drivers/uploader": [],
  "drivers/sink": [],
  "drivers/checks": [],
  "app/users": [],
  "app/traces": [],
  "app/database": ["app/users", "app/traces"],
  "app/acl": ["app/users", "app/database"],
  "app/wan": ["app/users", "app/database"],
  "app/agent": ["app/users", "app/database", "app/acl", "app/wan"],
  "app/picture": ["app/users", "app/database", "app/agent"],
  "app/keys": ["app/users", "app/database", "app/agent", "app/acl"],
  "app/changes": ["app/users", "app/database", "app/agent"],
  "app/services": [
    "app/users",
    "app/database",
    "app/agent",
    "app/acl",
    "app/keys",
    "app/changes",
    "app/picture",
    "app/wan",
  ],
  "app/metrics": ["app/database", "app/agent", "app/services"],
  "api/http": [],
  "api/console": ["api/http"],
  "api/metrics": ["api/http"],
  "api/rqlite": ["api/http", "api/console", "api/metrics"],
  "api/consul": ["api/http", "api/metrics", "api/acl"],
  "api/acl": ["api/http", "api/consul"],
  "api/nameserver": [],
  "api/rendezvous": [],
  "api/server": ["api/http", "api/console", "api/metrics", "api/rqlite", "api/consul", "api/nameserver"],
  "program/config": [],
  "program/service_manager": [],
  "program/node": ["program/config", "program/rendezvous", "program/service_manager"],
  "program/watches": ["program/config", "program/client"],
  "program/rendezvous": ["program/config"],
  "program/client": ["program/config"],
  "program/shell": ["program/config", "program/client"],
  "program/manual": ["program/config", "program/node", "program/client"],
  "program/cli": [
    "program/config",
    "program/node",
    "program/client",
    "program/rendezvous",
    "program/shell",
    "program/manual",
  ],
};

/** An import, as it stands in a file. */
interface Import {
  readonly target: string;
  readonly isType: boolean;
}

const IMPORT = /(?:import|export)\s+(type\s+)?(?:[^;"']*?\sfrom\s+)?"(\.[^"]+)"|import\("(\.[^"]+)"\)/g;

/** What every floor may use. */
const EVERYBODYS: ReadonlySet<string> = new Set(["src/invariant.ts", "src/root.ts"]);

/** Faults of all imports together; sources by path. */
export function importFaults(sources: ReadonlyMap<string, string>): string[] {
  const graph = new Map([...sources].map(([path, text]) => [path, importsOf(path, text)]));
  const faults: string[] = [];
  for (const [path, imports] of graph) {
    if (!EVERYBODYS.has(path) && ROOMS[roomOf(path)] === undefined) {
      faults.push(`${path}: src/${roomOf(path)} is no room: see scripts/tidy/imports.ts`);
    }
    for (const one of imports) if (!isAllowed(path, one)) faults.push(`${path}: may not import ${one.target}`);
  }
  for (const circle of circles(graph)) faults.push(`a circle of imports: ${circle.join(", ")}`);
  const longest = longestChain(graph);
  if (longest.length !== ratchet.importChain) {
    const direction = longest.length > ratchet.importChain
      ? "longer"
      : "shorter: lower the figure in scripts/tidy/ratchet.json";
    faults.push(
      `a chain of ${longest.length} imports is ${direction} than ${ratchet.importChain}: ${longest.join(" > ")}`,
    );
  }
  return faults;
}

function importsOf(path: string, text: string): Import[] {
  const found: Import[] = [];
  for (const [, type, from, dynamic] of codeOf(text).matchAll(IMPORT)) {
    const target = new URL(from ?? dynamic, `file:///${path}`).pathname.slice(1);
    if (target.startsWith("src/") && target.endsWith(".ts")) found.push({ target, isType: type !== undefined });
  }
  return found;
}

function roomOf(path: string): string {
  return path.split("/").slice(1, -1).join("/");
}

function isAllowed(path: string, { target, isType }: Import): boolean {
  const [from, to] = [roomOf(path), roomOf(target)];
  if (from === to || EVERYBODYS.has(target)) return true;
  const [here, there] = [from, to].map((room) => FLOORS.indexOf(room.split("/")[0]));
  if (here !== there) return there < here;
  return ROOMS[from]?.includes(to) || isType && target.endsWith("/api.ts");
}

type Graph = ReadonlyMap<string, readonly Import[]>;

/** Groups of files of which each can be reached from each other (Tarjan's strongly connected components). */
function circles(graph: Graph): string[][] {
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (path: string): number => {
    const number = order.size;
    order.set(path, number);
    let lowest = number;
    stack.push(path);
    for (const { target } of graph.get(path) ?? []) {
      if (!order.has(target)) lowest = Math.min(lowest, visit(target));
      else if (stack.includes(target)) lowest = Math.min(lowest, order.get(target) ?? lowest);
    }
    low.set(path, lowest);
    if (lowest === number) {
      const group = stack.splice(stack.indexOf(path));
      if (group.length > 1) found.push(group);
    }
    return lowest;
  };
  for (const path of graph.keys()) if (!order.has(path)) visit(path);
  return found;
}

/** The longest way from a file down to one that imports nothing. */
function longestChain(graph: Graph): readonly string[] {
  const known = new Map<string, readonly string[]>();
  const chain = (path: string): readonly string[] => {
    const before = known.get(path);
    if (before) return before;
    known.set(path, [path]); // what a circle meets again
    const below = (graph.get(path) ?? []).map(({ target }) => chain(target));
    const longest = below.reduce<readonly string[]>((a, b) => b.length > a.length ? b : a, []);
    const whole = [path, ...longest];
    known.set(path, whole);
    return whole;
  };
  return [...graph.keys()].map(chain).reduce((a, b) => b.length > a.length ? b : a, []);
}
