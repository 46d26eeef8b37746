/** What muster says to typical mistakes is what docs/troubleshooting.md says of it. */
import { assert, assertEquals } from "@std/assert";
import { muster } from "../harness/agents.ts";
import { musterHere } from "../harness/command_line.ts";
import { blocksOf } from "../harness/documentation/blocks.ts";
import { nodePlace, withNodes } from "../harness/processes.ts";

/** The lines of the page that show what muster says. */
async function pageLines(): Promise<string[]> {
  const blocks = await blocksOf("docs/troubleshooting.md");
  return blocks.filter(({ kind }) => kind === "text").flatMap(({ text }) => text.split("\n"));
}

/** A line with what differs from place to place taken out. */
function general(line: string): string {
  return line.replace(/(?:localhost|127\.0\.0\.1):\d+/g, "ADDR").replace(/(?<= )\/[^ :]+/g, "PATH")
    .replace(/"127[^"]*"/g, "ID");
}

/** What is said to one mistake, and whether the page has it. */
function onPage(lines: readonly string[], said: string): void {
  const known = lines.map(general);
  const found = said.split("\n").map((line) => general(line.trim())).filter((line) => known.includes(line));
  assert(found.length > 0, `docs/troubleshooting.md does not have what is said:\n${said}`);
}

Deno.test("mistakes of the command line are answered as the page on typical mistakes has it", () =>
  withNodes(async (root, start) => {
    const lines = await pageLines();
    const node = start(nodePlace(root, "1"), ["-node-id=1"]);
    await node.ready();
    const { httpPort, directory } = node.place;
    const other = nodePlace(root, "2");
    const addrs = [`-http-addr=127.0.0.1:${other.httpPort}`, `-raft-addr=127.0.0.1:${other.clusterPort}`];
    const taken = [`-http-addr=127.0.0.1:${httpPort}`, addrs[1]];
    const attempts = ["-join-attempts=5", "-join-interval=10ms"];
    await Deno.writeTextFile(`${root}/file`, "");
    const nobody = nodePlace(root, "3");
    const wrongUsage: readonly (readonly string[])[] = [
      ["serve", "-http-addr=4051", addrs[1], other.directory],
      ["serve", ...addrs, `-join=http://127.0.0.1:${httpPort}`, other.directory],
      ["serve", ...addrs, "-bootstrap-expect=3", `${root}/expect`],
    ];
    const mistakes: readonly (readonly string[])[] = [
      ...wrongUsage,
      ["serve", ...taken, other.directory],
      ["serve", ...addrs, `-join=127.0.0.1:${httpPort}`, `${root}/join`],
      ["serve", ...addrs, `-join=127.0.0.1:${nobody.clusterPort}`, ...attempts, `${root}/nobody`],
      ["serve", ...addrs, "-node-id=1", directory],
      ["serve", ...addrs, `${root}/file`],
      ["members", `-http-addr=127.0.0.1:${httpPort}`],
    ];
    for (const args of mistakes) {
      const { code, stdout, stderr } = await muster(args);
      assertEquals(code, wrongUsage.includes(args) ? 2 : 1, args.join(" "));
      onPage(lines, stdout + stderr.replace(/^Error retrieving members: .* \((.*)\)$/m, "$1"));
    }
    const requests = [["/db/execute", "{}"], ["/db/execute", '["BEGIN"]'], ["/db/query", '["SELECT * FROM foo"]']];
    for (const [path, body] of requests) {
      const response = await fetch(node.url + path, {
        method: "POST",
        body,
        headers: { "Content-Type": "application/json" },
      });
      const text = await response.text();
      assertEquals(response.status, body === "{}" ? 400 : 200);
      const said = body === "{}" ? text : JSON.parse(text).results[0].error;
      onPage([...lines, "no such table: foo"], said);
    }
    const unknown = await fetch(`${node.url}/db/qury`);
    assertEquals(unknown.status, 404);
    assert((await unknown.text()).startsWith("no such path: there are /db/execute, /db/query, "));
    await node.stop();
    const { code, stdout, stderr } = await muster(["serve", ...addrs, "-node-id=2", directory]);
    assertEquals(code, 1);
    onPage(lines, stdout + stderr);
    for (const args of [["sreve"], ["serve", "-htp-addr=x", "d"], ["serve", "-join-interval=5", "d"]]) {
      const { code, stdout, stderr } = await musterHere(args);
      assertEquals(code, 2, args.join(" "));
      onPage(lines, stdout + stderr);
    }
  }));
