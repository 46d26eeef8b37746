/**
 * The Helm chart, rendered by Helm's own engine: with its defaults it is kubernetes.yaml, and each value has its effect.
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Flags } from "../../src/program/config/flags.ts";
import { SERVE_FLAGS } from "../../src/program/config/serve_flags.ts";
import { pythonWith } from "../clients/clients.ts";
import {
  checkSchemas,
  deployPath,
  deployText,
  documentOf,
  documentsOf,
  inside,
  listInside,
  textsInside,
} from "./manifests.ts";

const CHART = deployPath("helm");
/** Labels that tell releases of the chart apart, which the manifests without Helm lack. */
const LABELS = [
  "app.kubernetes.io/instance",
  "app.kubernetes.io/managed-by",
  "app.kubernetes.io/version",
  "helm.sh/chart",
];

/** What Helm made of a chart with some values. */
type Rendered = { readonly text: string; readonly notes: string; readonly error?: string };

interface Result {
  readonly lint: { readonly messages: readonly { readonly severity: number }[]; readonly errors: readonly string[] };
  readonly rendered: readonly Rendered[];
}

async function helm(releases: readonly (readonly [name: string, values: object])[]): Promise<Result> {
  const root = await Deno.makeTempDir({ prefix: "muster-helm-" });
  try {
    const python = await pythonWith(root, "../deploy/helm/requirements.txt");
    const script = new URL("./helm/render.py", import.meta.url).pathname;
    const child = new Deno.Command(python, { args: [script, CHART], stdin: "piped", stdout: "piped", stderr: "piped" })
      .spawn();
    const output = child.output();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(JSON.stringify(releases)));
    await writer.close();
    const { success, stdout, stderr } = await output;
    assert(success, new TextDecoder().decode(stderr));
    return JSON.parse(new TextDecoder().decode(stdout));
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** A document without the labels of releases. */
function withoutLabels(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutLabels);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([key]) => !LABELS.includes(key)).map(([key, inner]) => [key, withoutLabels(inner)]),
  );
}

const ALL_VALUES = {
  users: { secret: "u", key: "users.json", joinAs: "node" },
  tls: { httpSecret: "h", nodeSecret: "n" },
  clusterSecret: "c",
  extraArgs: ["-fk", "-raft-log-level=WARN"],
  storage: { size: "1Gi", className: "fast" },
  service: { type: "LoadBalancer", annotations: { a: "b" } },
  imagePullSecrets: ["private"],
  image: { repository: "registry.example.com/muster", tag: "x" },
  replicas: 5,
  podAnnotations: { "example.com/a": "b" },
  nodeSelector: { disk: "ssd" },
  tolerations: [{ key: "db", operator: "Exists" }],
};

Deno.test("Helm takes the chart; its defaults are kubernetes.yaml, and each value has its effect", async () => {
  const { lint, rendered: [defaults, all, misspelt] } = await helm([
    ["muster", {}],
    ["prod", ALL_VALUES],
    ["x", { replica: 5 }],
  ]);
  assertEquals([lint.errors, lint.messages.filter(({ severity }) => severity > 1)], [[], []]);
  assertMatch(misspelt.error ?? "", /replica/);

  const [plain, full] = await checkSchemas([defaults, all].map(({ text }) => ({ kind: "kubernetes", text })));
  assertEquals([plain.faults, full.faults], [[], []]);
  const byKind = (documents: readonly unknown[]) =>
    documents.map((one) => withoutLabels(one)).toSorted((a, b) => keyOf(a) < keyOf(b) ? -1 : 1);
  assertEquals(byKind(plain.documents), byKind(await documentsOf("kubernetes.yaml", "kubernetes")));

  const set = documentOf(full.documents, "StatefulSet", "prod-muster");
  const pod = inside(set, "spec", "template", "spec");
  const container = inside(pod, "containers", 0);
  const flags = Flags.parse(textsInside(container, "args"), SERVE_FLAGS);
  assertEquals(JSON.parse(flags.string("disco-config")), { name: "prod-muster-internal" });
  assertEquals([inside(set, "spec", "replicas"), flags.int("bootstrap-expect")], [5, 3]);
  assertEquals(
    [flags.bool("fk"), flags.bool("node-verify-client"), flags.string("join-as"), flags.string("raft-log-level")],
    [true, true, "node", "WARN"],
  );
  // Each file that a flag names lies in a secret that is mounted there.
  const mounts = new Map(
    listInside(container, "volumeMounts").map((one) => [inside(one, "mountPath"), inside(one, "name")]),
  );
  const secrets = new Map(
    listInside(pod, "volumes").map((one) => [inside(one, "name"), inside(one, "secret", "secretName")]),
  );
  for (
    const [flag, secret] of [
      ["auth", "u"],
      ["http-cert", "h"],
      ["http-key", "h"],
      ["node-cert", "n"],
      ["node-key", "n"],
      ["node-ca-cert", "n"],
      ["cluster-secret-file", "c"],
    ]
  ) {
    const path = flags.string(flag);
    assertEquals(secrets.get(mounts.get(path.slice(0, path.lastIndexOf("/")))), secret, `-${flag}=${path}`);
  }
  for (const probe of ["startupProbe", "readinessProbe", "livenessProbe"]) {
    assertEquals(inside(container, probe, "httpGet", "scheme"), "HTTPS", probe);
  }
  assertEquals(inside(container, "image"), "registry.example.com/muster:x");
  assertEquals(inside(pod, "imagePullSecrets"), [{ name: "private" }]);
  assertEquals([inside(pod, "nodeSelector"), inside(pod, "tolerations")], [
    ALL_VALUES.nodeSelector,
    ALL_VALUES.tolerations,
  ]);
  assertEquals(inside(set, "spec", "template", "metadata", "annotations"), ALL_VALUES.podAnnotations);
  assertEquals(inside(set, "spec", "volumeClaimTemplates", 0, "spec"), {
    accessModes: ["ReadWriteOnce"],
    storageClassName: "fast",
    resources: { requests: { storage: "1Gi" } },
  });
  const service = documentOf(full.documents, "Service", "prod-muster");
  assertEquals([inside(service, "spec", "type"), inside(service, "metadata", "annotations")], ["LoadBalancer", {
    a: "b",
  }]);
  assertMatch(all.notes, /https:\/\/prod-muster\.default:4001/);
});

function keyOf(document: unknown): string {
  return `${inside(document, "kind")} ${inside(document, "metadata", "name")}`;
}

Deno.test("the chart has the version of muster", async () => {
  const { version } = JSON.parse(await Deno.readTextFile("deno.json"));
  const chart = await deployText("helm/Chart.yaml");
  assertMatch(chart, new RegExp(`^version: ${version}\nappVersion: ${version}$`, "m"));
});
