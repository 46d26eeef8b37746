/**
 * A bill of materials: what the executable is made of, as CycloneDX 1.5. Pure.
 * @module
 */
import type { Lock } from "./program_lock.ts";

/** What a bill of materials is made from. */
export interface Materials {
  readonly version: string;
  /** Time in seconds. */
  readonly epoch: number;
  readonly lock: Lock;
  readonly sqlite: { readonly version: string; readonly sha256: string; readonly changes: readonly string[] };
  /** The libraries of SQLite's build, by the names of their files. */
  readonly libraries: Readonly<Record<string, string>>;
  /** Version of the runtime in the executable; undefined where it is not known. */
  readonly deno: string | undefined;
}

interface Component {
  readonly type: string;
  readonly "bom-ref": string;
  readonly name: string;
  readonly version: string;
  readonly [key: string]: unknown;
}

/** The bill, as JSON. */
export function billOfMaterials({ version, epoch, lock, sqlite, libraries, deno }: Materials): string {
  const muster: Component = { ...component("application", "generic", "muster", version), licenses: license("MIT") };
  const packages = Object.entries(lock.npm).map(([key, { integrity }]) => {
    const at = key.lastIndexOf("@");
    return { ...component("library", "npm", key.slice(0, at), key.slice(at + 1)), hashes: [sumOf(integrity)] };
  });
  const source = {
    ...component("library", "generic", "sqlite", sqlite.version),
    licenses: license("blessing"),
    hashes: [{ alg: "SHA-256", content: sqlite.sha256 }],
    pedigree: { notes: `Changed in the build: ${sqlite.changes.join("; ")}` },
  };
  const files = Object.entries(libraries).map(([name, sha256]) => ({
    ...component("file", "generic", name, version),
    hashes: [{ alg: "SHA-256", content: sha256 }],
  }));
  const runtime = deno === undefined
    ? []
    : [{ ...component("platform", "generic", "deno", deno), licenses: license("MIT") }];
  const components: readonly Component[] = [...packages, source, ...files, ...runtime];
  const ref = (key: string) =>
    packages.find(({ name, version }) => key === `${name}@${version}` || key === name)?.["bom-ref"];
  const dependencies = [
    { ref: muster["bom-ref"], dependsOn: components.map((one) => one["bom-ref"]) },
    ...Object.entries(lock.npm).map(([key, { dependencies = [] }]) => ({
      ref: ref(key),
      dependsOn: dependencies.flatMap((name) => ref(name) ?? []),
    })),
    ...files.map((file) => ({ ref: file["bom-ref"], dependsOn: [source["bom-ref"]] })),
  ];
  const bill = {
    $schema: "http://cyclonedx.org/schema/bom-1.5.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    metadata: { timestamp: new Date(epoch * 1000).toISOString(), component: muster },
    components,
    dependencies,
  };
  return `${JSON.stringify(bill, undefined, 2)}\n`;
}

function component(type: string, kind: string, name: string, version: string): Component {
  const purl = `pkg:${kind}/${name.replace("@", "%40")}@${version}`;
  return { type, "bom-ref": purl, name, version, purl };
}

function license(id: string): readonly unknown[] {
  return [{ license: { id } }];
}

/** The sum of a lock file's entry, such as `sha512-…`. */
function sumOf(integrity: string): { alg: string; content: string } {
  const [algorithm, base64] = integrity.split("-", 2);
  return { alg: algorithm.toUpperCase().replace("SHA", "SHA-"), content: Uint8Array.fromBase64(base64).toHex() };
}
