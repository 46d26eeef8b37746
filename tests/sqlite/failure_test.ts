import { assertEquals } from "@std/assert";
import { isSafeVersion } from "../../src/sqlite/database_file.ts";
import { resultMessage, StatementError } from "../../src/sqlite/failure.ts";

function sqliteError(errcode: number): Error {
  return Object.assign(new Error(`code ${errcode}`), { code: "ERR_SQLITE_ERROR", errcode });
}

Deno.test("resultMessage() takes as results what is the same on every node", () => {
  // ERROR, TOOBIG, CONSTRAINT, MISMATCH, AUTH, RANGE; CONSTRAINT_UNIQUE; CORRUPT_VTAB
  for (const code of [1, 18, 19, 20, 23, 25, 2067, 267]) assertEquals(resultMessage(sqliteError(code)), `code ${code}`);
  assertEquals(resultMessage(new StatementError("no")), "no");
});

Deno.test("resultMessage() leaves the errors of the environment alone", () => {
  // INTERNAL, PERM, ABORT, BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, MISUSE,
  // NOTADB; IOERR_FSYNC, BUSY_SNAPSHOT, CORRUPT_INDEX
  const codes = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 21, 26, 1034, 517, 779];
  for (const code of codes) assertEquals(resultMessage(sqliteError(code)), null, `${code}`);
  assertEquals(resultMessage(new RangeError("from a callback")), null);
  assertEquals(resultMessage("text"), null);
});

Deno.test("isSafeVersion() knows the versions with the WAL-reset bug", () => {
  for (const version of ["3.51.3", "3.53.2", "3.60.0", "4.0.0", "3.52.1"]) assertEquals(isSafeVersion(version), true);
  for (const version of ["3.51.2", "3.50.2", "3.7.0", "3.52.0", "2.9.9", ""]) {
    assertEquals(isSafeVersion(version), false);
  }
});
