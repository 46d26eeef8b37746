/** A caller of the cluster port that belongs to no cluster. */
import { type Hello, PROTOCOL_VERSION } from "../../src/drivers/transport/wire.ts";

/** What it says of itself. */
export const STRANGER: Hello = {
  protocol: PROTOCOL_VERSION,
  purpose: "rpc",
  clusterId: "",
  id: "stranger",
  storageId: "s",
  addr: "127.0.0.1:1",
  apiUrl: "",
  version: "v",
  incarnation: "i",
};
