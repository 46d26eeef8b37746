/**
 * Commands about keys, services, watches and snapshots, over real processes (C3.6 to C3.8, C3.10).
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { parseTar } from "nanotar";
import { gunzipSync } from "node:zlib";
import { agentPlace, type AgentProcess, withAgents } from "../harness/agents.ts";
import { musterCommand, until } from "../harness/processes.ts";

type Start = (place: ReturnType<typeof agentPlace>, ...flags: string[]) => AgentProcess;

/** A server that leads. */
async function leader(root: string, start: Start, ...flags: string[]): Promise<AgentProcess> {
  const server = start(agentPlace(root, "server"), "-server", "-bootstrap-expect=1", ...flags);
  await server.up();
  await until("it leads", () => server.leader());
  await until("it is in the catalog", async () => (await server.get("/v1/catalog/nodes")).length === 1 || undefined);
  return server;
}

/** Runs a command that is to end well; its output. */
async function run(agent: AgentProcess, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await agent.muster(...args);
  assertEquals([code, stderr.trim()], [0, ""], args.join(" "));
  return stdout;
}

/** Runs a command that is to fail; its exit code and what it says. */
async function failed(agent: AgentProcess, ...args: string[]): Promise<string> {
  const { code, stderr } = await agent.muster(...args);
  return `${code} ${stderr.trim()}`;
}

/** Starts a command beside the test; its output can be read. */
function started(agent: AgentProcess, args: readonly string[], stdin: "null" | "piped" = "null"): Deno.ChildProcess {
  const { command, args: before } = musterCommand();
  const env = { MUSTER_HTTP_ADDR: `${agent.place.host}:${agent.place.httpPort}` };
  return new Deno.Command(command, { args: [...before, ...args], env, stdin, stdout: "piped", stderr: "piped" })
    .spawn();
}

