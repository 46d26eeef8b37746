/**
 * The header of a database file (sqlite.org/fileformat2.html §1.3), read past SQLite, which ignores some faults of it, takes
 * others for another kind of file, and meets others only when it needs a free page. Pure reading: nothing may have the
 * file open meanwhile, as closing it drops the locks that SQLite holds on it.
 *
 * Not every change of a byte can be told: the user version, the application id, the schema's version, the size that is
 * proposed for the cache and the version of SQLite that wrote last may be anything.
 * @module
 */
import { exists } from "../../base/worker/files.ts";

const HEADER_BYTES = 100;
/** The header, and that of the b-tree behind it. */
const HEAD_BYTES = 108;
const MAGIC = "SQLite format 3\0";
const UTF8 = 1;
const FORMAT_MAX = 4;

/** Offsets of 32-bit fields of the header. */
const FIELD = {
  changes: 24,
  pages: 28,
  freelist: 32,
  freePages: 36,
  format: 44,
  largestRoot: 52,
  encoding: 56,
  isIncremental: 64,
  reserved: 72,
  changesAtSize: 92,
} as const;

/** What is wrong with the header of the file at `path`, on its own; undefined for a sound one, a new file or none. */
export function headerFault(path: string): string | undefined {
  return withFile(path, (file, size) => {
    const head = new Uint8Array(HEAD_BYTES);
    if ((file.readSync(head) ?? 0) < HEADER_BYTES) return `it has ${size} bytes, less than a header`;
    if (new TextDecoder().decode(head.subarray(0, 16)) !== MAGIC) return "it does not begin as a database";
    const pageBytes = pageBytesOf(head);
    const isPageSize = pageBytes >= 512 && pageBytes <= 65536 && (pageBytes & pageBytes - 1) === 0;
    if (!isPageSize) return `its header says that pages have ${pageBytes} bytes`;
    const isVersion = [head[18], head[19]].every((version) => version === 1 || version === 2);
    if (!isVersion || head[21] !== 64 || head[22] !== 32 || head[23] !== 32) return "its header is malformed";
    return fieldFault(head);
  });
}

function fieldFault(head: Uint8Array<ArrayBuffer>): string | undefined {
  const view = new DataView(head.buffer);
  const at = (offset: number) => view.getUint32(offset);
  // A file that was made and holds no table yet has neither.
  const isEmpty = view.getUint16(103) === 0;
  const isFormat = at(FIELD.format) <= FORMAT_MAX && (at(FIELD.format) > 0 || isEmpty);
  if (!isFormat) return `its header says that its schema has format ${at(FIELD.format)}`;
  const isEncoding = at(FIELD.encoding) === UTF8 || at(FIELD.encoding) === 0 && isEmpty;
  if (!isEncoding) return `its header says that its text has encoding ${at(FIELD.encoding)}: UTF-8 is 1`;
  if (at(FIELD.isIncremental) > 1 || at(FIELD.isIncremental) === 1 && at(FIELD.largestRoot) === 0) {
    return "its header says that vacuuming is incremental, and that it is off";
  }
  for (let offset: number = FIELD.reserved; offset < FIELD.changesAtSize; offset++) {
    if (head[offset] !== 0) return `byte ${offset} of its header is not zero`;
  }
  if (at(FIELD.changes) !== at(FIELD.changesAtSize)) return "the two counters of changes in its header differ";
  return undefined;
}

/** What few databases have, as the header says: zeros for most of them. */
export interface Peculiarities {
  /** Bytes at the end of each page that are not SQLite's: some extensions want them. */
  readonly reservedBytes: number;
  /** The largest root page, with `auto_vacuum`. */
  readonly largestRoot: number;
  /** Bytes behind the last page; only a file that no WAL belongs to must have none. */
  readonly excessBytes: number;
}

const NO_PECULIARITIES: Peculiarities = { reservedBytes: 0, largestRoot: 0, excessBytes: 0 };

/** Reads what the header says about rare layouts. */
export function peculiaritiesOf(path: string): Peculiarities {
  return withFile(path, (file, size) => {
    const head = new Uint8Array(HEADER_BYTES);
    file.readSync(head);
    const header = new DataView(head.buffer);
    return {
      reservedBytes: head[20],
      largestRoot: header.getUint32(FIELD.largestRoot),
      excessBytes: size - header.getUint32(FIELD.pages) * pageBytesOf(head),
    };
  }) ?? NO_PECULIARITIES;
}

/** What is wrong with the list of free pages, or with the size; only of a file that no WAL belongs to. */
export function freelistFault(path: string): string | undefined {
  return withFile(path, (file, size) => {
    const head = new Uint8Array(HEADER_BYTES);
    file.readSync(head);
    const header = new DataView(head.buffer);
    const pageBytes = pageBytesOf(head);
    const pages = header.getUint32(FIELD.pages);
    if (pages === 0 || pages * pageBytes > size) {
      return `it has ${size} bytes, and its header says that there are ${pages} pages`;
    }
    const wanted = header.getUint32(FIELD.freePages);
    const trunk = new DataView(new ArrayBuffer(8));
    let found = 0;
    let page = header.getUint32(FIELD.freelist);
    while (page !== 0 && found <= wanted) {
      if (page < 2 || page > pages) return `its list of free pages names page ${page} of ${pages}`;
      file.seekSync((page - 1) * pageBytes, Deno.SeekMode.Start);
      file.readSync(new Uint8Array(trunk.buffer));
      page = trunk.getUint32(0);
      found += 1 + trunk.getUint32(4);
    }
    if (found === wanted && page === 0) return undefined;
    return `its list of free pages has not the ${wanted} pages that its header says`;
  });
}

/** 1 stands for what does not fit into the field. */
function pageBytesOf(head: Uint8Array): number {
  const bytes = head[16] << 8 | head[17];
  return bytes === 1 ? 65536 : bytes;
}

/** Reads a file that exists and was written to. */
function withFile<T>(path: string, read: (file: Deno.FsFile, size: number) => T): T | undefined {
  if (!exists(path)) return undefined;
  const { size } = Deno.statSync(path);
  if (size === 0) return undefined;
  const file = Deno.openSync(path);
  try {
    return read(file, size);
  } finally {
    file.close();
  }
}
