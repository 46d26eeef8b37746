/**
 * Each Worker may do what its row says and nothing else: every right is tried in a Worker with that row.
 */
import { assert, assertEquals } from "@std/assert";
import { permissionsOf, type Role, ROLES } from "../../../src/program/node/permissions.ts";
import { bundledLibrary } from "../../../src/drivers/libsqlite/library.ts";
import type { Probe } from "./probe_worker.ts";

const NOTHING = {
  read: "denied",
  write: "denied",
  connect: "denied",
  listen: "denied",
  resolve: "denied",
  run: "denied",
  env: "denied",
  sys: "denied",
  library: "denied",
  otherLibrary: "denied",
  libc: "denied",
  pointer: "denied",
  callback: "denied",
  import: "denied",
};

/** The permissions of each role at its own places: everything else is {@linkcode NOTHING}. */
const OWN: Record<Role, (keyof typeof NOTHING)[]> = {
  replica: ["read", "write", "connect", "listen", "resolve"],
  sqlite: ["read", "write", "library"],
  reader: ["read", "write", "library"],
  snapshot: ["read", "write", "library"],
  backup: ["read", "write", "library"],
  parser: [],
  http: ["connect"], // to its own address, which a right to listen there includes
  membership: ["read", "write", "connect", "listen", "resolve"],
  nameserver: ["connect", "listen", "resolve"],
  uploader: ["read", "write", "connect"], // to its store, in its directory
  cdc: ["read", "write", "connect"], // to its sink
  otlp: ["connect"], // to its collector
  checks: ["connect", "listen", "resolve"], // and run, where scripts are allowed
  watches: ["connect", "listen", "resolve"], // and run, where a program is the handler
  rendezvous: ["connect", "listen", "resolve"],
  provider: ["connect", "listen", "resolve"],
  notifier: ["read", "write"], // in its directory; and the socket of the service manager
  discovery: ["connect"], // to the servers that the configuration names
};

async function probe(
  role: Role,
  scope: Parameters<typeof permissionsOf>[1],
  places: Probe,
): Promise<Record<string, string>> {
  const worker = new Worker(new URL("./probe_worker.ts", import.meta.url), {
    type: "module",
    deno: { permissions: permissionsOf(role, scope) },
  });
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message));
      };
      worker.postMessage(places);
    });
  } finally {
    worker.terminate();
  }
}

for (const role of ROLES) {
  Deno.test(`the ${role} Worker may do what its row of the permission table says, and nothing else`, async () => {
    const root = await Deno.makeTempDir({ prefix: "muster-permissions-" });
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    try {
      const scope = {
        raftDirectory: `${root}/raft`,
        sqliteDirectory: `${root}/sqlite`,
        httpAddrs: [`127.0.0.1:${listener.addr.port}`],
        httpsAddrs: [],
        gossipDirectory: `${root}/gossip`,
        discoveryAddrs: [`127.0.0.1:${listener.addr.port}`],
        uploads: { net: [`127.0.0.1:${listener.addr.port}`], directories: [`${root}/uploads`] },
        cdc: { net: [`127.0.0.1:${listener.addr.port}`], files: [`${root}/cdc`] },
        otlp: { net: [`127.0.0.1:${listener.addr.port}`] },
        serviceManager: { sockets: [`${root}/notify`], directory: `${root}/notifier` },
        sqliteLibrary: bundledLibrary(),
        runsScripts: false,
        runsHandlers: false,
      };
      for (const name of ["raft", "sqlite", "gossip", "uploads", "cdc", "notifier", "elsewhere"]) {
        await Deno.mkdir(`${root}/${name}`);
        await Deno.writeTextFile(`${root}/${name}/file`, "x");
      }
      const folders: Partial<Record<Role, string>> = {
        replica: "raft",
        membership: "gossip",
        uploader: "uploads",
        cdc: "cdc",
        notifier: "notifier",
      };
      const own = folders[role] ?? "sqlite";
      const at = (place: string, port: number): Probe => ({
        read: `${root}/${place}/file`,
        write: `${root}/${place}/new`,
        connect: { hostname: "127.0.0.1", port },
        library: bundledLibrary(),
      });
      const allowed = Object.fromEntries(OWN[role].map((right) => [right, "allowed"]));
      const found = await probe(role, scope, at(own, listener.addr.port));
      if (found.resolve?.startsWith("allowed")) found.resolve = "allowed"; // nobody answers there; it was let try
      assertEquals(found, { ...NOTHING, ...allowed });

      const elsewhere = await probe(role, scope, at("elsewhere", other.addr.port));
      assertEquals([elsewhere.read, elsewhere.write], ["denied", "denied"]);
      assertEquals(
        elsewhere.connect,
        ["replica", "membership", "nameserver", "checks", "watches", "rendezvous", "provider"].includes(role)
          ? "allowed"
          : "denied",
      );
    } finally {
      listener.close();
      other.close();
      await Deno.remove(root, { recursive: true });
    }
  });
}

