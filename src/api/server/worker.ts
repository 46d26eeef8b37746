/**
 * The HTTP Worker of servers: it may listen on its own addresses and nothing else. In a client agent HTTP runs in the
 * process's only thread (see node/here.ts).
 * @module
 */
import { answerPulse } from "../../base/worker/pulse.ts";
import { collectAtRest } from "../../base/worker/heap_at_rest.ts";
import { workerScope } from "../../base/worker/worker_scope.ts";
import type { FromHttpWorker, ToHttpWorker } from "./api.ts";
import { serve } from "./service.ts";

answerPulse();
collectAtRest();
serve(workerScope<ToHttpWorker, FromHttpWorker>());