Deno.test("kv get, put, delete, export and import do as Consul's (C3.6)", () =>
  withAgents(async (root, start) => {
    const server = await leader(root, start);
    assertEquals(await run(server, "kv", "put", "app/a", "one"), "Success! Data written to: app/a\n");
    assertEquals(await run(server, "kv", "get", "app/a"), "one\n");
    await run(server, "kv", "put", "-flags=18446744073709551615", "-base64", "app/b//../c d", "dHdv");
    const shown = await run(server, "kv", "get", "-recurse", "-detailed", "app/");
    const first =
      "CreateIndex {6}\\d+\nFlags {12}0\nKey {14}app/a\nLockIndex {8}0\nModifyIndex {6}\\d+\nSession {10}-\n" +
      "Value {12}one\n\n";
    assertMatch(shown, new RegExp(`^${first}CreateIndex[^]*Flags {12}18446744073709551615\n[^]*Value {12}two\n$`));
    assertEquals(await run(server, "kv", "get", "-recurse", "-base64", "app"), "app/a:b25l\napp/b//../c d:dHdv\n");
    assertEquals(await run(server, "kv", "get", "-keys", "app/"), "app/a\napp/b/\n");
    assertEquals(await run(server, "kv", "get", "-keys", "-separator=", "app/"), "app/a\napp/b//../c d\n");
    assertEquals(await run(server, "kv", "get", "-recurse", "none"), "");
    assertEquals(await failed(server, "kv", "get", "none"), "1 Error! No key exists at: none");
    assertEquals(await failed(server, "kv", "get"), "1 Error! Missing KEY argument");
    assertEquals(await failed(server, "kv", "get", "a", "b"), "1 Too many arguments (expected 1, got 2)");
    assertMatch(
      await failed(server, "kv", "put", "-flags=x", "a"),
      /^1 invalid value "x" for flag -flags: parse error/,
    );

    const [{ ModifyIndex: index }] = await server.get("/v1/kv/app/a");
    const stale = ["-cas", `-modify-index=${index - 1}`, "app/a"];
    assertEquals(await failed(server, "kv", "put", ...stale, "x"), "1 Error! Did not write to app/a: CAS failed");
    assertEquals(await failed(server, "kv", "put", "-cas", "app/a"), "1 Error! Did not write to app/a: CAS failed");
    assertEquals(await failed(server, "kv", "delete", ...stale), "1 Error! Did not delete key app/a: CAS failed");
    await run(server, "kv", "put", "-cas", `-modify-index=${index}`, "app/a", "three");
    assertMatch(
      await failed(server, "kv", "delete", "-modify-index=1", "a"),
      /^1 Cannot specify -modify-index without/,
    );
    assertEquals(
      await failed(server, "kv", "delete", "-cas", "-modify-index=1", "-recurse", "a"),
      "1 Cannot specify both -cas and -recurse!",
    );

    const session = JSON.parse((await server.http("PUT", "/v1/session/create", "{}")).text).ID;
    const other = JSON.parse((await server.http("PUT", "/v1/session/create", "{}")).text).ID;
    const lock = async (flag: string, id: string) => {
      const { code, stdout, stderr } = await server.muster("kv", "put", flag, `-session=${id}`, "lock", "x");
      return `${code} ${(stdout + stderr).trim()}`;
    };
    assertEquals(await lock("-acquire", session), "0 Success! Lock acquired on: lock");
    assertEquals(await lock("-acquire", other), "1 Error! Did not acquire lock");
    assertEquals(await lock("-release", other), "1 Error! Did not release lock");
    assertEquals(await lock("-release", session), "0 Success! Lock released on: lock");
    assertMatch(await lock("-acquire", "none"), /^1 Error! Failed writing data: .*invalid session/);
    assertMatch(await failed(server, "kv", "put", "-acquire", "lock"), /^1 Error! Missing -session/);

    // Bytes that are no text come out as they went in.
    const bytes = new Uint8Array([0, 255, 254, 10, 13, 128]);
    await Deno.writeFile(`${root}/bytes`, bytes);
    await run(server, "kv", "put", "app/bytes", `@${root}/bytes`);
    const { stdout } = await started(server, ["kv", "get", "app/bytes"]).output();
    assertEquals(stdout, new Uint8Array([...bytes, 10]));
    const piped = started(server, ["kv", "put", "app/piped", "-"], "piped");
    const writer = piped.stdin.getWriter();
    await writer.write(new TextEncoder().encode("from standard input"));
    await writer.close();
    assertEquals((await piped.output()).code, 0);
    assertEquals((await server.http("GET", "/v1/kv/app/piped?raw")).text, "from standard input");

    const before = await run(server, "kv", "export", "app/");
    assertMatch(before, /^\[\n\t\{\n\t\t"key": "app\/a",\n\t\t"flags": 0,\n\t\t"value": "dGhyZWU="\n\t\},/);
    await Deno.writeTextFile(`${root}/export.json`, before);
    assertEquals(await run(server, "kv", "delete", "-recurse", "app/"), "Success! Deleted keys with prefix: app/\n");
    assertEquals(await run(server, "kv", "export", "app/"), "[]\n");
    assertMatch(await run(server, "kv", "import", `@${root}/export.json`), /^Imported: app\/a\nImported: app\/b\/\//);
    assertEquals(await run(server, "kv", "export", "app/"), before);
    await run(server, "kv", "import", "-prefix=copy", `@${root}/export.json`);
    assertEquals(await run(server, "kv", "get", "copy/app/a"), "three\n");
    assertMatch(await failed(server, "kv", "import", "{"), /^1 Cannot unmarshal data: /);
    assertEquals(await failed(server, "kv", "import"), "1 Error! Missing DATA argument");
    assertEquals(await run(server, "kv", "delete", "app/a"), "Success! Deleted key: app/a\n");
    assertMatch(await failed(server, "kv"), /^1 Usage: muster kv COMMAND/);
  }));

Deno.test("services are registered by file and by flags, listed, put into maintenance and deregistered (C3.7, C3.8, C3.10)", () =>
  withAgents(async (root, start) => {
    const server = await leader(root, start);
    await Deno.writeTextFile(
      `${root}/web.hcl`,
      `service { name = "web" port = 80 tags = ["v1"] meta { a = "b" } check { ttl = "60s" status = "passing" } }
       services { ID = "web-2" Name = "web" Port = 81 }`,
    );
    const registered = "Registered service: web\nRegistered service: web\n";
    const more = ["-tag=v2", "-meta=c=d", "-address=192.0.2.1", "-tagged-address=wan=[2001:db8::1]:8080"];
    assertEquals(await run(server, "services", "register", ...more, `${root}/web.hcl`), registered);
    const { web, "web-2": second } = await server.get("/v1/agent/services");
    assertEquals([web.Port, web.Tags, web.Meta], [80, ["v1", "v2"], { a: "b", c: "d" }]);
    assertEquals(web.TaggedAddresses.wan, { Address: "2001:db8::1", Port: 8080 });
    assertEquals([second.Port, second.Tags, second.Address], [81, ["v2"], "192.0.2.1"]);
    assertEquals((await server.get("/v1/agent/checks"))["service:web"].Status, "passing");
    await run(server, "services", "register", "-name=db", "-id=db-1", "-port=5432");
    assertEquals((await server.get("/v1/agent/service/db-1")).Service, "db");
    await Deno.writeTextFile(`${root}/bad.json`, `{"service":{"nme":"typo"}}`);
    assertMatch(await failed(server, "services", "register", `${root}/bad.json`), /^1 Error: .*nme/);
    assertEquals(
      await failed(server, "services", "register"),
      "1 Service registration requires at least one argument or flags.",
    );
    assertEquals(
      await failed(server, "services", "register", "-name=x", `${root}/web.hcl`),
      "1 Service registration requires arguments or -id, not both.",
    );
    assertMatch(
      await failed(server, "services", "register", "-name=x", "-meta=y"),
      /^1 invalid value "y" for flag -meta/,
    );
    assertMatch(
      await failed(server, "services", "register", "-name=x", "-port=80000"),
      /^1 Error: /,
    );

    await until("they are in the catalog", async () => {
      return Object.keys(await server.get("/v1/catalog/services")).length === 3 || undefined;
    });
    assertEquals(await run(server, "catalog", "services", "-tags"), "consul      \ndb          \nweb         v1,v2\n");
    assertEquals(
      await run(server, "catalog", "services", "-node=server", "-tags"),
      "consul      \ndb          \nweb         v1,v2\n",
    );
    const none = "No services match the given query - try expanding your search.\n";
    assertEquals((await server.muster("catalog", "services", "-node=none")).stderr, none);
    assertEquals((await server.muster("catalog", "services", "-node-meta=none=x")).stderr, none);
    assertMatch(await run(server, "catalog", "nodes", "-service=web", "-near=_agent"), /^Node .*\nserver .*\n$/);
    assertMatch(await run(server, "catalog", "nodes", "-filter=Node == server"), /\nserver /);
    const nobody = await server.muster("catalog", "nodes", "-filter=Node == none");
    assertEquals([nobody.code, nobody.stderr.trim()], [
      0,
      "No nodes match the given query - try expanding your search.",
    ]);
    assertMatch(await run(server, "members", "-filter=Tags.role == consul"), /\nserver /);
    assertEquals((await server.muster("members", "-filter=Name == none")).code, 2);
    assertMatch(await failed(server, "members", "-filter=Nmae == x"), /^1 Error retrieving members: .*no field Nmae/);

    assertEquals(await run(server, "maint"), "");
    assertEquals(await run(server, "maint", "-enable", "-reason=new disks"), "Node maintenance is now enabled\n");
    const ofService = ["-service=web-2"];
    assertEquals(
      await run(server, "maint", "-enable", ...ofService),
      'Service maintenance is now enabled for "web-2"\n',
    );
    const listed = await run(server, "maint");
    assertMatch(listed, /Node:\n {2}Name: {3}server\n {2}Reason: new disks\n\n/);
    assertMatch(listed, /Service:\n {2}ID: {5}web-2\n {2}Reason: Maintenance mode is enabled/);
    assertEquals(await run(server, "maint", "-disable"), "Node maintenance is now disabled\n");
    assertMatch(await run(server, "maint", "-disable", ...ofService), /now disabled for "web-2"/);
    assertEquals(await run(server, "maint"), "");
    assertEquals(
      await failed(server, "maint", "-enable", "-disable"),
      "1 Only one of -enable or -disable may be provided",
    );
    assertEquals(await failed(server, "maint", "-reason=x"), "1 Reason may only be provided with -enable");
    assertEquals(await failed(server, "maint", ...ofService), "1 Service requires either -enable or -disable");
    assertMatch(
      await failed(server, "maint", "-enable", "-service=none"),
      /^1 Error enabling service maintenance: .*404 .*none/,
    );

    const removed = "Deregistered service: web\nDeregistered service: web-2\n";
    assertEquals(await run(server, "services", "deregister", `${root}/web.hcl`), removed);
    assertEquals(await run(server, "services", "deregister", "-id=db-1"), "Deregistered service: db-1\n");
    assertEquals(await server.get("/v1/agent/services"), {});
    assertMatch(
      await failed(server, "services", "deregister", "-id=db-1"),
      /^1 Error deregistering service "db-1": .*404/,
    );
    assertMatch(await failed(server, "services", "deregister"), /^1 Service deregistration requires at least one/);
  }));

Deno.test("watch prints each kind of state, and runs its child at each change (C3.10)", () =>
  withAgents(async (root, start) => {
    const server = await leader(root, start);
    const shown = async (...args: string[]) => JSON.parse(await run(server, "watch", ...args));
    assertEquals(await shown("-type=key", "-key=w/a"), null);
    await run(server, "kv", "put", "w/a", "one");
    assertMatch(await run(server, "watch", "-type=key", "-key=w/a"), /^\{\n {4}"Key": "w\/a",\n/);
    assertEquals((await shown("-type=keyprefix", "-prefix=w/"))[0].Value, btoa("one"));
    assertEquals(await shown("-type=services"), { consul: [] });
    assertEquals((await shown("-type=nodes"))[0].Node, "server");
    assertEquals((await shown("-type=service", "-service=consul", "-passingonly=true"))[0].Service.Service, "consul");
    assertEquals((await shown("-type=checks", "-state=passing"))[0].CheckID, "serfHealth");
    assertEquals(await shown("-type=checks", "-service=none"), []);
    assertEquals(await shown("-type=event", "-name=none"), []);
    assertMatch(await failed(server, "watch"), /^1 Watch type must be specified/);
    assertEquals(await failed(server, "watch", "-type=x"), "1 Unsupported watch type: x");

    const lines = async (name: string) => {
      return (await Deno.readTextFile(`${root}/${name}`).catch(() => "")).split("\n").slice(0, -1);
    };
    const child = (name: string) => `echo "$CONSUL_INDEX $(cat)" >> ${root}/${name}`;
    const keys = started(server, ["watch", "-type=keyprefix", "-prefix=w/", child("keys")]);
    const events = started(server, ["watch", "-type=event", "-name=deploy", child("events")]);
    await until(
      "both have begun",
      async () => (await lines("keys")).length + (await lines("events")).length === 2 || undefined,
    );
    await run(server, "kv", "put", "other", "x");
    await run(server, "kv", "put", "w/b", "two");
    await until("it changes", async () => (await lines("keys")).length === 2 || undefined);
    await run(server, "kv", "delete", "-recurse", "w/");
    await until("it changes again", async () => (await lines("keys")).length === 3 || undefined);
    const seen = (await lines("keys")).map((line) => line.split(" "));
    const [{ Key, ModifyIndex }] = JSON.parse(seen[1][1]).slice(-1);
    assertEquals([Key, String(ModifyIndex)], ["w/b", seen[1][0]]);
    assertEquals(seen[2][1], "null");
    for (const payload of ["1", "2"]) {
      await run(server, "event", "-name=deploy", payload);
      await until("the event", async () => (await lines("events")).length === 1 + Number(payload) || undefined);
    }
    const payloads = (await lines("events")).map((line) => JSON.parse(line.slice(line.indexOf(" "))))
      .map((list: { Payload: string }[]) => list.map(({ Payload }) => atob(Payload)));
    assertEquals(payloads, [[], ["1"], ["2"]]);
    keys.kill("SIGINT");
    events.kill("SIGTERM");
    assertEquals([(await keys.output()).code, (await events.output()).code], [0, 0]);

    const wrong = await started(server, ["watch", "-shell=false", "-type=nodes", "/bin/sh", "-c", "exit 3"]).output();
    assertEquals(wrong.code, 1);
    assertMatch(new TextDecoder().decode(wrong.stderr), /Error executing handler: exit status 3/);
  }));

Deno.test("a snapshot is saved, verified, inspected and restored (C3.10, C7.7)", () =>
  withAgents(async (root, start) => {
    const server = await leader(root, start);
    for (const [key, value] of [["app/a/x", "one"], ["app/a/y", "two"], ["b", "three"]]) {
      await run(server, "kv", "put", key, value);
    }
    const file = `${root}/state.snap`;
    assertMatch(await run(server, "snapshot", "save", file), /^Saved and verified snapshot to index \d+\n$/);
    assertEquals((await Deno.stat(file)).mode ?? 0, 0o100600);
    await run(server, "snapshot", "save", "-stale", "-append-filename=node,dc,version", file);
    const names = [...Deno.readDirSync(root)].map(({ name }) => name).filter((name) => name.startsWith("state"));
    assertMatch(names.sort().join(" "), /^state-\d+\.\d+\.\d+-dc1-server\.snap state\.snap$/);
    const pretty = await run(server, "snapshot", "inspect", "-kvdetails", file);
    assertMatch(
      pretty,
      /^ ID {11}\S+\n Size {9}\d+\n Index {8}\d+\n Term {9}\d+\n Version {6}1\n\n Type +Count +Size +\n ----/,
    );
    assertMatch(
      pretty,
      /\n KVS +3 +\d+B +\n[^]*\n Total +\S+ +\n\n Key Name +Count +Size +\n[^]*\n app\/a +2 +\d+B +\n/,
    );
    const json = JSON.parse(await run(server, "snapshot", "inspect", "-format=json", file));
    assertEquals(json.Stats.map(({ Name }: { Name: string }) => Name), ["Register", "KVS"]);
    assertEquals([json.Meta.Version, json.StatsKV, json.TotalSizeKV], [1, null, 0]);

    await run(server, "kv", "delete", "-recurse", "app/");
    await run(server, "kv", "put", "later", "x");
    assertEquals(await run(server, "snapshot", "restore", file), "Restored snapshot\n");
    assertEquals(await run(server, "kv", "get", "-recurse"), "app/a/x:one\napp/a/y:two\nb:three\n");

    const damaged = await Deno.readFile(file);
    damaged[damaged.length >> 1] ^= 0xff;
    await Deno.writeFile(`${root}/damaged.snap`, damaged);
    assertMatch(
      await failed(server, "snapshot", "inspect", `${root}/damaged.snap`),
      /^1 Error reading snapshot: failed to /,
    );
    assertMatch(
      await failed(server, "snapshot", "restore", `${root}/damaged.snap`),
      /^1 Error restoring snapshot: .*400/,
    );
    assertMatch(await failed(server, "snapshot", "restore", `${root}/none`), /^1 Error opening snapshot file: /);
    assertMatch(
      await failed(server, "snapshot", "save", `${root}/none/x`),
      /^1 Error writing unverified snapshot file: /,
    );
    assertEquals(await failed(server, "snapshot", "save"), "1 Missing FILE argument");
    assertEquals(await failed(server, "snapshot", "inspect", "a", "b"), "1 Too many arguments (expected 1, got 2)");
  }));

Deno.test("rtt, autopilot, exec, version and the name consul (C3.9, C3.10, C3.13)", () =>
  withAgents(async (root, start) => {
    const server = await leader(root, start);
    assertMatch(
      await run(server, "rtt", "SERVER"),
      /^Estimated SERVER <-> server rtt: \d+\.\d{3} ms \(using LAN coordinates\)\n$/,
    );
    assertEquals(await failed(server, "rtt", "none"), '1 Could not find a coordinate for node "none"');
    assertMatch(await failed(server, "rtt"), /^1 One or two node names must be specified\n\nmuster rtt: /);
    assertMatch(
      await run(server, "operator", "autopilot", "get-config"),
      /^CleanupDeadServers = \w+\n[^]*UpgradeVersionTag = ""\n$/,
    );
    await until(
      "it is well",
      async () => (await server.http("GET", "/v1/operator/autopilot/health")).status === 200 || undefined,
    );
    const state = await run(server, "operator", "autopilot", "state");
    assertMatch(
      state,
      /^Healthy: {22}true\nFailure Tolerance: {12}0\nLeader: {23}([0-9a-f-]{36})\nVoters:\n {3}\1\nServers:\n {3}\1\n/,
    );
    assertMatch(state, /\n {6}Name: {12}server\n[^]*\n {6}Status: {10}leader\n {6}Node Type: {7}voter\n/);
    const { Leader, Servers } = JSON.parse(await run(server, "operator", "autopilot", "state", "-format=json"));
    assertEquals(Servers[Leader].Name, "server");
    assertMatch(await failed(server, "exec", "ls"), /^1 exec is not supported: /);
    const { Version } = JSON.parse(await run(server, "version", "-format=json"));
    const { Config, DebugConfig, Stats } = await server.get("/v1/agent/self");
    const { HumanVersion } = await server.get("/v1/agent/version");
    assertEquals([Stats.build.version, HumanVersion], [Version, Version]);
    // Clients compare these with the version of Consul that they need.
    const api = `1.22.0+muster.${Version}`;
    assertEquals([Config.Version, DebugConfig.Version], [api, api]);
    assertMatch(await failed(server, "version", "-format=x"), /^1 Unknown format: x/);

    const { command, args } = musterCommand();
    const consul = async (...words: string[]) => {
      const line = ["-c", 'exec -a /usr/bin/consul "$0" "$@"', command, ...args, ...words];
      const { code, stdout, stderr } = await new Deno.Command("bash", { args: line, stdin: "null" }).output();
      return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
    };
    assertMatch((await consul("version")).stdout, /^Consul v/);
    assertMatch((await consul("kv", "get", "-h")).stdout, /\nUsage: consul kv get /);
    const alone = await consul();
    assertEquals(alone.code, 127);
    assertMatch(alone.stderr, /Usage: consul COMMAND/);
  }));

Deno.test("debug collects figures and the log, in an archive or a directory (C3.10)", () =>
  withAgents(async (root, start) => {
    const server = await leader(root, start);
    await server.http("PUT", "/v1/kv/secret", "hidden-value");
    const archive = `${root}/one`;
    const told = await run(server, "debug", "-duration=3s", "-interval=1s", `-output=${archive}`);
    assertMatch(
      told,
      /^==> Starting debugger and capturing static information...\n {5}Agent Version: '1\.22\.0\+muster/,
    );
    assertMatch(told, new RegExp(`Saved debug archive: ${archive}.tar.gz\n$`));
    const packed = await Deno.readFile(`${archive}.tar.gz`);
    const files = new Map(parseTar(gunzipSync(packed)).map(({ name, text }) => [name, text]));
    const names = [...files.keys()];
    assert(names.includes("one/agent.json") && names.includes("one/members.json") && names.includes("one/muster.log"));
    const statuses = names.filter((name) => /^one\/\d{4}-.*Z\/status\.json$/.test(name));
    assert(statuses.length >= 2, names.join(" "));
    for (const name of statuses) assertEquals(typeof JSON.parse(files.get(name) ?? "").store, "object");
    for (const [name, text] of files) assert(!text.includes("hidden-value"), name);

    const directory = `${root}/two`;
    const words = [
      "debug",
      "-duration=1s",
      "-interval=1s",
      "-capture=members",
      "-archive=false",
      `-output=${directory}`,
    ];
    assertMatch(await run(server, ...words), /Saved debug directory: /);
    assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name), ["members.json"]);
    assertMatch(await failed(server, ...words), /^1 Cannot write .*two: /);
    assertMatch(await failed(server, "debug", "-capture=x"), /^1 Unknown capture "x": expected agent, members, /);
    assertEquals(await failed(server, "debug", "-interval=0s"), "1 interval must be longer than 1s");
  }));