Deno.test("the http Worker may listen at the addresses of HTTP and of HTTPS, and at none where there are none", () => {
  const scope = {
    raftDirectory: "/nowhere",
    sqliteDirectory: "/nowhere",
    gossipDirectory: "/nowhere",
    uploads: { net: [], directories: [] },
    cdc: { net: [], files: [] },
    otlp: { net: [] },
    serviceManager: { sockets: [], directory: "/nowhere" },
    discoveryAddrs: [],
    sqliteLibrary: "/nowhere",
    runsScripts: false,
    runsHandlers: false,
  };
  const netOf = (httpAddrs: string[], httpsAddrs: string[]) =>
    permissionsOf("http", { ...scope, httpAddrs, httpsAddrs }).net;
  assertEquals(netOf(["a:1"], ["b:2"]), ["a:1", "b:2"]);
  assertEquals(netOf([], ["b:2"]), ["b:2"]);
  assertEquals(netOf([], []), false);
  const atSocket = permissionsOf("http", { ...scope, httpAddrs: ["unix:///run/a", "a:1"], httpsAddrs: [] });
  assertEquals([atSocket.read, atSocket.write], [["/run/a"], ["/run/a"]]);
  // What the runtime calls the socket among the rights to the network, if it does.
  assert(["a:1", "a:1,unix:/run/a"].includes(String(atSocket.net)), String(atSocket.net));
});

Deno.test("the discovery Worker that asks the system's name servers may use the network, and nothing else", async () => {
  const scope = {
    raftDirectory: "/nowhere",
    sqliteDirectory: "/nowhere",
    gossipDirectory: "/nowhere",
    uploads: { net: [], directories: [] },
    cdc: { net: [], files: [] },
    otlp: { net: [] },
    serviceManager: { sockets: [], directory: "/nowhere" },
    httpAddrs: ["127.0.0.1:1"],
    httpsAddrs: [],
    sqliteLibrary: bundledLibrary(),
    runsScripts: false,
    runsHandlers: false,
  };
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const file = await Deno.makeTempFile({ prefix: "muster-permissions-" });
  try {
    const { port } = listener.addr;
    const places: Probe = {
      read: file,
      write: file,
      connect: { hostname: "127.0.0.1", port },
      library: bundledLibrary(),
    };
    const found = await probe("discovery", { ...scope, discoveryAddrs: "any" }, places);
    if (found.resolve?.startsWith("allowed")) found.resolve = "allowed"; // nobody answers there; it was let try
    assertEquals(found, { ...NOTHING, connect: "allowed", listen: "allowed", resolve: "allowed" });
  } finally {
    listener.close();
    await Deno.remove(file);
  }
});

Deno.test("the uploader Worker has no network where backups go to a directory, and no file where they go to a store", async () => {
  const scope = {
    cdc: { net: [], files: [] },
    otlp: { net: [] },
    serviceManager: { sockets: [], directory: "/nowhere" },
    raftDirectory: "/nowhere",
    sqliteDirectory: "/nowhere",
    gossipDirectory: "/nowhere",
    httpAddrs: [],
    httpsAddrs: [],
    discoveryAddrs: [],
    sqliteLibrary: bundledLibrary(),
    runsScripts: false,
    runsHandlers: false,
  };
  const root = await Deno.makeTempDir({ prefix: "muster-permissions-" });
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await Deno.writeTextFile(`${root}/file`, "x");
  const { port } = listener.addr;
  const places: Probe = {
    read: `${root}/file`,
    write: `${root}/new`,
    connect: { hostname: "127.0.0.1", port },
    library: bundledLibrary(),
  };
  try {
    const toDirectory = { net: [], directories: [root] };
    const toStore = { net: [`127.0.0.1:${port}`], directories: [] };
    const files = await probe("uploader", { ...scope, uploads: toDirectory }, places);
    assertEquals(files, { ...NOTHING, read: "allowed", write: "allowed" });
    const store = await probe("uploader", { ...scope, uploads: toStore }, places);
    assertEquals(store, { ...NOTHING, connect: "allowed" });
  } finally {
    listener.close();
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("the checks Worker may run programs where scripts are allowed, and has no other right for that", () => {
  const scope = {
    raftDirectory: "/nowhere",
    sqliteDirectory: "/nowhere",
    gossipDirectory: "/nowhere",
    uploads: { net: [], directories: [] },
    cdc: { net: [], files: [] },
    otlp: { net: [] },
    serviceManager: { sockets: [], directory: "/nowhere" },
    httpAddrs: [],
    httpsAddrs: [],
    discoveryAddrs: [],
    sqliteLibrary: "/nowhere",
  };
  const [without, allowed] = [false, true].map((runsScripts) =>
    permissionsOf("checks", { ...scope, runsScripts, runsHandlers: false })
  );
  assertEquals([without.run, allowed], [false, { ...without, run: true }]);
  const watches = (runsHandlers: boolean) => permissionsOf("watches", { ...scope, runsScripts: false, runsHandlers });
  assertEquals(watches(true), { ...watches(false), run: true, env: ["SHELL"] });
});
