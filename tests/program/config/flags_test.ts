/** The command line (Q14.1 to Q14.3). */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { Flags, UsageError } from "../../../src/program/config/flags.ts";
import { SERVE_FLAGS } from "../../../src/program/config/serve_flags.ts";
import { configFault, type NodeConfig } from "../../../src/program/config/config.ts";
import { musterHere } from "../../harness/command_line.ts";

function parse(...args: string[]): Flags {
  return Flags.parse(args, SERVE_FLAGS);
}

Deno.test("flags take one dash or two, a value apart or behind =, and end at the first argument", () => {
  const flags = parse(
    "-node-id",
    "a",
    "--http-addr=h:1",
    "-fk",
    "-raft-shutdown-stepdown=false",
    "data",
    "-join",
    "x:1",
  );
  assertEquals([
    flags.string("node-id"),
    flags.string("http-addr"),
    flags.bool("fk"),
    flags.bool("raft-shutdown-stepdown"),
  ], ["a", "h:1", true, false]);
  assertEquals(flags.rest, ["data", "-join", "x:1"]);
  assertEquals(parse("-join", "a:1,b:2").list("join"), ["a:1", "b:2"]);
  assertEquals(parse("-raft-heartbeat-timeout", "250ms").durationMs("raft-heartbeat-timeout"), 250);
});

Deno.test("wrong flags are refused in Go's words", () => {
  const cases: [string[], string][] = [
    [["-x"], "flag provided but not defined: -x"],
    [["-node-id"], "flag needs an argument: -node-id"],
    [["-join-attempts", "x"], `invalid value "x" for flag -join-attempts: parse error: want a whole number`],
    [["-fk=maybe"], `invalid boolean value "maybe" for -fk: parse error: want true or false`],
    [
      ["-join-interval", "5"],
      `invalid value "5" for flag -join-interval: parse error: want a number with its unit, as in 500ms, 5s or 1h`,
    ],
    [
      ["-trace-profile", "file"],
      "not supported: -trace-profile: the runtime has no execution trace as Go has",
    ],
    [["-otlp-no-verify"], "not supported yet: -otlp-no-verify"],
    [["-on-disk-path", "x"], "flag provided but not defined: -on-disk-path"],
  ];
  for (const [args, message] of cases) assertEquals(assertThrows(() => parse(...args), UsageError).message, message);
});

Deno.test("flags that are not supported yet are taken at their default value", () => {
  parse("-raft-snap", "8192", "-raft-reap-node-timeout", "0s", "-auto-optimize-int=24h", "-write-queue-tx=false");
});

Deno.test("every flag of rqlited is known", () => {
  assertEquals(SERVE_FLAGS.length, new Set(SERVE_FLAGS.map(({ name }) => name)).size);
  assertEquals(SERVE_FLAGS.filter(({ help }) => !help.includes("(muster)")).length, 68);
});

const GOOD: NodeConfig = {
  dataDirectory: "d",
  nodeId: "",
  httpAddrs: ["localhost:4001"],
  httpsAddrs: [],
  httpAdvertisedAddr: "localhost:4001",
  console: true,
  httpAllowOrigin: "",
  authFile: "",
  joinAs: "",
  httpBodyBytesMax: 1,
  httpRequestsMax: 1,
  httpConnectionsMax: 1,
  httpBodyTimeoutMs: 1,
  queryTimeoutMs: 1,
  slowMs: 1,
  clusterAddr: "localhost:4002",
  clusterAdvertisedAddr: "localhost:4002",
  isVoter: true,
  join: [],
  joinAttempts: 5,
  joinIntervalMs: 3000,
  bootstrapExpect: 0,
  bootstrapTimeoutMs: 1,
  rejoinsDamaged: false,
  discoMode: "",
  discoKey: "rqlite",
  discoConfig: "",
  autoBackup: "",
  autoRestore: "",
  cdcConfig: "",
  otlp: {
    endpoint: "",
    intervalMs: 1,
    traceRatio: 0,
    tracesSql: false,
    isInsecure: false,
    skipsVerification: false,
    caCert: "",
    cert: "",
    key: "",
  },
  heartbeatTimeoutMs: 1000,
  electionTimeoutMs: 1000,
  leaderLeaseTimeoutMs: 0,
  leaseReads: false,
  applyTimeoutMs: 1,
  connectTimeoutMs: 1,
  removeOnShutdown: false,
  stopWhenRemoved: false,
  reapVoterMs: 0,
  reapNonVoterMs: 0,
  snapshotEntries: 8192,
  snapshotWalBytes: 4194304,
  snapshotIntervalMs: 10_000,
  stepdownOnShutdown: true,
  foreignKeys: false,
  sqliteLibrary: "",
  extensionsPath: [],
  clusterName: "",
  readersMax: 256,
  compressSnapshots: false,
  maxSteps: 1,
  tempBytesMax: 1,
  httpCert: "",
  httpKey: "",
  httpCaCert: "",
  httpVerifiesClients: false,
  httpClientName: "",
  httpTlsVersion: "TLSv1.2",
  nodeCert: "",
  nodeKey: "",
  nodeCaCert: "",
  nodeServerName: "",
  nodeVerifies: true,
  nodeVerifiesClients: false,
  nodeClientName: "",
  nodeTlsVersion: "TLSv1.2",
  clusterSecretFile: "",
  clusterSecretOptional: false,
  autoVacuumMs: 0,
  autoOptimizeMs: 86_400_000,
  writeQueue: { capacity: 1024, batchSize: 128, timeoutMs: 50, isTransaction: false },
};

