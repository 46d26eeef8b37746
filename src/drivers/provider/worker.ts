/**
 * The Worker that looks up members to join. It has the network and nothing else: what files hold comes with each call.
 * @module
 */
import { Callee } from "../../base/worker/channel.ts";
import { workerScope } from "../../base/worker/worker_scope.ts";
import type { FromProvider, ProviderMethods, ToProvider } from "./api.ts";
import { listPods } from "./k8s.ts";

const scope = workerScope<ToProvider, FromProvider>();
const callee = new Callee<ProviderMethods>(scope, {
  k8s: ({ options, access }) => listPods(options, access),
});

scope.onmessage = ({ data }) => callee.take(data);
