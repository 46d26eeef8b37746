/**
 * Reading from a TCP connection.
 * @module
 */

/** So many bytes; undefined when the stream ends before. */
export async function readExactly(conn: Deno.Conn, count: number): Promise<Uint8Array | undefined> {
  const bytes = new Uint8Array(count);
  for (let have = 0; have < count;) {
    const more = await conn.read(bytes.subarray(have));
    if (more === null) return undefined;
    have += more;
  }
  return bytes;
}
