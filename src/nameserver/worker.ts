/** To come. @module */
import { workerScope } from "../rpc/worker_scope.ts";
import type { FromNameServer, ToNameServer } from "./api.ts";

const scope = workerScope<ToNameServer, FromNameServer>();
scope.onmessage = ({ data: { k } }) => k === "open" && scope.postMessage({ k: "listening" });
