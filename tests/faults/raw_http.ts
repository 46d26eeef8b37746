/**
 * Requests as bytes on a connection, for what no client library sends.
 */
import type { NodeProcess } from "../harness/processes.ts";

/**
 * Sends each part when what was sent before was answered, as far as it is.
 * @returns The status of each answer, of the interim ones as well.
 */
export async function rawRequests(node: NodeProcess, ...parts: string[]): Promise<string[]> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: node.place.httpPort });
  try {
    let text = "";
    const reading = (async () => {
      const decoder = new TextDecoder();
      const buffer = new Uint8Array(64 * 1024);
      for (let count = await conn.read(buffer); count !== null; count = await conn.read(buffer)) {
        text += decoder.decode(buffer.subarray(0, count), { stream: true });
      }
    })();
    for (const part of parts) {
      const bytes = new TextEncoder().encode(part);
      for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
    }
    await reading; // the last part asks for the connection to be closed
    return [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
  } finally {
    conn.close();
  }
}
