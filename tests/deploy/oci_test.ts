/**
 * The container image that is made without a daemon: its layout, and a node that runs in what it unpacks to.
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { buildLayout, imageSettings } from "../../scripts/packages/oci.ts";
import { executableAt } from "../../scripts/packages/platforms.ts";
import { run } from "../clients/clients.ts";
import { BINARY, requireBinary } from "../harness/binary.ts";
import { freePort, until } from "../harness/processes.ts";
import { deployText } from "./manifests.ts";

/** A part of a layout, by what points to it; its sum is compared. */
async function blob(
  layout: string,
  { digest, size }: { digest: string; size: number },
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await Deno.readFile(`${layout}/blobs/${digest.replace(":", "/")}`);
  const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
  assertEquals([`sha256:${sum}`, bytes.length], [digest, size]);
  return bytes;
}

const json = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes));

Deno.test("imageSettings() reads the Dockerfile, and says what one lacks", async () => {
  const dockerfile = await deployText("Dockerfile");
  assertEquals(imageSettings(dockerfile).entrypoint, ["muster-entrypoint"]);
  let said = "";
  try {
    imageSettings(dockerfile.replace(/^USER .*$/m, ""));
  } catch (error) {
    said = String(error);
  }
  assert(said.includes("has no USER"), said);
});

Deno.test("the image has two layers and the Dockerfile's settings, and its node runs as the user of the image", async () => {
  await requireBinary();
  const folder = await Deno.makeTempDir({ prefix: "muster-oci-test-" });
  try {
    const executable = await executableAt(BINARY);
    const layout = await buildLayout(executable, { out: folder, variant: "extract", epoch: 86_400 });
    assertEquals(JSON.parse(await Deno.readTextFile(`${layout}/oci-layout`)).imageLayoutVersion, "1.0.0");
    const [entry, ...others] = JSON.parse(await Deno.readTextFile(`${layout}/index.json`)).manifests;
    assertEquals(others, []);
    const manifest = json(await blob(layout, entry));
    const image = json(await blob(layout, manifest.config));
    for (const layer of manifest.layers) await blob(layout, layer);
    assertEquals(manifest.layers.length, 2);
    assertEquals([image.os, image.architecture], ["linux", executable.platform.oci]);
    const { user, volumes, ports, stopSignal, entrypoint, command, directory } = imageSettings(
      await deployText("Dockerfile"),
    );
    assertEquals(image.config.User, user);
    assertEquals([Object.keys(image.config.Volumes), Object.keys(image.config.ExposedPorts).sort()], [volumes, ports]);
    assertEquals([image.config.Entrypoint, image.config.Cmd], [entrypoint, command]);
    assertEquals([image.config.StopSignal, image.config.WorkingDir], [stopSignal, directory]);

    await run("umoci", [
      "unpack",
      "--rootless",
      "--image",
      `${layout}:${entry.annotations["org.opencontainers.image.ref.name"]}`,
      `${folder}/bundle`,
    ]);
    await serveIn(`${folder}/bundle/rootfs`, user, [...image.config.Entrypoint, ...image.config.Cmd]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Runs the image's command in a root of its own, as its user, with its own check of health; then stops it. */
async function serveIn(root: string, user: string, command: readonly string[]): Promise<void> {
  const [uid, gid] = user.split(":");
  const address = `127.0.0.1:${freePort()}`;
  const inside = (...words: string[]) => [
    ...["--bind", root, "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--chdir", "/muster"],
    ...["--unshare-user", "--uid", uid, "--gid", gid, "--die-with-parent", "--clearenv"],
    ...[
      "--setenv",
      "PATH",
      "/usr/local/bin:/usr/bin:/bin",
      "--setenv",
      "HTTP_ADDR",
      address,
      "--setenv",
      "NODE_ID",
      "1",
    ],
    ...["--setenv", "HTTP_ADV_ADDR", address, "--setenv", "RAFT_ADDR", `127.0.0.1:${freePort()}`, "--", ...words],
  ];
  const child = new Deno.Command("bwrap", { args: inside(...command), stdin: "null", stdout: "null", stderr: "null" })
    .spawn();
  try {
    await until("the node in the image is healthy", async () => {
      const { success } = await new Deno.Command("bwrap", { args: inside("muster-healthcheck"), stderr: "null" })
        .output();
      return success || undefined;
    });
  } finally {
    child.kill("SIGKILL"); // of bwrap, with which everything in it ends
    await child.status;
  }
}
