/**
 * The digest of everything that the console is made of.
 * @module
 */
import { sourceFiles } from "../tidy/source.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
/** What the console imports of the program itself. */
const SHARED = "src/core/sql";

/** SHA-256 of the files, their names and their content, in hexadecimal. */
export async function codeDigest(): Promise<string> {
  const endings = [".ts", ".tsx", ".css", ".html", ".json"];
  const own = [...sourceFiles(`${ROOT}console`, endings)];
  const shared = sharedImports(own);
  const texts = [...own, ...shared].sort().map((path) => `${path.slice(ROOT.length)}\n${Deno.readTextFileSync(path)}`);
  const bytes = new TextEncoder().encode(texts.join("\n"));
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/** Files of the program that those of the console import, and what these import in turn. */
function sharedImports(own: readonly string[]): readonly string[] {
  const found = new Set<string>();
  const visit = (path: string) => {
    for (const [, target] of Deno.readTextFileSync(path).matchAll(/from "(\.\.?\/[^"]+)"/g)) {
      const imported = new URL(target, `file://${path}`).pathname;
      if (!imported.startsWith(`${ROOT}${SHARED}`) || found.has(imported)) continue;
      found.add(imported);
      visit(imported);
    }
  };
  own.forEach(visit);
  return [...found];
}
