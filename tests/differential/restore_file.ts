/**
 * What rqlite's documentation loads: a table `foo` with one row, as SQL text and as a SQLite file.
 * @module
 */

/** SQL text, as SQLite's shell dumps it. */
export const RESTORE_DUMP = `PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE foo (id integer not null primary key, name text);
INSERT INTO foo VALUES(1,'fiona');
COMMIT;
`;

/** A SQLite file of two pages of 512 bytes, in DELETE mode, compressed with gzip, as base64. */
const COMPRESSED =
  "H4sIAAAAAAACAwsO9MksSVVIyy/KTSxRMGZgYmBkZHBQUGBgADIhGAYYgZgFjU8IMDHoJTPyghQzrmMAolFAEQhgZBcXFmZsZC9JTMpJTcvPByIm5yBXxxBXhRBHJx9XYETmK2hkpihk5pWkpqcWKeTllyjklebkKBQUZeYmFlUqZKdW6ijkJeamKpSkVpRoQuLmGwMQjYIRAzgYmRnE0zLz8xIB41MoMgAEAAA=";

/** The SQLite file. */
export async function restoreFile(): Promise<Uint8Array> {
  const bytes = Uint8Array.from(atob(COMPRESSED), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
