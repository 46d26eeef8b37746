/**
 * Statuses of checks, and their sum. Pure.
 * @module
 */

/** The status of a check. */
export type CheckStatus = "passing" | "warning" | "critical";

/** All statuses of a check, from the best to the worst. */
export const CHECK_STATUSES: readonly CheckStatus[] = ["passing", "warning", "critical"];

/** The sum of several checks. `maintenance`: the node or the service was put into maintenance mode. */
export type AggregatedStatus = CheckStatus | "maintenance";

/** ID of the check that stands for a node in maintenance mode. */
export const NODE_MAINTENANCE = "_node_maintenance";

/** The ID of the check that stands for a service in maintenance mode begins with this; the ID of the service follows. */
export const SERVICE_MAINTENANCE_PREFIX = "_service_maintenance:";

/** Whether a text is the status of a check. */
export function isCheckStatus(text: string): text is CheckStatus {
  return CHECK_STATUSES.some((status) => status === text);
}

/** Whether the check with this ID stands for maintenance mode, of a node or of a service. */
export function isMaintenance(checkId: string): boolean {
  return checkId === NODE_MAINTENANCE || checkId.startsWith(SERVICE_MAINTENANCE_PREFIX);
}

/** The worst status of some checks; maintenance is worse than critical. No checks at all are passing. */
export function aggregateStatus(
  checks: Iterable<{ readonly id: string; readonly status: CheckStatus }>,
): AggregatedStatus {
  let worst = 0;
  for (const { id, status } of checks) {
    if (isMaintenance(id)) return "maintenance";
    worst = Math.max(worst, CHECK_STATUSES.indexOf(status));
  }
  return CHECK_STATUSES[worst];
}
