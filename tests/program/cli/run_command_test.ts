/** Wrong usage of `run`: told before anything is started or asked. */
import { assertEquals } from "@std/assert";
import { musterHere } from "../../harness/command_line.ts";

Deno.test("run tells wrong usage, with what is expected", async () => {
  const cases: readonly [args: readonly string[], stderr: string][] = [
    [["-name=web"], "there is no program to run: it follows the flags"],
    [["true"], "the service has no name: give it one by -name"],
    [
      ["-name=web", "-check=tcp", "true"],
      'invalid value "tcp" for flag -check: the service has no port; say which by -port',
    ],
    [["-name=web", "-ttl=1ms", "true"], 'invalid value "1ms" for flag -ttl: expected at least 1s'],
    [["-name=web", "-drain=-1s", "true"], 'invalid value "-1s" for flag -drain: expected a time of at least 0'],
    [
      ["-name=web", "-restart=yes", "true"],
      'invalid value "yes" for flag -restart: expected never, on-failure, always',
    ],
    [["-name=web", "-restart-delay=0", "true"], 'invalid value "0" for flag -restart-delay: expected a time above 0'],
    [["-name=web", "-meta=x", "true"], 'invalid value "x" for flag -meta: missing "=" value in argument: x'],
  ];
  for (const [args, stderr] of cases) {
    const { code, stderr: said } = await musterHere(["run", ...args]);
    assertEquals([code, said], [1, `${stderr}\nRun "muster run -help" for the flags.\n`], args.join(" "));
  }
  const port = await musterHere(["run", "-name=web", "-port=65536", "true"]);
  assertEquals([port.code, port.stderr], [
    1,
    'Error: Expected "port" of the service to be a whole number from 0 to 65535\n',
  ]);
  const nobody = await musterHere(["run", "-http-addr=:::", "-name=web", "true"]);
  assertEquals(nobody.code, 1);
});
