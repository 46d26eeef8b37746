import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { ConfigError } from "../../../src/base/codec/fields.ts";
import { otlpSink } from "../../../src/drivers/sink/otlp_config.ts";

function urlOf(endpoint: string, isInsecure = false): string {
  return otlpSink({ endpoint, isInsecure, caCert: "", cert: "", key: "" }).url;
}

Deno.test("otlpSink() takes a host, host:port or a URL, and refuses the port of gRPC and what is no address", () => {
  assertEquals(urlOf("collector"), "https://collector:4318/v1/metrics");
  assertEquals(urlOf("collector:9999", true), "http://collector:9999/v1/metrics");
  assertEquals(urlOf("[::1]:80", true), "http://[::1]/v1/metrics");
  assertEquals(urlOf("http://collector:9090/api/v1/otlp/v1/metrics"), "http://collector:9090/api/v1/otlp/v1/metrics");
  assertEquals(urlOf("https://collector"), "https://collector/v1/metrics");
  const tracesOf = (endpoint: string) =>
    otlpSink({ endpoint, isInsecure: false, caCert: "", cert: "", key: "" }).tracesUrl;
  assertEquals(tracesOf("collector"), "https://collector:4318/v1/traces");
  assertEquals(tracesOf("http://collector/api/otlp/v1/metrics"), "http://collector/api/otlp/v1/traces");
  assertEquals(tracesOf("http://collector/otlp/"), "http://collector/otlp/v1/traces");
  const wrong: [string, RegExp][] = [
    ["collector:4317", /4317 is that of gRPC: name the one for OTLP over HTTP, 4318/],
    ["http://ann:secret@collector", /expected host:port, or a URL \(http, https\) without a user$/],
    ["collector/path", /expected host:port/],
    ["", /expected host:port/],
  ];
  for (const [endpoint, message] of wrong) {
    assertMatch(assertThrows(() => urlOf(endpoint), ConfigError).message, message);
  }
});
