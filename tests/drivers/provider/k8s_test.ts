/** Pods listed by a stand-in for the API of Kubernetes, and the ways to it: a service account and kubeconfig files. */
import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { parse } from "@std/yaml/parse";
import { type K8sOptions, parseProvider } from "../../../src/core/provider/provider.ts";
import type { K8sAccess } from "../../../src/drivers/provider/api.ts";
import { listPods } from "../../../src/drivers/provider/k8s.ts";
import { accessOfKubeconfig, accessOfPod, SERVICE_ACCOUNT } from "../../../src/drivers/provider/k8s_access.ts";
import { KubernetesApi } from "../../harness/peers/kubernetes.ts";

function optionsOf(keys: string): K8sOptions {
  const options = parseProvider(`provider=k8s ${keys}`);
  if (options?.provider !== "k8s") throw new Error("expected another provider");
  return options;
}

function accessTo(api: KubernetesApi, token: string): K8sAccess {
  const server = { hostname: "127.0.0.1", port: api.port, tls: undefined, timeoutMs: 5000 };
  return { server, prefix: "", token };
}

Deno.test("all pages of the pods are read, of one namespace and with both selectors", async () => {
  await using api = new KubernetesApi();
  api.accounts.set("secret", ["default", "prod"]);
  const labels = { app: "muster", tier: "server" };
  api.pods = [
    ...Array.from({ length: 250 }, (_, at) => ({ name: `pod-${at}`, ip: `10.1.${at >> 7}.${at & 127}`, labels })),
    { name: "web", ip: "10.2.0.1", labels: { app: "web" } },
    { name: "other", namespace: "prod", ip: "10.3.0.1", labels },
  ];
  const found = async (keys: string) => await listPods(optionsOf(keys), accessTo(api, "secret"));
  assertEquals((await found('label_selector="app=muster"')).length, 250);
  assertEquals(api.requests.length, 3);
  assertMatch(
    api.requests[2],
    /^\/api\/v1\/namespaces\/default\/pods\?limit=100&labelSelector=app%3Dmuster&continue=\w+/,
  );
  assertEquals(await found("namespace=prod"), ["10.3.0.1"]);
  assertEquals(await found('label_selector="app in (web,x),!tier"'), ["10.2.0.1"]);
  assertEquals(await found('label_selector="tier=server" field_selector="metadata.name=pod-3"'), ["10.1.0.3"]);
});

Deno.test("a refusal says what is missing, without the token", async () => {
  await using api = new KubernetesApi();
  api.accounts.set("secret-token", ["default"]);
  api.pods = Array.from({ length: 101 }, (_, at) => ({ name: `pod-${at}`, ip: `10.1.0.${at}` }));
  const fails = async (keys: string, token: string) => {
    const { message } = await assertRejects(() => listPods(optionsOf(keys), accessTo(api, token)), Error);
    assert(!message.includes("secret"), message);
    return message;
  };
  assertMatch(await fails("", "secret-wrong"), /: 401: the token or certificate is not accepted: Unauthorized$/);
  assertMatch(
    await fails("namespace=prod", "secret-token"),
    /: 403: the account may not list pods of namespace "prod": give it a Role .* verbs \["list"\].*: pods is forbidden/,
  );
  assertMatch(await fails('field_selector="spec.x=y"', "secret-token"), /: 400: field label not supported: spec\.x$/);
  api.isCompacted = true;
  assertMatch(await fails("", "secret-token"), /: 410: the list has changed too much/);
  const nowhere = { ...accessTo(api, "secret-token"), server: { ...accessTo(api, "").server, port: 1 } };
  const { message } = await assertRejects(() => listPods(optionsOf(""), nowhere), Error);
  assertMatch(message, /^http:\/\/127\.0\.0\.1:1: .*refused/);
});

Deno.test("in a pod the access is that of its service account", () => {
  const files = new Map([[`${SERVICE_ACCOUNT}/ca.crt`, "PEM"], [`${SERVICE_ACCOUNT}/token`, "abc\n"]]);
  const read = (path: string) => files.get(path) ?? "";
  const access = accessOfPod({ host: "fd00::1", port: "6443" }, read);
  assertEquals([access.token, access.server.hostname, access.server.port], ["abc", "fd00::1", 6443]);
  assertEquals(access.server.tls?.ca, ["PEM"]);
  assertThrows(() => accessOfPod({ host: "", port: "" }, read), Error, "name a file by kubeconfig=PATH");
});

Deno.test("a kubeconfig gives the access of its current context", () => {
  const base64 = (text: string) => new TextEncoder().encode(text).toBase64();
  const config = (user: string, server = "https://10.0.0.1:6443") =>
    parse(`
apiVersion: v1
kind: Config
current-context: prod
contexts:
- {name: test, context: {cluster: x, user: x}}
- name: prod
  context: {cluster: main, user: me}
clusters:
- name: main
  cluster:
    server: ${server}
    certificate-authority-data: ${base64("CA")}
    tls-server-name: api.test
users:
- name: me
  user:
    ${user}
`);
  const parts = { read: (path: string) => `text of ${path}`, systemCertificates: () => ["SYSTEM"] };
  const access = accessOfKubeconfig(config("token: abc"), parts);
  assertEquals(access, {
    server: {
      hostname: "10.0.0.1",
      port: 6443,
      tls: { ca: ["CA"], cert: "", key: "", serverName: "api.test", insecure: false },
      timeoutMs: 10_000,
    },
    prefix: "",
    token: "abc",
  });
  const certified = accessOfKubeconfig(
    config(`{client-certificate: c.pem, client-key-data: ${base64("KEY")}}`, "https://proxy.test/k8s/c-1/"),
    parts,
  );
  assertEquals([certified.server.tls?.cert, certified.server.tls?.key], ["text of c.pem", "KEY"]);
  assertEquals([certified.prefix, certified.server.port, certified.token], ["/k8s/c-1", 443, ""]);
  const faults: [unknown, RegExp][] = [
    [config("exec: {command: aws}"), /the user has "exec", and no program is run for it/],
    [config("token: a b"), /the user's token is none/],
    [config("client-key: k.pem"), /go together/],
    [config("token: abc", "ftp://x"), /must be a URL/],
    [{}, /there is no context ""/],
    ["text", /there is no context ""/],
    [{ "current-context": "a", contexts: [{ name: "a", context: { cluster: "b" } }] }, /there is no cluster "b"/],
  ];
  for (const [value, message] of faults) {
    assertMatch(assertThrows(() => accessOfKubeconfig(value, parts), Error).message, message);
  }
});
