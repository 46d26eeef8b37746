/**
 * Answers requests that another node has forwarded as if a client had sent them here.
 * @module
 */
import type { HeldAnswer } from "../../app/database/held_answer.ts";
import type { ForwardedRequest, ForwardedResponse } from "../../drivers/replica/api.ts";
import { type HttpResponse, JSON_TYPE } from "../http/problem.ts";
import { route } from "./router.ts";
import type { Services } from "./services.ts";

/** Answers what another node sent on, as if a client had sent it here; when it is `over`, nobody waits for the answer. */
export async function serveForwarded(
  request: ForwardedRequest,
  services: Services,
  over: Promise<void>,
): Promise<{ response: ForwardedResponse; held?: HeldAnswer }> {
  services.counters.served++;
  const { relayed, ...asked } = request;
  const startedMs = performance.now();
  const response: HttpResponse = await route(
    { ...asked, forwarded: !relayed, startedMs, whenOver: () => over },
    services,
  );
  const { held } = response;
  const answer = held?.whole() ?? response.body;
  const headers = {
    ...response.headers,
    ...(response.retryAfter === undefined ? {} : { "Retry-After": String(response.retryAfter) }),
  };
  const forwarded = {
    status: response.status,
    contentType: response.contentType ?? (answer.length > 0 ? JSON_TYPE : ""),
    servedBy: services.options.advertisedAddr,
    ...(Object.keys(headers).length > 0 ? { headers } : {}),
    ...(response.leaderless ? { leaderless: true } : {}),
    body: typeof answer === "string" ? new TextEncoder().encode(answer) : answer,
  };
  return { response: forwarded, ...(held ? { held } : {}) };
}
