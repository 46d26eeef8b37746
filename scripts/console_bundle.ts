/**
 * `deno task console`: makes the files of the console in `src/api/console/page/` from `console/`, so that nobody who runs
 * muster builds anything. Each script and style sheet has a digest of its content in its name; all are compressed, as they are
 * sent. `licenses.txt` has the licences of what is in them, as they demand; `source.txt` has the digest of the source, by which a test sees whether they are still of it.
 * @module
 */
import { sourceFiles } from "./tidy/source.ts";
import { consoleLock } from "./console/lock.ts";
import { licensesOf } from "./packages/licenses.ts";
import { codeDigest } from "./console/source_digest.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const PAGE = `${ROOT}src/api/console/page/`;
const DIGEST_LENGTH = 8;

/** First digits of the digest of bytes, in hexadecimal. */
async function digestOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex().slice(0, DIGEST_LENGTH).toUpperCase();
}

/** Has Deno's own bundler, whose version is that of Deno, make the scripts. */
async function bundled(outdir: string): Promise<void> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--platform", "browser", "--minify", "--code-splitting", "--outdir", outdir, "app.tsx"],
    cwd: `${ROOT}console`,
    stdout: "null",
  }).output();
  if (!success) throw new Error("deno bundle failed: see above");
}

/** Compressed without the time and the name of the file, so that the same source gives the same bytes. */
async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

/** Style sheets without comments, indentation and line breaks. */
function smallStyle(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/\s+/g, " ").replace(/ ?([{};,]) ?/g, "$1").trim();
}

async function main(): Promise<void> {
  const outdir = await Deno.makeTempDir({ prefix: "muster-console-" });
  try {
    await bundled(outdir);
    const files = new Map<string, Uint8Array<ArrayBuffer>>();
    for await (const { name } of Deno.readDir(outdir)) files.set(name, await Deno.readFile(`${outdir}/${name}`));
    const script = files.get("app.js");
    if (!script) throw new Error("deno bundle has made no app.js");
    files.delete("app.js");
    const scriptName = `app-${await digestOf(script)}.js`;
    files.set(scriptName, script);
    const sheets = [...sourceFiles(`${ROOT}console`, [".css"])].sort();
    const style = new TextEncoder().encode(smallStyle(sheets.map((path) => Deno.readTextFileSync(path)).join("\n")));
    const styleName = `app-${await digestOf(style)}.css`;
    files.set(styleName, style);
    const index = Deno.readTextFileSync(`${ROOT}console/index.html`).replace("STYLE", styleName).replace(
      "SCRIPT",
      scriptName,
    ).replace("  </head>", `${preloads(script)}  </head>`);
    files.set("index.html", new TextEncoder().encode(index));
    files.set("licenses.txt", new TextEncoder().encode(await licensesOf(await consoleLock())));
    await write(files);
  } finally {
    await Deno.remove(outdir, { recursive: true });
  }
}

/** Has a browser load at once what the script imports at once, rather than when it has read the script. */
function preloads(script: Uint8Array): string {
  const found = [...new TextDecoder().decode(script).matchAll(/from"\.\/(chunk-\w+\.js)"/g)];
  return found.map(([, name]) => `    <link rel="modulepreload" href="${name}">\n`).join("");
}

async function write(files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>): Promise<void> {
  await Deno.remove(PAGE, { recursive: true }).catch(() => {}); // there was none
  await Deno.mkdir(PAGE, { recursive: true });
  let total = 0;
  for (const [name, bytes] of [...files].sort()) {
    const packed = await gzip(bytes);
    total += packed.length;
    await Deno.writeFile(`${PAGE}${name}.gz`, packed);
    console.log(`${name.padEnd(28)} ${String(bytes.length).padStart(8)} ${String(packed.length).padStart(8)}`);
  }
  await Deno.writeTextFile(`${PAGE}source.txt`, `${await codeDigest()}\n`);
  console.log(`${"compressed".padEnd(28)} ${String(total).padStart(17)} bytes`);
}

await main();
