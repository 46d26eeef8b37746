/** Memory of a node as the system counts it; Linux alone. */
import type { NodeProcess } from "../harness/processes.ts";

/** The bound of a node's memory, whatever it is asked. */
export const RSS_MAX = 1000 * 1024 * 1024;

/** Resident memory of a node at its peak, in bytes. */
export async function peakResidentBytes(node: NodeProcess): Promise<number> {
  const { stdout } = await new Deno.Command("cat", { args: [`/proc/${node.pid}/status`] }).output(); // may read there
  return Number(/VmHWM:\s*(\d+)/.exec(new TextDecoder().decode(stdout))?.[1]) * 1024;
}
