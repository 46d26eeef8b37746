/** Backups in a bucket, against a server that checks signatures (Q18.1). */
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { S3Destination } from "../../../src/drivers/uploader/api.ts";
import { S3_PART_BYTES, S3Store } from "../../../src/drivers/uploader/s3_store.ts";
import { S3_BUCKET, S3_KEYS, S3_REGION, S3Server } from "../../harness/peers/s3_server.ts";

async function withStore(
  work: (server: S3Server, store: S3Store) => Promise<void>,
  differing: Partial<S3Destination> = {},
) {
  const server = S3Server.start();
  try {
    const bucketUrl = `${server.url}/${S3_BUCKET}`;
    const destination = { type: "s3", bucketUrl, bucket: S3_BUCKET, region: S3_REGION, name: "a/b" } as const;
    await work(server, new S3Store({ ...destination, ...S3_KEYS, sessionToken: "", ...differing }));
  } finally {
    await server.stop();
  }
}

/** Bytes in pieces that fit no part. */
async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 700_001) yield bytes.subarray(at, at + 700_001);
}

function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  return bytes;
}

const signal = new AbortController().signal;
const ID = "x-amz-meta-x-rqlite-auto-backup-id";

Deno.test("S3Store stores what is small at once, under any name, and finds its id and its bytes again", () =>
  withStore(async (server, store) => {
    for (const [name, length] of [["db", 0], ["a b+c/ü(1)'!*~&=%2F$", 100_000], ["whole", S3_PART_BYTES]] as const) {
      const bytes = randomBytes(length);
      await store.put(name, { pieces: piecesOf(bytes), id: "12", signal });
      assertEquals(server.objects.get(name)?.bytes, bytes, name);
      assertEquals(await store.idOf(name), "12");
      assertEquals(new Uint8Array(await new Response(await store.get(name, signal)).arrayBuffer()), bytes);
    }
    assertEquals(await store.idOf("none"), undefined);
    assertEquals(server.requests.filter((line) => line.includes("?")), []);
  }));

Deno.test("S3Store stores what is large in parts", () =>
  withStore(async (server, store) => {
    const bytes = randomBytes(2 * S3_PART_BYTES + 5);
    await store.put("big one", { pieces: piecesOf(bytes), id: "7", signal });
    assertEquals(server.objects.get("big one"), { bytes, metadata: { [ID]: "7" } });
    assertEquals(server.uploads.size, 0);
    assertEquals(server.requests.map((line) => line.split(" ")[0]), ["POST", "PUT", "PUT", "PUT", "POST"]);
  }));

Deno.test("S3Store leaves no object and no parts where the connection breaks in the middle, and says so", () =>
  withStore(async (server, store) => {
    const bytes = randomBytes(2 * S3_PART_BYTES);
    server.breaks = (line) => line.startsWith("PUT") && line.includes("partNumber=2");
    const error = await assertRejects(() => store.put("big", { pieces: piecesOf(bytes), id: "7", signal }), Error);
    assertMatch(error.message, /^Cannot store part 2 of s3:\/\/backups\/big: 127\.0\.0\.1:\d+: /);
    assertEquals([server.objects.size, server.uploads.size], [0, 0]);
    server.breaks = (line) => line.startsWith("PUT small");
    await assertRejects(() => store.put("small", { pieces: piecesOf(randomBytes(10)), id: "7", signal }), Error);
    assertEquals(server.keys, []);
  }));

Deno.test("S3Store gives its parts up where the backup itself fails, or the node shuts down", () =>
  withStore(async (server, store) => {
    const failing = async function* () {
      yield* piecesOf(randomBytes(S3_PART_BYTES + 1));
      throw new Error("no room");
    };
    await assertRejects(() => store.put("big", { pieces: failing(), id: "7", signal }), Error, "no room");
    const stop = new AbortController();
    server.holds = (line) => (line.includes("partNumber=1") && stop.abort(new Error("the node shuts down")), undefined);
    const pieces = piecesOf(randomBytes(3 * S3_PART_BYTES));
    await assertRejects(() => store.put("big", { pieces, id: "7", signal: stop.signal }), Error, "the node shuts down");
    assertEquals([server.objects.size, server.uploads.size], [0, 0]);
  }));

Deno.test("S3Store lists page by page, and removes", () =>
  withStore(async (server, store) => {
    const names = ["a/1", "a/2", "a/3", "a/4&<", "a/5", "a/6", "a/7", "b"];
    for (const name of names) await store.put(name, { pieces: piecesOf(randomBytes(1)), id: "1", signal });
    assertEquals(await store.list("a/"), names.slice(0, 7));
    for (const name of names) await store.remove(name);
    assertEquals(server.keys, []);
  }));

for (
  const [differing, code] of [
    [{ secretAccessKey: "not the right one" }, "403 (SignatureDoesNotMatch)"],
    [{ accessKeyId: "NOBODY" }, "403 (InvalidAccessKeyId)"],
    [{ region: "us-east-1" }, "400 (AuthorizationHeaderMalformed)"],
  ] as const
) {
  Deno.test(`S3Store says what the store answers, and repeats no key: ${code}`, () =>
    withStore(async (_, store) => {
      const error = await assertRejects(() => store.list("a"), Error);
      assertMatch(error.message, /^Cannot list s3:\/\/backups\/a: 127\.0\.0\.1:\d+ answers /);
      assertEquals(error.message.split("answers ")[1], code);
    }, differing));
}

Deno.test("S3Store names a server that is not there", async () => {
  const server = S3Server.start();
  await server.stop();
  const destination = { type: "s3", bucketUrl: `${server.url}/b`, bucket: "b", region: "r", name: "n" } as const;
  const error = await assertRejects(
    () => new S3Store({ ...destination, ...S3_KEYS, sessionToken: "" }).idOf("n"),
    Error,
  );
  assertMatch(error.message, /^Cannot look at s3:\/\/b\/n: 127\.0\.0\.1:\d+: [^/]*refused/);
});
