/**
 * The values SQLite stores, as JavaScript sees them. Pure.
 * @module
 */

/**
 * A value of one of SQLite's five storage classes: `null` is NULL, `bigint` INTEGER, `number` REAL (always, even 1.0),
 * `string` TEXT and `Uint8Array` BLOB (sqlite.org/datatype3.html §2).
 */
export type SqlValue = null | bigint | number | string | Uint8Array;
