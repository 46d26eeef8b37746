/**
 * The name server's Worker, in servers. In client agents the name server is part of the HTTP Worker (see
 * node/permissions.ts).
 * @module
 */
import { answerPulse } from "../../base/worker/pulse.ts";
import { collectAtRest } from "../../base/worker/heap_at_rest.ts";
import { workerScope } from "../../base/worker/worker_scope.ts";
import type { FromNameServer, ToNameServer } from "./api.ts";
import { serveNames } from "./service.ts";

answerPulse();
collectAtRest();
serveNames(workerScope<ToNameServer, FromNameServer>());
