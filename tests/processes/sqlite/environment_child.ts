/**
 * A process of its own for what can befall the environment of a database: its limits, file systems and library's settings
 * hold for a whole process. Prints what came of it as JSON.
 *
 *     environment_child.ts SCENARIO FOLDER
 */
import { Database, runOnce, SqliteError } from "../../../src/drivers/libsqlite/driver.ts";
import { causeOf, isAboutTemporaryFile, isDiskFull, isLocked } from "../../../src/drivers/sqlite/failure.ts";

/** The error of an operation; `code` is 0 if there was none. */
export interface Fate {
  readonly code: number;
  readonly stop: string;
  readonly io: SqliteError["io"];
  readonly cause: string;
  readonly message: string;
  readonly isDiskFull: boolean;
  readonly isLocked: boolean;
  readonly isAboutTemporaryFile: boolean;
}

/** The error of an operation, if it failed. */
export function fateOf(work: () => unknown): Fate {
  try {
    work();
  } catch (error) {
    if (!(error instanceof SqliteError)) throw error;
    return {
      code: error.code,
      stop: error.stop,
      io: error.io,
      cause: causeOf(error),
      message: error.message,
      isDiskFull: isDiskFull(error),
      isLocked: isLocked(error),
      isAboutTemporaryFile: isAboutTemporaryFile(error),
    };
  }
  const io = { code: 0, errno: 0, file: "none" } as const;
  const no = { isDiskFull: false, isLocked: false, isAboutTemporaryFile: false };
  return { code: 0, stop: "none", io, cause: "none", message: "", ...no };
}

const SORT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<40000) " +
  "SELECT count(*) FROM (SELECT DISTINCT printf('%.*c%d', 100, 'x', i) FROM n)";

function open(path: string): Database {
  return new Database(path, { readOnly: false, foreignKeys: false });
}

/** Opens a database in the folder and writes to it until that fails. */
function fill(folder: string, journal: string): Fate {
  const database = open(`${folder}/db`);
  runOnce(database, `PRAGMA journal_mode = ${journal}`);
  runOnce(database, "CREATE TABLE t(a)");
  const insert = database.prepare("INSERT INTO t VALUES(randomblob(10000))");
  const fate = fateOf(() => {
    for (let at = 0; at < 10_000; at++) insert.run();
  });
  database.close();
  return fate;
}

/** Sorts in a temporary file. */
function sort(database: Database): Fate {
  runOnce(database, "PRAGMA temp_store = FILE");
  runOnce(database, "PRAGMA cache_size = 10");
  return fateOf(() => runOnce(database, SORT));
}

/** Sets how many bytes of addresses this process may have: so many more than it has, or any number again. */
function limitMemory(bytes: number | undefined): void {
  const limit = bytes === undefined ? "unlimited" : `$(( $(cut -d" " -f1 /proc/$1/statm) * 4096 + ${bytes} ))`;
  const { success } = new Deno.Command("sh", {
    args: ["-c", `prlimit --pid $1 --as=${limit}:`, "sh", String(Deno.pid)], // the soft limit, which can be put back
  }).outputSync();
  if (!success) throw new Error("prlimit failed");
}

/** Every scenario. */
const SCENARIOS: Readonly<Record<string, (folder: string) => Fate>> = {
  fill: (folder) => fill(folder, "DELETE"),
  "fill WAL": (folder) => fill(folder, "WAL"),
  write: (folder) => {
    let fate: Fate | undefined;
    const opened = fateOf(() => {
      const database = open(`${folder}/db`);
      fate = fateOf(() => runOnce(database, "CREATE TABLE u(a)"));
      database.close();
    });
    return fate ?? opened;
  },
  /** A database that was closed has no index of its WAL, which a start has to make. */
  "open WAL": (folder) => {
    const database = open(`${folder}/db`);
    runOnce(database, "PRAGMA journal_mode = WAL");
    runOnce(database, "CREATE TABLE t(a)");
    database.close();
    using filler = Deno.openSync(`${folder}/filler`, { create: true, write: true });
    for (const size of [4096, 1]) {
      try {
        for (;;) filler.writeSync(new Uint8Array(size));
      } catch {
        // the disk is full
      }
    }
    const again = open(`${folder}/db`);
    const fate = fateOf(() => runOnce(again, "PRAGMA schema_version"));
    again.close();
    return fate;
  },
  sort: (folder) => {
    const database = open(`${folder}/db`);
    const fate = sort(database);
    database.close();
    return fate;
  },
  "sort without a folder": (folder) => {
    Deno.mkdirSync(`${folder}/gone`);
    const database = open(`${folder}/gone/db`); // temporary files are to lie there
    Deno.removeSync(`${folder}/gone`, { recursive: true });
    const fate = sort(database);
    database.close();
    return fate;
  },
  "back up": (folder) => {
    const source = open(":memory:");
    runOnce(source, "CREATE TABLE t AS SELECT zeroblob(3000000) AS a");
    const target = open(`${folder}/copy`);
    const copy = source.backup(target);
    const fate = fateOf(() => {
      while (copy.step(10));
    });
    source.close();
    target.close();
    return fate;
  },
  memory: () => {
    const valueBytesMax = 256 * 1024 * 1024; // above the limit of one value, so that memory is what lacks
    const database = new Database(":memory:", { readOnly: false, foreignKeys: false, valueBytesMax });
    const statement = database.prepare("SELECT length(randomblob(250000000))");
    limitMemory(240_000_000); // the runtime needs some of it
    const fate = fateOf(() => statement.run());
    limitMemory(undefined);
    if (fateOf(() => runOnce(database, "SELECT 1")).code !== 0) throw new Error("the connection is of no further use");
    database.close();
    return fate;
  },
  lock: (folder) => {
    const database = open(`${folder}/db`);
    runOnce(database, "BEGIN EXCLUSIVE");
    console.log("locked");
    Deno.stdin.readSync(new Uint8Array(1)); // until it is closed
    database.close();
    return fateOf(() => {});
  },
};

if (import.meta.main) {
  const [scenario, folder] = Deno.args;
  const work = SCENARIOS[scenario ?? ""];
  if (!work || folder === undefined) throw new Error(`no scenario: ${scenario}`);
  console.log(JSON.stringify(work(folder)));
}
