/**
 * A TCP connection of the cluster port that speaks gossip: its bytes go to the membership Worker and back, with a window
 * in each direction, so that a peer that does not read holds up nobody.
 * @module
 */
import { PortStream } from "../membership/gossip_stream.ts";
import type { Connection } from "./connection.ts";

/** Longest life of such a connection: an exchange of state takes seconds. */
const LIFE_MS = 60_000;

/** Carries bytes both ways until one side ends; `first` was read already. */
export async function bridgeGossip(connection: Connection, first: Uint8Array, port: MessagePort): Promise<void> {
  const stream = new PortStream(port);
  const timer = setTimeout(() => connection.close(), LIFE_MS);
  const inward = async () => {
    for (let bytes: Uint8Array | null = first; bytes !== null; bytes = await connection.readSome()) {
      await stream.write(bytes);
    }
    stream.close();
  };
  const outward = async () => {
    for (let bytes = await stream.read(); bytes !== null && connection.sendRaw(bytes); bytes = await stream.read()) {
      await connection.drained();
    }
    connection.close();
  };
  try {
    await Promise.all([inward().catch(() => connection.close()), outward()]);
  } finally {
    clearTimeout(timer);
    stream.close();
  }
}
