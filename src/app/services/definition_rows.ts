/**
 * Definitions of services and checks as the catalog has them. Pure.
 * @module
 */
import { formatDuration } from "../../base/codec/duration.ts";
import type { CheckStatus } from "../../core/health/aggregate.ts";
import type { CheckDefinition, ServiceDefinition } from "../../core/health/definitions.ts";
import type { CatalogCheck, CatalogService } from "../agent/registration.ts";

/** A service without its checks. */
export function catalogService({ checks: _, token: __, ...service }: ServiceDefinition): CatalogService {
  return service;
}

/** A check with its state. */
export function catalogCheck(
  { id, name, notes, serviceId, kind, intervalMs, timeoutMs }: CheckDefinition,
  { status, output }: { readonly status: CheckStatus; readonly output: string },
): CatalogCheck {
  return {
    id,
    name,
    status,
    notes,
    output,
    serviceId,
    type: kind.k === "none" ? "" : kind.k,
    interval: intervalMs > 0 ? formatDuration(intervalMs) : "",
    timeout: intervalMs > 0 ? formatDuration(timeoutMs) : "",
    definition: "{}",
  };
}
