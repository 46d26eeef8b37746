/**
 * The membership Worker of servers: gossip in a thread of its own, so that no statement and no request holds up a probe. It
 * may use the network and its own directory. In a client agent gossip runs in the process's only thread (see
 * node/here.ts).
 * @module
 */
import { answerPulse } from "../../base/worker/pulse.ts";
import { collectAtRest } from "../../base/worker/heap_at_rest.ts";
import { workerScope } from "../../base/worker/worker_scope.ts";
import type { FromPool, ToPool } from "./api.ts";
import { serve } from "./service.ts";

answerPulse();
collectAtRest();
serve(workerScope<ToPool, FromPool>());
