/**
 * A short run of `deno task chaos`: each kind of fault on three nodes while clients work, then the verdict; and that it
 * leaves nothing behind, and refuses what it does not understand.
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { renderReport } from "../../scripts/chaos/report.ts";
import { NoAnswerError, NotSentError, postOnce } from "../../scripts/chaos/http_once.ts";
import { ChaosRun } from "../../scripts/chaos/run.ts";
import { describeFault, FAULT_KINDS, schedule } from "../../scripts/chaos/schedule.ts";
import { checkHistories, checkKeys } from "../../scripts/chaos/verdict.ts";
import { WRONG_LISTS, WRONG_REGISTERS, WRONG_WITNESS } from "../harness/history/canned.ts";
import type { LockOperation } from "../harness/history/locks.ts";
import { until } from "../harness/processes.ts";

const SECONDS = 35;
const SCRIPT = new URL("../../scripts/chaos.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

function chaos(args: readonly string[], env: Record<string, string> = {}): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", `--config=${CONFIG}`, "-P=tool", SCRIPT, ...args],
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

Deno.test("answers under every kind of fault fit one order, and all nodes hold the same", async () => {
  const seed = Math.floor(Math.random() * 1_000_000);
  console.log(`seed ${seed}`);
  const run = new ChaosRun({
    seconds: SECONDS,
    nodes: 3,
    seed,
    kinds: FAULT_KINDS,
    leases: false,
    agents: false,
    keep: false,
    say: (line) => console.error(line),
  });
  try {
    const report = await run.run();
    console.log(renderReport(report));
    assertEquals(report.violations, [], `seed ${seed}`);
    assert(report.missing.size === 0 || Deno.env.get("CI") === undefined, "in CI every kind must be possible");
    assertEquals([...report.faults.keys(), ...report.missing.keys()].toSorted(), [...FAULT_KINDS].toSorted());
    const { total } = report.tally;
    assert(total.done > 1000 && total.done > total.unknown, JSON.stringify(total));
    assert(report.checked.witnessed > 500 && report.checked.transactions > 300);
  } finally {
    await run.close();
  }
});

Deno.test("chaos: a request is sent once, and it is known whether it may have arrived", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${listener.addr.port}/`;
  const chunk = new Uint8Array(4096);
  const serve = async (answer?: string): Promise<string> => {
    const connection = await listener.accept();
    const text = new TextDecoder().decode(chunk.subarray(0, await connection.read(chunk) ?? 0));
    if (answer !== undefined) await connection.write(new TextEncoder().encode(answer));
    connection.close();
    return text;
  };
  const answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[é]";
  const [got] = await Promise.all([
    postOnce(url, "[]", 5000),
    serve(answer.replace("3", "4")),
  ]);
  assertEquals(got, { status: 200, text: "[é]" });
  for (const part of [undefined, answer.replace("3", "9"), "HTTP/1.1 200 OK\r\n"]) {
    const [, text] = await Promise.all([
      assertRejects(() => postOnce(url, "[]", 5000), NoAnswerError, "the connection broke"),
      serve(part),
    ]);
    assertMatch(text, /^POST \/ HTTP/);
  }
  await assertRejects(() => postOnce(url, "[]", 50), NoAnswerError, "no answer in time");
  listener.close();
  await assertRejects(() => postOnce(url, "[]", 5000), NotSentError);
});

Deno.test("chaos: wrong histories end in violations", () => {
  assertEquals(checkHistories([], []).violations, []);
  for (const { operations } of [...WRONG_REGISTERS, ...WRONG_WITNESS]) {
    assert(checkHistories(operations, []).violations.length > 0);
  }
  for (const { operations } of WRONG_REGISTERS) assert(checkKeys(operations, []).violations.length > 0);
  const acquired = (session: string, at: number): LockOperation => ({
    process: at,
    invokedAt: at,
    returnedAt: at + 1,
    request: { key: 1, kind: "acquire", session },
    outcome: "done",
    answer: true,
  });
  assertEquals(checkKeys([], [acquired("a", 1)]), { agentKeys: 0, tenures: 1, violations: [] });
  assert(checkKeys([], [acquired("a", 1), acquired("b", 3)]).violations.length > 0);
  for (const { operations } of WRONG_LISTS) assert(checkHistories([], operations).violations.length > 0);
});

Deno.test("chaos: the same seed draws the same faults, and each kind comes once before any comes again", () => {
  const draw = (seed: number) => {
    const planned = schedule({ seed, kinds: FAULT_KINDS, nodes: 5, longestMs: 3000 });
    return Array.from({ length: 30 }, () => planned.next().value);
  };
  assertEquals(draw(5), draw(5));
  assert(JSON.stringify(draw(5)) !== JSON.stringify(draw(6)));
  const faults = draw(7).map(({ fault }) => fault);
  for (let at = 0; at < faults.length; at += FAULT_KINDS.length) {
    const round = faults.slice(at, at + FAULT_KINDS.length).map(({ kind }) => kind);
    assertEquals(round.toSorted(), [...FAULT_KINDS].toSorted());
  }
  for (const fault of faults) assertMatch(describeFault(fault), /\w/);
});

Deno.test("chaos: interrupted in the middle it exits 130 and leaves no directory, mount or namespace", async () => {
  const directory = await Deno.makeTempDir({ prefix: "muster-chaos-test-" });
  const child = chaos(["--minutes", "5"], { TMPDIR: directory });
  try {
    let said = "";
    const collected = (async () => {
      for await (const chunk of child.stderr) said += new TextDecoder().decode(chunk);
    })();
    await until("the first fault", () => /\[\d+ s\] \w+/.test(said) || undefined);
    child.kill("SIGINT");
    const { code } = await child.status;
    await Promise.all([collected, child.stdout.cancel()]);
    assertEquals(code, 130, said);
    assertEquals([...Deno.readDirSync(directory)], []); // what is a mount cannot be removed
    const bridge = `mc${child.pid.toString(36)}`;
    assertEquals(Deno.networkInterfaces().filter(({ name }) => name === bridge), []);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("chaos: --help says how, wrong usage exits 2", async () => {
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await chaos(args).output();
    return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
  };
  const help = await run("--help");
  assertEquals(help.code, 0);
  assertMatch(help.stdout, /Usage: deno task chaos --minutes N/);
  const wrong: [string[], RegExp][] = [
    [[], /Cannot take --minutes/],
    [["--minutes", "0"], /Cannot take --minutes/],
    [["--minutes", "1", "--nodes", "4"], /Cannot take --nodes/],
    [["--minutes", "1", "--seed", "x"], /Cannot take --seed/],
    [["--minutes", "1", "--faults", "kill,fire"], /Cannot take --faults/],
    [["--minutes", "1", "--agents", "--faults", "membership"], /Cannot take --faults/],
    [["--minutes", "1", "--agents", "--leases"], /Cannot take --leases/],
    [["--minutes", "1", "--fast"], /Cannot understand --fast/],
  ];
  await Promise.all(wrong.map(async ([args, message]) => {
    const { code, stderr } = await run(...args);
    assertEquals(code, 2);
    assertMatch(stderr, message);
  }));
});
