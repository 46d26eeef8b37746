/**
 * Loads SQLite extensions into a connection (sqlite.org/loadext.html): compiled code that adds functions, collations and
 * virtual tables.
 *
 * SQLite itself opens the file, outside the runtime's sandbox, so a Worker needs no further right for it. Only this call
 * may load one, and only while {@linkcode LOAD_EXTENSION} is on, which permits the call and not SQL's `load_extension()`.
 * The entry point is `sqlite3_extension_init`, or else it is derived from the file's name as SQLite does: the letters
 * behind `lib` and before the first dot, between `sqlite3_` and `_init`.
 * @module
 */

/** `SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION`: whether the C function may load one. */
export const LOAD_EXTENSION = 1005;

/** Functions of SQLite that only extensions need: a library without them (`-sqlite-library`) serves where there are none. */
export const EXTENSION_SYMBOLS = {
  sqlite3_load_extension: { parameters: ["usize", "buffer", "buffer", "buffer"], result: "i32" },
  sqlite3_set_errmsg: { parameters: ["usize", "i32", "usize"], result: "i32" },
  sqlite3_free: { parameters: ["usize"], result: "void" },
} as const;

const opened = new Map<string, Deno.DynamicLibrary<typeof EXTENSION_SYMBOLS>["symbols"]>(); // once in a thread, for good

function symbolsOf(library: string): Deno.DynamicLibrary<typeof EXTENSION_SYMBOLS>["symbols"] {
  const symbols = opened.get(library) ?? Deno.dlopen(library, EXTENSION_SYMBOLS).symbols;
  opened.set(library, symbols);
  return symbols;
}

const utf8Encoder = new TextEncoder();

/**
 * Suffix of extensions on this platform. SQLite tries a path as it is and then with the suffix, and reports the error of
 * the second attempt: so a path with the suffix is named without it.
 */
export const SUFFIX = Deno.build.os === "windows" ? ".dll" : Deno.build.os === "darwin" ? ".dylib" : ".so";

/** An extension cannot be loaded; the message says which and why. */
export class ExtensionError extends Error {
  /** Always `ExtensionError`. */
  override readonly name = "ExtensionError";

  /**
   * @param file Path of the extension.
   * @param why What SQLite or the system says.
   */
  constructor(file: string, why: string) {
    super(
      `Cannot load the SQLite extension "${file}" (${why}): -extensions-path must name extensions that are built for ` +
        `this platform (${Deno.build.target})`,
    );
  }
}

/**
 * Loads an extension.
 * @param library Path of the SQLite library.
 * @param connection The connection, as SQLite knows it.
 * @param file Path of the extension.
 * @returns SQLite's result code; where it is not 0, the connection's error message says why.
 */
export function loadExtension(library: string, connection: bigint, file: string): number {
  const symbols = symbolsOf(library);
  const text = new BigInt64Array(1);
  const path = utf8Encoder.encode(`${file.endsWith(SUFFIX) ? file.slice(0, -SUFFIX.length) : file}\0`);
  const code = symbols.sqlite3_load_extension(connection, path, null, new Uint8Array(text.buffer));
  if (text[0] !== 0n) {
    symbols.sqlite3_set_errmsg(connection, code, text[0]);
    symbols.sqlite3_free(text[0]);
  }
  return code;
}
