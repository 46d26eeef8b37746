/**
 * kubernetes.yaml: valid by the API's own schemas, its parts fit to each other and to muster's flags.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Flags } from "../../src/program/config/flags.ts";
import { SERVE_FLAGS } from "../../src/program/config/serve_flags.ts";
import { checkSchemas, deployText, documentOf, documentsOf, inside, listInside, textsInside } from "./manifests.ts";

const LABELS = { "app.kubernetes.io/name": "muster" };
/** Longest stop of a node (src/program/node/node.ts), and its preStop. */
const STOP_S = 15 + 5;

const documents = await documentsOf("kubernetes.yaml", "kubernetes");
const headless = documentOf(documents, "Service", "muster-internal");
const clients = documentOf(documents, "Service", "muster");
const budget = documentOf(documents, "PodDisruptionBudget", "muster");
const set = documentOf(documents, "StatefulSet", "muster");
const pod = inside(set, "spec", "template", "spec");
const container = inside(pod, "containers", 0);
const args = textsInside(container, "args");
/** Every flag counts as supported: whether muster can do it yet is told by muster, and tested with real nodes. */
const flags = Flags.parse(args, SERVE_FLAGS.map((spec) => ({ ...spec, supported: true })));

function variable(name: string): unknown {
  return inside(listInside(container, "env").find((one) => inside(one, "name") === name), "value");
}

Deno.test("schema_check.ts reports what is missing, of a wrong type, misspelt and no YAML", async () => {
  const service = "apiVersion: v1\nkind: Service\nmetadata: {name: x}\n";
  const checked = await checkSchemas([
    { kind: "kubernetes", text: `${service}spec: {clusterIP: None, ports: [{port: 1, targetPort: http}]}` },
    { kind: "kubernetes", text: `${service}spec: {publishNotReadyAddress: true, ports: [{port: 1, nam: x}]}` },
    { kind: "kubernetes", text: `${service}spec: {publishNotReadyAddresses: "yes", ports: [{}]}` },
    { kind: "kubernetes", text: "apiVersion: v2\nkind: Service\n" },
    { kind: "kubernetes", text: "a: [" },
    { kind: "compose", text: "services: {a: {image: x, imag: y}, b: {read_only: [1]}}" },
  ]);
  const faults = checked.map(({ faults }) => faults.join("\n"));
  assertEquals(faults[0], "");
  assertEquals(faults[1], "unknown field /spec/publishNotReadyAddress\nunknown field /spec/ports/0/nam");
  for (
    const [at, said] of [
      [2, '/spec/publishNotReadyAddresses: type {"type":"boolean"}'],
      [2, '/spec/ports/0: required {"missingProperty":"port"}'],
      [3, "no schema is known for v2 Service"],
      [4, "YAMLParseError"],
      [5, '/services/a: additionalProperties {"additionalProperty":"imag"}'],
      [5, '/services/b/read_only: type {"type":"boolean"}'],
      [5, "/name: missing"],
    ] as const
  ) assert(faults[at].includes(said), `${said} in ${faults[at]}`);
});

Deno.test("kubernetes.yaml is two services, a disruption budget and a stateful set", () => {
  assertEquals(documents.map((one) => `${inside(one, "kind")} ${inside(one, "metadata", "name")}`), [
    "Service muster-internal",
    "Service muster",
    "PodDisruptionBudget muster",
    "StatefulSet muster",
  ]);
});

Deno.test("kubernetes.yaml: every selector matches the labels of the pods", () => {
  assertEquals(inside(set, "spec", "template", "metadata", "labels"), LABELS);
  assertEquals(inside(set, "spec", "selector", "matchLabels"), LABELS);
  assertEquals(inside(headless, "spec", "selector"), LABELS);
  assertEquals(inside(clients, "spec", "selector"), LABELS);
  assertEquals(inside(budget, "spec", "selector", "matchLabels"), LABELS);
  assertEquals(inside(pod, "topologySpreadConstraints", 0, "labelSelector", "matchLabels"), LABELS);
  const preferred = inside(pod, "affinity", "podAntiAffinity", "preferredDuringSchedulingIgnoredDuringExecution", 0);
  assertEquals(inside(preferred, "podAffinityTerm", "labelSelector", "matchLabels"), LABELS);
});

