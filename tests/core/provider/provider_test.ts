/** Entries of retry_join that are looked up, and the addresses in a list of pods. */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { parseProvider } from "../../../src/core/provider/provider.ts";
import { parsePairs, ProviderError } from "../../../src/core/provider/provider_string.ts";
import { PORT_ANNOTATION, readPods } from "../../../src/core/provider/pods.ts";

Deno.test("pairs are read with blanks, quotes and escapes, and what is none is refused", () => {
  const pairs: [string, Record<string, string>][] = [
    ["", {}],
    ["  provider=k8s   a=b\tc=d ", { provider: "k8s", a: "b", c: "d" }],
    ['a="b c" "d e"="f=\\"g\\"\\\\" h=""', { a: "b c", "d e": 'f="g"\\', h: "" }],
    ['a = "x" b= y', { a: "x", b: "y" }],
    ['label_selector="app in (a,b),x=y"', { label_selector: "app in (a,b),x=y" }],
    ['a=b"c', { a: 'b"c' }],
  ];
  for (const [text, expected] of pairs) assertEquals(Object.fromEntries(parsePairs(text)), expected, text);
  const faults: [string, RegExp][] = [
    ["a", /^a: missing "="$/],
    ["a=", /^a: missing value$/],
    ["a=b c", /^c: missing "="$/],
    ["a=b=c", /needs double quotes$/],
    ["a==b", /^a: missing value$/],
    ["a=b a=c", /^a: duplicate key$/],
    ['a="b', /^unbalanced quotes$/],
    ['a="b\\', /after a backslash/],
    ['a="\\x"', /after a backslash/],
  ];
  for (const [text, message] of faults) {
    assertMatch(assertThrows(() => parsePairs(text), ProviderError).message, message, text);
  }
});

Deno.test("a provider has its keys with their defaults; anything else is refused with what is known", () => {
  assertEquals(parseProvider("10.0.0.1:8301"), undefined);
  assertEquals(parseProvider("provider=mdns"), {
    provider: "mdns",
    text: "provider=mdns",
    service: "_muster._tcp",
    domain: "local",
    timeoutMs: 5000,
    v6: true,
    v4: true,
  });
  const text =
    'namespace=prod provider=k8s label_selector="app=muster,component in (server)" host_network=T kubeconfig=/k';
  assertEquals(parseProvider(text), {
    provider: "k8s",
    text,
    namespace: "prod",
    labelSelector: "app=muster,component in (server)",
    fieldSelector: "",
    kubeconfig: "/k",
    hostNetwork: true,
  });
  const faults: [string, RegExp][] = [
    ["provider=aws tag_key=x", /^provider "aws" is not supported: known are mdns, k8s; or give addresses/],
    ["provider=", /^provider: missing value$/],
    ["provider=mdns region=x", /^provider "mdns" has no key "region": known are service, domain, timeout, v6, v4$/],
    ["provider=mdns timeout=5", /^timeout must be a duration from 100ms to 60s$/],
    ["provider=mdns v4=no", /^v4 must be true or false$/],
    ["provider=mdns v4=0 v6=0", /cannot both be false/],
    ['provider=mdns service="a b"', /^service must be a DNS name, such as _muster\._tcp$/],
    ["provider=k8s namespace=../x", /^namespace must be the name of one namespace$/],
    ['provider=k8s "x', /^unbalanced quotes$/],
  ];
  for (const [entry, message] of faults) {
    assertMatch(assertThrows(() => parseProvider(entry), ProviderError).message, message, entry);
  }
});

Deno.test("pods that run and are ready have addresses, with the port that their annotation names", () => {
  const pod = (status: unknown, port?: string) => ({
    metadata: { annotations: port === undefined ? null : { [PORT_ANNOTATION]: port } },
    spec: {
      containers: [{}, { ports: [{ name: "gossip", containerPort: 8301 }, { name: "gossip", hostPort: 18301 }] }],
    },
    status,
  });
  const up = { phase: "Running", podIP: "10.1.0.1", hostIP: "192.0.2.1" };
  const ready = (status: string) => ({ ...up, conditions: [{ type: "Ready", status }] });
  const items = [
    pod(up),
    pod(ready("True"), "gossip"),
    pod(ready("False")),
    pod(ready("Unknown")),
    pod({ ...up, phase: "Pending" }),
    pod({ phase: "Running" }),
    pod({ ...up, podIP: "fd00::1" }, "8401"),
    pod({ ...up, podIP: "fd00::1" }),
    pod({ ...up, podIP: "evil.test" }),
    pod(up, "nowhere"),
    pod(up, "70000"),
    {},
    null,
  ];
  const list = { items, metadata: { continue: "abc" } };
  assertEquals(readPods(list, { hostNetwork: false }), {
    addresses: ["10.1.0.1", "10.1.0.1:8301", "[fd00::1]:8401", "fd00::1"],
    next: "abc",
  });
  const hosts = readPods({ items: items.slice(0, 2) }, { hostNetwork: true });
  assertEquals(hosts, { addresses: ["192.0.2.1", "192.0.2.1:18301"], next: "" });
  assertThrows(() => readPods({ kind: "Status" }, { hostNetwork: false }), TypeError);
});
