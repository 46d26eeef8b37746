/** `-cdc-config`: a sink or a file, in the words of rqlite's documentation and of its program; what is wrong is told. */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { ConfigError } from "../../../src/base/codec/fields.ts";
import { cdcPlan } from "../../../src/drivers/sink/cdc_config.ts";
import { sinkReach } from "../../../src/program/node/permissions.ts";

const DEFAULTS = {
  serviceId: "",
  rowIdsOnly: false,
  tableFilter: "",
  batchMax: 10,
  batchDelayMs: 200,
  watermarkIntervalMs: 1000,
  timeoutMs: 5000,
  retriesMax: undefined,
  isExponential: false,
  backoffMinMs: 1000,
  backoffMaxMs: 30_000,
};

function plan(value: string | Record<string, unknown>, warnings: string[] = []) {
  const files: Record<string, string> = { "ca.pem": "CA", "cert.pem": "CERT", "key.pem": "KEY" };
  const isFile = typeof value !== "string";
  return cdcPlan(isFile ? "cdc.json" : value, {
    file: (path) => path === "cdc.json" ? JSON.stringify(value) : files[path] ?? "",
    warn: (line) => warnings.push(line),
  });
}

Deno.test("cdcPlan() takes a URL, stdout or a file; secrets of the URL are not in what is shown", () => {
  assertEquals(plan("stdout"), { sink: { k: "stdout" }, options: { ...DEFAULTS, endpoint: "stdout" } });
  assertEquals(plan("https://ann:s%20t@hooks.example/in?token=x"), {
    sink: {
      k: "http",
      url: "https://hooks.example/in?token=x",
      authorization: `Basic ${btoa("ann:s t")}`,
      caCert: "",
      cert: "",
      key: "",
    },
    options: { ...DEFAULTS, endpoint: "https://hooks.example/in" },
  });
  assertEquals(sinkReach(plan("https://hooks.example/in").sink), { net: ["hooks.example:443"], files: [] });
  assertEquals(sinkReach(plan("http://[::1]:8080/in").sink), { net: ["[::1]:8080"], files: [] });
  assertEquals(sinkReach(plan({ endpoint: "file:///var/log/changes" }).sink), { net: [], files: ["/var/log/changes"] });
});

Deno.test("cdcPlan() takes durations and policies in both spellings", () => {
  const asDocumented = {
    endpoint: "https://hooks.example",
    service_id: "prod",
    row_ids_only: true,
    table_filter: "^users$",
    max_batch_size: 5,
    max_batch_delay: "1s",
    high_watermark_interval: "2s",
    transmit_timeout: "3s",
    transmit_max_retries: 4,
    transmit_retry_policy: "ExponentialRetryPolicy",
    transmit_min_backoff: "100ms",
    transmit_max_backoff: "1m",
    tls: { ca_cert_file: "ca.pem", cert_file: "cert.pem", key_file: "key.pem" },
  };
  const asInCode = {
    ...asDocumented,
    max_batch_delay: 1e9,
    high_watermark_interval: 2e9,
    transmit_timeout: 3e9,
    transmit_retry_policy: 1,
    transmit_min_backoff: 1e8,
    transmit_max_backoff: 6e10,
  };
  const { options, sink } = plan(asDocumented);
  assertEquals(options, {
    endpoint: "https://hooks.example/",
    serviceId: "prod",
    rowIdsOnly: true,
    tableFilter: "^users$",
    batchMax: 5,
    batchDelayMs: 1000,
    watermarkIntervalMs: 2000,
    timeoutMs: 3000,
    retriesMax: 4,
    isExponential: true,
    backoffMinMs: 100,
    backoffMaxMs: 60_000,
  });
  assertEquals(sink.k === "http" && [sink.caCert, sink.cert, sink.key], ["CA", "CERT", "KEY"]);
  assertEquals(plan(asInCode), { options, sink });
});

Deno.test("cdcPlan() says what is wrong, and repeats no value", () => {
  const wrong: [string | Record<string, unknown>, RegExp][] = [
    [{}, /"endpoint" is missing/],
    [{ endpoint: "ftp://x" }, /"endpoint" must be a URL \(http, https, file\) or "stdout"/],
    [{ endpoint: "stdout", max_batch_size: 0 }, /"max_batch_size" must be from 1 to 10000/],
    [{ endpoint: "stdout", max_batch_delay: "soon" }, /"max_batch_delay" must be a duration/],
    [{ endpoint: "stdout", transmit_timeout: "0s" }, /"transmit_timeout" must be a duration such as "5s"/],
    [{ endpoint: "stdout", transmit_retry_policy: "often" }, /must be "linear" \(0\) or "exponential" \(1\)/],
    [{ endpoint: "stdout", transmit_max_retries: -1 }, /0 or more/],
    [{ endpoint: "stdout", table_filter: "(" }, /must be a regular expression/],
    [{ endpoint: "https://x", tls: { insecure_skip_verify: true } }, /"insecure_skip_verify" is not supported/],
    [{ endpoint: "https://x", tls: { cert_file: "cert.pem" } }, /go together/],
  ];
  for (const [value, message] of wrong) {
    const error = assertThrows(() => plan(value), ConfigError);
    assertMatch(error.message, message);
  }
  const warnings: string[] = [];
  plan({ endpoint: "stdout", colour: "red", tls: { insecure_skip_verify: false } }, warnings);
  assertMatch(warnings.join(), /unknown key "colour" is ignored/);
});
