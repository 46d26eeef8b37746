/**
 * compose.yaml: valid by Compose's schema, one command for all, its parts fit to each other and to muster's flags; and
 * one name of the image in all files.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Flags } from "../../src/program/config/flags.ts";
import { SERVE_FLAGS } from "../../src/program/config/serve_flags.ts";
import { deployText, documentOf, documentsOf, inside, textsInside } from "./manifests.ts";

const NODES = ["muster-1", "muster-2", "muster-3"];
/** Keys in which the services may differ. */
const OWN_KEYS = ["hostname", "ports", "volumes"];
const DEPLOY = new URL("../../scripts/deploy/", import.meta.url);

const documents = await documentsOf("compose.yaml", "compose");
const [compose] = documents;
const services = Object(inside(compose, "services"));

Deno.test("compose.yaml is one document with three services, alike but for their own names", () => {
  assertEquals(documents.length, 1);
  assertEquals(Object.keys(services), NODES);
  const [first, ...others] = NODES.map((name) => {
    assertEquals(inside(services, name, "hostname"), name);
    return Object.fromEntries(Object.entries(services[name]).filter(([key]) => !OWN_KEYS.includes(key)));
  });
  for (const other of others) assertEquals(other, first);
});

Deno.test("compose.yaml: the command is the same everywhere and of muster's flags", () => {
  const command = textsInside(services, NODES[0], "command");
  for (const name of NODES) assertEquals(textsInside(services, name, "command"), command);
  const flags = Flags.parse(command, SERVE_FLAGS.map((spec) => ({ ...spec, supported: true })));
  assertEquals(flags.rest, []);
  assertEquals(flags.string("disco-mode"), "dns");
  assertEquals(flags.int("bootstrap-expect"), NODES.length);
  const { name } = JSON.parse(flags.string("disco-config"));
  for (const node of NODES) {
    assertEquals(textsInside(services, node, "networks", "default", "aliases"), [name]);
    assert(node !== name, "the system's own host name would be answered before the name server is asked");
  }
});

Deno.test("compose.yaml: each service has a volume and a port of its own", async () => {
  const declared = /^VOLUME (\S+)$/m.exec(await deployText("Dockerfile"))?.[1];
  const volumes = NODES.map((name) => textsInside(services, name, "volumes").map((one) => one.split(":")));
  assertEquals(volumes.map((of) => of.map(([name]) => name)).flat(), Object.keys(Object(inside(compose, "volumes"))));
  for (const [[, path], ...more] of volumes) assertEquals([path, more.length], [declared, 0]);
  assertEquals(NODES.map((name) => textsInside(services, name, "ports")), [
    ["127.0.0.1:4001:4001"],
    ["127.0.0.1:4011:4001"],
    ["127.0.0.1:4021:4001"],
  ]);
});

Deno.test("compose.yaml builds from the Dockerfile beside it, and checks health as that does", async () => {
  const build = inside(services, NODES[0], "build");
  const context = new URL(`${inside(build, "context")}/`, DEPLOY);
  assertEquals(new URL(String(inside(build, "dockerfile")), context).pathname, new URL("Dockerfile", DEPLOY).pathname);
  const { interval, timeout, start_period, retries, test } = Object(inside(services, NODES[0], "healthcheck"));
  const health = `--interval=${interval} --timeout=${timeout} --start-period=${start_period} --retries=${retries}`;
  const [cmd, ...words] = test;
  const text = await deployText("Dockerfile");
  assert(text.includes(`HEALTHCHECK ${health} ${cmd} ${JSON.stringify(words)}\n`), health);
});

Deno.test("the image has one name in all files, with muster's version", async () => {
  const { version } = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  const image = `muster:${version}`;
  for (const name of NODES) assertEquals(inside(services, name, "image"), image);
  const set = documentOf(await documentsOf("kubernetes.yaml", "kubernetes"), "StatefulSet", "muster");
  assertEquals(inside(set, "spec", "template", "spec", "containers", 0, "image"), image);
  for (const file of ["Dockerfile", "README.md"]) {
    const named = [...(await deployText(file)).matchAll(/\bmuster:(?!4001\b)[\w.-]+/g)].map(([name]) => name);
    assert(named.length > 0, file);
    assertEquals([...new Set(named)], [image], file);
  }
});
