/** The manual page, as mandoc reads it: no warning, and the flags in the text. */
import { assert, assertEquals } from "@std/assert";
import { musterHere } from "../../harness/command_line.ts";

/** Runs mandoc with a page on its standard input. */
async function mandoc(args: readonly string[], page: string): Promise<{ code: number; output: string }> {
  const child = new Deno.Command("mandoc", { args: [...args], stdin: "piped", stdout: "piped", stderr: "piped" })
    .spawn();
  const output = child.output();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(page));
  await writer.close();
  const { code, stdout, stderr } = await output;
  const decoder = new TextDecoder();
  return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

Deno.test("mandoc finds nothing wrong with the manual page, and shows it", async () => {
  const { stdout: page } = await musterHere(["docs", "-man"]);
  assertEquals(await mandoc(["-Tlint", "-Wwarning"], page), { code: 0, output: "" });
  const { output } = await mandoc(["-Tutf8", "-Owidth=100"], page);
  // deno-lint-ignore no-control-regex -- letters in bold are struck twice
  const text = output.replace(/.\x08/g, "");
  assert(/^ +-retry-join string$/m.test(text), text.slice(0, 2000));
  assert(/^ {3}muster kv get$/m.test(text));
});

Deno.test("mandoc would find what is wrong", async () => {
  const { code, output } = await mandoc(["-Tlint", "-Wwarning"], ".TH MUSTER 1\n.SH NAME\n.nonsense\n");
  assert(code !== 0 && output.includes("nonsense"), output);
});
