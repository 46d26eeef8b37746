/**
 * The file of a snapshot of the catalog, keys and sessions (C7.7): a compressed tar archive of `meta.json`, `state.bin` and
 * `SHA256SUMS`, as Consul has it; the state is this program's own (core/catalog/snapshot.ts).
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import { GZIP_MAGIC } from "../../base/net/gunzip.ts";
import type { CatalogSnapshot } from "./snapshot_operations.ts";

const META = "meta.json";
const STATE = "state.bin";
const SUMS = "SHA256SUMS";
/** Bytes of an archive when it is unpacked. */
const BYTES_MAX = 512 * 1024 * 1024;

/** A file that is no snapshot, or a damaged one. */
export class SnapshotFileError extends Error {
  /** Always `SnapshotFileError`. */
  override readonly name = "SnapshotFileError";
}

/** An archive whose sums are right. */
export interface SnapshotArchive {
  /** JSON of `meta.json`, as far as it is any. */
  readonly meta: unknown;
  /** What `state.bin` holds. */
  readonly state: Uint8Array;
}

/** Loaded when they are first used: every server would keep 5 MB for them. */
async function archivers() {
  const [{ createTar, parseTar }, { gunzipSync, gzipSync }] = await Promise.all([import("nanotar"), import("fflate")]);
  return { createTar, parseTar, gunzipSync, gzipSync };
}

/** Packs a snapshot into a file. */
export async function packSnapshot({ lines, index }: CatalogSnapshot): Promise<Uint8Array<ArrayBuffer>> {
  const facts = { Version: 1, ID: `${index}-${Date.now()}`, Index: index, Term: 0, Size: lines.length };
  const meta = new TextEncoder().encode(JSON.stringify(facts));
  const sums = `${await sumOf(meta)}  ${META}\n${await sumOf(lines)}  ${STATE}\n`;
  const { createTar, gzipSync } = await archivers();
  const archive = createTar([
    { name: META, data: meta, attrs: { mode: "600" } },
    { name: STATE, data: lines, attrs: { mode: "600" } },
    { name: SUMS, data: sums, attrs: { mode: "600" } },
  ]);
  return new Uint8Array(gzipSync(archive));
}

/**
 * Unpacks a file and compares its sums.
 * @throws {SnapshotFileError} When it is no snapshot, or a damaged one.
 */
export async function openSnapshot(bytes: Uint8Array): Promise<SnapshotArchive> {
  const { gunzipSync, parseTar } = await archivers();
  const files = new Map<string, Uint8Array>();
  try {
    if (GZIP_MAGIC.some((byte, at) => bytes[at] !== byte)) throw new Error("it is not a snapshot");
    if (sizeOf(bytes) > BYTES_MAX) throw new Error(`it is cut short, or larger than ${BYTES_MAX >> 20} MiB unpacked`);
    for (const { name, data } of parseTar(unpacked(() => gunzipSync(bytes)))) if (data) files.set(name, data);
  } catch (error) {
    throw new SnapshotFileError(`failed to read snapshot file: ${messageOf(error)}`);
  }
  const [meta, state, sums] = [files.get(META), files.get(STATE), files.get(SUMS)];
  if (!meta || !state || !sums) {
    const expected = `expected ${META}, ${STATE} and ${SUMS}`;
    throw new SnapshotFileError(`failed to read snapshot file: it is cut short, or not a snapshot: ${expected}`);
  }
  const expected = new Map(
    new TextDecoder().decode(sums).trim().split("\n").map((line) => line.split(/\s+/)).map((
      [sum, name],
    ) => [name, sum]),
  );
  for (const [name, file] of [[META, meta], [STATE, state]] as const) {
    if (expected.get(name) !== await sumOf(file)) {
      throw new SnapshotFileError(`failed to verify snapshot file: ${name} is damaged`);
    }
  }
  try {
    return { meta: JSON.parse(new TextDecoder().decode(meta)), state };
  } catch {
    throw new SnapshotFileError(`failed to read snapshot file: ${META} is no JSON`);
  }
}

function unpacked(unpack: () => Uint8Array): Uint8Array {
  try {
    return unpack();
  } catch (error) {
    throw new Error(`it is cut short, or damaged: ${messageOf(error)}`);
  }
}

/** What gzip says of the size of what it holds (RFC 1952 §2.3.1), so that none is unpacked that is too large. */
function sizeOf(archive: Uint8Array): number {
  return archive.length < 4
    ? 0
    : new DataView(archive.buffer, archive.byteOffset + archive.length - 4).getUint32(0, true);
}

async function sumOf(bytes: Uint8Array): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(bytes))).toHex();
}
