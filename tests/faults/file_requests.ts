/**
 * Requests of the tests that load database files.
 * @module
 */
import type { NodeProcess } from "../harness/processes.ts";

/** Posts JSON, or the bytes of a file; gives the text of the answer, whatever its status. */
export async function post(node: NodeProcess, path: string, body: Uint8Array<ArrayBuffer> | string): Promise<string> {
  const type = typeof body === "string" ? "application/json" : "application/octet-stream";
  const response = await fetch(node.url + path, { method: "POST", body, headers: { "Content-Type": type } });
  return await response.text();
}
