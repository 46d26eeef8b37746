/**
 * The Worker that talks to the service manager: it may use that socket and one of its own. Thus the supervisor need not keep
 * the network for a watchdog that is fed as long as the node runs. In a client agent, which keeps the network, the supervisor
 * sends itself.
 * @module
 */
import { workerScope } from "../../base/worker/worker_scope.ts";
import type { FromNotifier, ToNotifier } from "./api.ts";
import { notifier } from "./notifier.ts";

const scope = workerScope<ToNotifier, FromNotifier>();
const take = notifier((message) => scope.postMessage(message));

scope.onmessage = ({ data }) => take(data);
