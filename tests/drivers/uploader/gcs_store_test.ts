/** Backups in Google Cloud Storage, against a server that checks signatures (Q18.1). */
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { backupPlan } from "../../../src/drivers/uploader/config.ts";
import { storeOf } from "../../../src/drivers/uploader/store_of.ts";
import type { Store } from "../../../src/drivers/uploader/store.ts";
import { GcsServer } from "../../harness/peers/gcs_server.ts";

const signal = new AbortController().signal;
const MIB = 1024 * 1024;

async function withStore(work: (server: GcsServer, store: Store) => Promise<void>, account?: string): Promise<void> {
  const server = new GcsServer();
  const sub = { project_id: "p", bucket: "bucket", name: "a/b", credentials_path: "x", endpoint: server.url };
  const text = JSON.stringify({ type: "gcs", interval: "1s", sub });
  const parts = { variable: () => undefined, file: () => account ?? server.account, warn() {} };
  try {
    await work(server, storeOf(backupPlan(text, parts).destination));
  } finally {
    await server.stop();
  }
}

async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 700_001) yield bytes.subarray(at, at + 700_001);
}

function bytesOf(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).map((_, at) => at * 7 + (at >> 8));
}

Deno.test("GcsStore signs in once, and stores, finds, lists and removes objects of any size", () =>
  withStore(async (server, store) => {
    for (
      const [name, length] of [["a/empty", 0], ["a/b c+ü?", 1000], ["a/whole", 16 * MIB], ["b", 33 * MIB]] as const
    ) {
      await store.put(name, { pieces: piecesOf(bytesOf(length)), id: "12", signal });
      assertEquals(server.objects.get(name)?.bytes, bytesOf(length), name);
      assertEquals(await store.idOf(name), "12");
      const stored = new Uint8Array(await new Response(await store.get(name, signal)).arrayBuffer());
      assertEquals(stored.length, length);
    }
    assertEquals(await store.idOf("none"), undefined);
    assertEquals(await store.list("a/"), ["a/b c+ü?", "a/empty", "a/whole"]);
    await store.remove("b");
    assertEquals([server.objects.has("b"), server.tokens.length, server.uploads.size], [false, 1, 0]);
  }));

Deno.test("GcsStore leaves nothing where a part fails, and says so without the session's URL", () =>
  withStore(async (server, store) => {
    server.fails = (range) => range.startsWith("bytes 16777216-");
    const stored = { pieces: piecesOf(bytesOf(20 * MIB)), id: "1", signal };
    const error = await assertRejects(() => store.put("x", stored), Error);
    assertMatch(
      error.message,
      /^Cannot store gs:\/\/bucket\/x from byte 16777216 on: 127\.0\.0\.1:\d+ answers 503 \(backendError\)$/,
    );
    assertEquals([server.objects.size, server.uploads.size], [0, 0]);
  }));

Deno.test("GcsStore says that it cannot sign in, and repeats no key", async () => {
  const other = new GcsServer();
  await other.stop();
  await withStore(async (server) => {
    const { private_key } = JSON.parse(other.account);
    const account = JSON.stringify({ ...JSON.parse(server.account), private_key });
    const sub = { bucket: "bucket", name: "n", credentials_path: "x", endpoint: server.url };
    const parts = { variable: () => undefined, file: () => account, warn() {} };
    const plan = backupPlan(JSON.stringify({ type: "gcs", interval: "1s", sub }), parts);
    const error = await assertRejects(() => storeOf(plan.destination).idOf("n"), Error);
    assertMatch(error.message, /^Cannot sign in as m@test: 127\.0\.0\.1:\d+ answers 400 \(invalid_grant\)$/);
  });
});
