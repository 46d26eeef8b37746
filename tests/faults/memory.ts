/** Memory of a node as the system counts it; Linux alone. */
import type { NodeProcess } from "../harness/processes.ts";

/** The bound of a node's memory, whatever it is asked. */
export const RSS_MAX = 1000 * 1024 * 1024;

/** Resident memory of a node at its peak, in bytes. */
export async function peakResidentBytes(node: NodeProcess): Promise<number> {
  return await statusBytes(node, "VmHWM");
}

/** Resident memory of a node now, in bytes. */
export async function residentBytes(node: NodeProcess): Promise<number> {
  return await statusBytes(node, "VmRSS");
}

async function statusBytes(node: NodeProcess, name: string): Promise<number> {
  const { stdout } = await new Deno.Command("cat", { args: [`/proc/${node.pid}/status`] }).output(); // may read there
  return Number(new RegExp(`${name}:\\s*(\\d+)`).exec(new TextDecoder().decode(stdout))?.[1]) * 1024;
}
