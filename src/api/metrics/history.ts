/**
 * `GET /metrics/history`: the figures of this node over the last hours, in columns, for a picture (docs/metrics.md).
 * @module
 */
import { parseDuration } from "../../base/codec/duration.ts";
import type { Excerpt, History } from "../../core/metrics/history.ts";
import { SERIES } from "../../core/metrics/series.ts";
import { HttpError, type HttpResponse } from "../http/problem.ts";
import type { HttpRequest } from "../http/request.ts";

/** Dependencies of the answer. */
export interface HistoryParts {
  readonly history: Pick<History, "since">;
  readonly options: { readonly nodeId: string };
}

const HOUR_MS = 3_600_000;
/** Significant digits of a value: more than a picture shows, and short. */
const DIGITS = 6;
const NAMES: ReadonlySet<string> = new Set(SERIES.map(({ name }) => name));
/** Longest list of names. */
const NAMES_LENGTH_MAX = 2000;

/**
 * `GET /metrics/history`.
 * @throws {HttpError} 400 for a time that is none, or a name that nothing has.
 */
export function handleHistory({ params }: HttpRequest, { history, options }: HistoryParts): HttpResponse {
  const nowMs = Date.now();
  const since = sinceOf(params.get("since"), nowMs);
  const wanted = namesOf(params.get("series"));
  const excerpt = history.since(since, nowMs, wanted && ((name) => wanted.has(name)));
  const body = JSON.stringify(shown(excerpt, { node: options.nodeId, nowMs }), null, params.has("pretty") ? 4 : 0);
  return { status: 200, body, contentType: "application/json; charset=utf-8" };
}

/** As a duration before now, a time in RFC 3339, or in ms since 1970. @default {an hour} */
function sinceOf(text: string | undefined, nowMs: number): number {
  if (text === undefined) return nowMs - HOUR_MS;
  if (/^\d{10,15}$/.test(text)) return Number(text);
  const durationMs = parseDuration(text);
  if (durationMs !== undefined && durationMs >= 0) return nowMs - durationMs;
  const timeMs = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : NaN;
  if (!Number.isNaN(timeMs)) return timeMs;
  throw new HttpError(400, 'since must be a duration, such as "3h", a time in RFC 3339, or in ms since 1970');
}

/** Undefined: all. */
function namesOf(text: string | undefined): ReadonlySet<string> | undefined {
  if (text === undefined || text === "") return undefined;
  const names = text.length > NAMES_LENGTH_MAX ? [""] : text.split(",");
  const strange = names.find((name) => !NAMES.has(name));
  if (strange === undefined) return new Set(names);
  throw new HttpError(400, `series must be names, with commas between them, of: ${[...NAMES].join(", ")}`);
}

function shown({ stepMs, times, columns }: Excerpt, { node, nowMs }: { node: string; nowMs: number }): unknown {
  const series = columns.map(({ series: { name, kind, unit, help }, values }) => [name, {
    kind,
    unit,
    help,
    values: values.map((value) => Number.isNaN(value) ? null : round(value)),
  }]);
  return { node, now: nowMs, step: stepMs / 1000, times, series: Object.fromEntries(series) };
}

/** Whole numbers, such as an index, stay as they are. */
function round(value: number): number {
  return Number.isInteger(value) ? value : Number(value.toPrecision(DIGITS));
}