Deno.test("a configuration is checked with rqlite's texts", () => {
  const cases: [Partial<NodeConfig>, string | undefined][] = [
    [{}, undefined],
    [{ httpAddrs: ["localhost:4002"] }, "HTTP and Raft addresses must differ"],
    [{ httpAddrs: ["http://localhost:4001"] }, "HTTP options should not include protocol (http:// or https://)"],
    [{ httpAddrs: ["localhost"] }, "HTTP bind address not valid: want HOST:PORT as in localhost:4001, not localhost"],
    [
      { httpAddrs: ["localhost:80000"] },
      "HTTP bind address not valid: want HOST:PORT as in localhost:4001, not localhost:80000",
    ],
    [{ httpAdvertisedAddr: "localhost" }, "HTTP advertised HTTP address not valid: want HOST:PORT, not localhost"],
    [
      { httpAdvertisedAddr: "0.0.0.0:4001" },
      "advertised HTTP address is not routable (0.0.0.0), specify it via -http-addr or -http-adv-addr",
    ],
    [{ clusterAddr: "localhost:x" }, "raft bind port not valid: want a number up to 65535, not x"],
    [
      { clusterAdvertisedAddr: "[::]:4002" },
      "advertised Raft address is not routable (::), specify it via -raft-addr or -raft-adv-addr",
    ],
    [{ clusterAdvertisedAddr: "localhost:4001" }, "advertised HTTP and Raft addresses must differ"],
    [{ isVoter: false, bootstrapExpect: 3 }, "bootstrapping only applicable to voting nodes"],
    ...["nonsense", "http://nonsense", "http://localhost:4001", "localhost:x", "[::1", "[::1:4002", "::1]:4002"].map((
      addr,
    ): [Partial<NodeConfig>, string] => [
      { join: [addr] },
      `${addr} is an invalid join address: want HOST:PORT of a node's Raft address, as in localhost:4002`,
    ]),
    [{ join: ["localhost:4002"] }, "node cannot join with itself unless bootstrapping"],
    [{ join: ["localhost:4002"], bootstrapExpect: 1 }, undefined],
    [{ httpAddrs: [":4001"], httpAdvertisedAddr: ":4001" }, undefined],
  ];
  for (const [change, fault] of cases) assertEquals(configFault({ ...GOOD, ...change }), fault);
});

Deno.test("help, version and wrong usage have their words and exit codes", async () => {
  const bare = await musterHere([]);
  assertEquals(bare.code, 0);
  assertEquals(bare.stdout.match(/^ {2}(muster serve|curl) /gm)?.length, 3, "three examples");
  const version = await musterHere(["version"]);
  assertEquals(version.code, 0);
  assertMatch(version.stdout, /^muster v\d+\.\d+\.\d+ /);
  assertEquals((await musterHere(["serve", "-version"])).code, 0);
  assertMatch((await musterHere(["help", "serve"])).stdout, /-bootstrap-expect int/);
  const unknown = await musterHere(["frobnicate"]);
  assertEquals(unknown.code, 2);
  assertMatch(unknown.stderr, /unknown command "frobnicate"/);
  assertEquals((await musterHere(["serve", "-x", "d"])).code, 2);
  const noDirectory = await musterHere(["serve"]);
  assertEquals(noDirectory.code, 2);
  assertMatch(noDirectory.stderr, /fatal: data directory path is required/);
  const two = await musterHere(["serve", "a", "b"]);
  assertEquals(two.code, 2);
  assertMatch(two.stderr, /arguments after data directory \(a\) are not accepted \(b\)/);
  assertEquals((await musterHere(["serve", "-join-attempts=0", "d"])).code, 2);
  const rendezvous = await musterHere(["rendezvous", "-nope"]);
  assertEquals([rendezvous.code, rendezvous.stderr.includes('Run "muster rendezvous -help"')], [1, true]);
});
