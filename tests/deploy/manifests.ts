/**
 * The files of scripts/deploy/ as values, for the tests that look at them.
 * @module
 */
import type { Checked, Source } from "./schema_check.ts";

const ATTEMPTS = 4;
const DEPLOY = new URL("../../scripts/deploy/", import.meta.url);

/** Path of a file of scripts/deploy/. */
export function deployPath(name: string): string {
  return new URL(name, DEPLOY).pathname;
}

/** Text of a file of scripts/deploy/. */
export async function deployText(name: string): Promise<string> {
  return await Deno.readTextFile(deployPath(name));
}

/**
 * Checks texts against their schemas, in a process of its own; see schema_check.ts.
 * @throws {Error} When that process fails repeatedly, as when the package registry is out of reach.
 */
export async function checkSchemas(sources: readonly Source[]): Promise<readonly Checked[]> {
  for (let attempt = 1;; attempt++) {
    const { success, stdout, stderr } = await runCheck(sources);
    if (success) return JSON.parse(stdout);
    if (attempt === ATTEMPTS) throw new Error(`schema_check.ts failed:\n${stderr}`);
    await new Promise((resolve) => setTimeout(resolve, attempt * 1000)); // the registry may be out of reach for a moment
  }
}

async function runCheck(sources: readonly Source[]): Promise<{ success: boolean; stdout: string; stderr: string }> {
  const program = new URL("./schema_check.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-config", "--no-lock", "--no-prompt", "--allow-env", "--allow-read", program],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = child.output();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify(sources)));
  await writer.close();
  const { success, stdout, stderr } = await output;
  return { success, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

/** The documents of a file, which must be without fault. */
export async function documentsOf(name: string, kind: Source["kind"]): Promise<readonly unknown[]> {
  const [{ documents, faults }] = await checkSchemas([{ kind, text: await deployText(name) }]);
  if (faults.length > 0) throw new Error(`${name}:\n${faults.join("\n")}`);
  return documents;
}

/** A value inside of another, by keys and positions; undefined when there is none. */
export function inside(value: unknown, ...path: readonly (string | number)[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== "object" || found === null) return undefined;
    found = Reflect.get(found, key);
  }
  return found;
}

/** A list inside of another value; empty for none. */
export function listInside(value: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const found = inside(value, ...path);
  return Array.isArray(found) ? found : [];
}

/** A list of texts inside of another value. */
export function textsInside(value: unknown, ...path: readonly (string | number)[]): readonly string[] {
  return listInside(value, ...path).map(String);
}

/** The document of a kind and name. */
export function documentOf(documents: readonly unknown[], kind: string, name: string): unknown {
  const found = documents.filter((one) => inside(one, "kind") === kind && inside(one, "metadata", "name") === name);
  if (found.length !== 1) throw new Error(`${found.length} documents of kind ${kind} are named ${name}`);
  return found[0];
}
