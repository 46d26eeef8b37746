/**
 * Which format of metrics a scraper is answered in, by its `Accept` (RFC 9110 §12.5.1). Pure.
 *
 * Prometheus asks for OpenMetrics with a parameter more in each of its versions (`version`, `escaping`), so a media type
 * counts by its name and its version, and other parameters are left aside.
 * @module
 */
import type { Format } from "../../core/metrics/exposition.ts";

/** A media range of the header. */
interface Range {
  readonly type: string;
  readonly version: string;
  readonly quality: number;
}

/** OpenMetrics for those that ask for it, at least as much as for plain text; else Prometheus' own. */
export function formatFor(accept: string): Format {
  const ranges = accept.split(",").map(rangeOf);
  const open = Math.max(0, ...ranges.filter(isOpenMetrics).map(({ quality }) => quality));
  const plain = Math.max(0, ...ranges.filter(({ type }) => type === "text/plain").map(({ quality }) => quality));
  return open > 0 && open >= plain ? "openmetrics" : "prometheus";
}

function isOpenMetrics({ type, version }: Range): boolean {
  return type === "application/openmetrics-text" && (version === "1.0.0" || version === "");
}

function rangeOf(text: string): Range {
  const [type, ...parameters] = text.split(";").map((part) => part.trim().toLowerCase());
  const of = (name: string) => parameters.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1);
  const quality = Number(of("q") ?? 1);
  return { type, version: of("version") ?? "", quality: quality >= 0 && quality <= 1 ? quality : 0 };
}
