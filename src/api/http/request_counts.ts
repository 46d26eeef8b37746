/**
 * Requests by endpoint, method and status, with how long their answers took. An endpoint is the path of a route, never one
 * that a client has sent, and methods are those of the routes, so there is a bounded number of either.
 * @module
 */
import { Histogram } from "../../base/shared/histogram.ts";

const METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]);
/** An endpoint, or a method, that is none of the known ones. */
export const OTHER = "other";

/** Requests with one method to one endpoint. */
export class RequestCount {
  readonly endpoint: string;
  readonly method: string;
  /** From the head of a request until its answer was ready to be sent. */
  readonly times = new Histogram();
  /** Requests by the status of their answer. */
  readonly codes = new Map<number, number>();

  constructor(endpoint: string, method: string) {
    this.endpoint = endpoint;
    this.method = method;
  }

  /** Counts one that took `ms`. */
  answered(status: number, ms: number): void {
    this.times.observe(ms);
    this.codes.set(status, (this.codes.get(status) ?? 0) + 1);
  }
}

/** All requests. */
export class RequestCounts {
  /** Answers to requests that were not read in full, by status: malformed, too large, too slow, or one too many. */
  readonly refused = new Map<number, number>();
  readonly #counts = new Map<string, Map<string, RequestCount>>();

  /** The count for a method and an endpoint. */
  of(method: string, endpoint: string): RequestCount {
    let byMethod = this.#counts.get(endpoint);
    if (!byMethod) this.#counts.set(endpoint, byMethod = new Map());
    const known = METHODS.has(method) ? method : OTHER;
    let count = byMethod.get(known);
    if (!count) byMethod.set(known, count = new RequestCount(endpoint, known));
    return count;
  }

  /** Counts a request that was not read in full. */
  noteRefused(status: number): void {
    this.refused.set(status, (this.refused.get(status) ?? 0) + 1);
  }

  /** All that have been asked for. */
  get all(): readonly RequestCount[] {
    return [...this.#counts.values()].flatMap((byMethod) => [...byMethod.values()]);
  }
}
