/**
 * CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), eight bytes at a time ("slicing-by-8"). Pure.
 * @module
 */

// Signed, as all bit operations are: unsigned numbers beyond 2^31 take twice as long.
const TABLES: readonly Int32Array[] = makeTables();

function makeTables(): Int32Array[] {
  const tables = Array.from({ length: 8 }, () => new Int32Array(256));
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82F63B78 : crc >>> 1;
    tables[0][byte] = crc;
  }
  for (let byte = 0; byte < 256; byte++) {
    for (let slice = 1; slice < 8; slice++) {
      const previous = tables[slice - 1][byte];
      tables[slice][byte] = (previous >>> 8) ^ tables[0][previous & 0xff];
    }
  }
  return tables;
}

const [T0, T1, T2, T3, T4, T5, T6, T7] = TABLES;

/**
 * Returns the checksum of `bytes`, or continues one.
 * @param seed Checksum of what came before. @default {0}
 */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  let crc = ~seed;
  let i = 0;
  for (const end = bytes.length - 7; i < end; i += 8) {
    const low = crc ^ (bytes[i] | bytes[i + 1] << 8 | bytes[i + 2] << 16 | bytes[i + 3] << 24);
    crc = T7[low & 0xff] ^ T6[low >>> 8 & 0xff] ^ T5[low >>> 16 & 0xff] ^ T4[low >>> 24] ^
      T3[bytes[i + 4]] ^ T2[bytes[i + 5]] ^ T1[bytes[i + 6]] ^ T0[bytes[i + 7]];
  }
  for (; i < bytes.length; i++) crc = crc >>> 8 ^ T0[(crc ^ bytes[i]) & 0xff];
  return ~crc >>> 0;
}
