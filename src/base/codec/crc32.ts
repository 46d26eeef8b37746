/**
 * CRC-32 as in zlib and PNG (reflected polynomial 0xEDB88320), for packets (G2.5). Pure.
 * @module
 */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xEDB88320 : crc >>> 1;
  return crc;
});

/** Returns the checksum of `bytes`. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (let i = 0; i < bytes.length; i++) crc = crc >>> 8 ^ TABLE[(crc ^ bytes[i]) & 0xff];
  return ~crc >>> 0;
}
