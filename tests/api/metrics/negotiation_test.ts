import { assertEquals } from "@std/assert";
import { formatFor } from "../../../src/api/metrics/negotiation.ts";

const HEADERS: readonly [string, string, string][] = [
  ["no header", "", "prometheus"],
  ["a browser", "text/html,application/xhtml+xml,*/*;q=0.8", "prometheus"],
  ["curl", "*/*", "prometheus"],
  [
    "Prometheus 2.42",
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75," +
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "openmetrics",
  ],
  [
    "Prometheus 3",
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6," +
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4," +
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
    "openmetrics",
  ],
  [
    "plain text before OpenMetrics",
    "application/openmetrics-text; version=1.0.0; q=0.2, text/plain; q=0.9",
    "prometheus",
  ],
  ["OpenMetrics refused", "application/openmetrics-text;version=1.0.0;q=0", "prometheus"],
  ["a version that is not known", "application/openmetrics-text;version=0.0.1", "prometheus"],
];

for (const [who, accept, format] of HEADERS) {
  Deno.test(`formatFor() answers ${who} in the format ${format}`, () => assertEquals(formatFor(accept), format));
}