Deno.test("kubernetes.yaml: pods are found by the headless service before they are ready", () => {
  assertEquals(inside(set, "spec", "serviceName"), inside(headless, "metadata", "name"));
  assertEquals(inside(headless, "spec", "clusterIP"), "None");
  assertEquals(inside(headless, "spec", "publishNotReadyAddresses"), true);
  assertEquals(inside(clients, "spec", "publishNotReadyAddresses"), undefined);
  assertEquals(JSON.parse(flags.string("disco-config")), { name: inside(headless, "metadata", "name") });
});

Deno.test("kubernetes.yaml: all ports that services and probes name are the container's", () => {
  const ports = new Map(
    listInside(container, "ports").map((one) => [inside(one, "name"), inside(one, "containerPort")]),
  );
  assertEquals([...ports], [["http", 4001], ["raft", 4002]]);
  for (const service of [headless, clients]) {
    for (const port of listInside(service, "spec", "ports")) {
      assertEquals(inside(port, "targetPort"), inside(port, "name"));
      assertEquals(inside(port, "port"), ports.get(inside(port, "targetPort")));
    }
  }
  for (const probe of ["startupProbe", "readinessProbe", "livenessProbe"]) {
    assertEquals(inside(container, probe, "httpGet", "port"), "http", probe);
  }
});

Deno.test("kubernetes.yaml: only readiness depends on a leader", () => {
  assertEquals(inside(container, "readinessProbe", "httpGet", "path"), "/readyz");
  assertEquals(inside(container, "livenessProbe", "httpGet", "path"), "/readyz?noleader");
  assertEquals(inside(container, "startupProbe", "httpGet", "path"), "/readyz?noleader");
});

Deno.test("kubernetes.yaml: the flags are muster's; as many nodes form the cluster as there are replicas", () => {
  assertEquals(flags.rest, []);
  assertEquals(flags.string("disco-mode"), "dns");
  assertEquals(flags.int("bootstrap-expect"), inside(set, "spec", "replicas"));
  assertEquals(inside(set, "spec", "podManagementPolicy"), "Parallel");
  assert(flags.bool("raft-cluster-remove-shutdown"));
  assertEquals(inside(container, "command"), undefined, "the image's entry point is used");
});

Deno.test("kubernetes.yaml: a pod is known by its own name, which stays", () => {
  const podName = listInside(container, "env").find((one) => inside(one, "name") === "POD_NAME");
  assertEquals(inside(podName, "valueFrom", "fieldRef", "fieldPath"), "metadata.name");
  const service = inside(headless, "metadata", "name");
  assertEquals(variable("NODE_ID"), "$(POD_NAME)");
  assertEquals(variable("HTTP_ADV_ADDR"), `$(POD_NAME).${service}:4001`);
  assertEquals(variable("RAFT_ADV_ADDR"), `$(POD_NAME).${service}:4002`);
});

Deno.test("kubernetes.yaml: there is time to stop in order, and one pod goes at a time", () => {
  assertEquals(inside(budget, "spec", "maxUnavailable"), 1);
  assert(Number(inside(pod, "terminationGracePeriodSeconds")) > STOP_S);
  assertEquals(inside(container, "lifecycle", "preStop", "exec", "command"), ["sleep", "5"]);
});

Deno.test("kubernetes.yaml: a pod has no rights that it does not need", async () => {
  const user = Number(/^USER (\d+):/m.exec(await deployText("Dockerfile"))?.[1]);
  assertEquals(inside(pod, "securityContext"), {
    runAsNonRoot: true,
    runAsUser: user,
    runAsGroup: user,
    fsGroup: user,
    fsGroupChangePolicy: "OnRootMismatch",
    seccompProfile: { type: "RuntimeDefault" },
  });
  assertEquals(inside(container, "securityContext"), {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
  });
  assertEquals(inside(pod, "automountServiceAccountToken"), false);
});

Deno.test("kubernetes.yaml: every mounted volume is declared, and data outlives pods", async () => {
  const claims = listInside(set, "spec", "volumeClaimTemplates").map((one) => inside(one, "metadata", "name"));
  const volumes = listInside(pod, "volumes").map((one) => inside(one, "name"));
  const mounts = listInside(container, "volumeMounts").map((one) => [inside(one, "name"), inside(one, "mountPath")]);
  assertEquals(mounts.map(([name]) => name).sort(), [...claims, ...volumes].sort());
  const declared = /^VOLUME (\S+)$/m.exec(await deployText("Dockerfile"))?.[1];
  assertEquals(mounts.find(([name]) => name === claims[0])?.[1], declared);
  assertEquals(inside(set, "spec", "persistentVolumeClaimRetentionPolicy"), {
    whenDeleted: "Retain",
    whenScaled: "Retain",
  });
});
