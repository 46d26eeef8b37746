/** Checks as words of a command line: their forms, and what is none. */
import { assertEquals, assertThrows } from "@std/assert";
import { checkFieldsOf } from "../../../src/program/client/check_spec.ts";
import { UsageError } from "../../../src/program/config/flags.ts";

const TIMES = { interval: "10s", timeout: "5s" };
const WEB = { host: "localhost", port: 8080, ...TIMES };

Deno.test("checkFieldsOf() reads each form, with the address of the service or one of its own", () => {
  const forms: readonly [spec: string, fields: Record<string, unknown>][] = [
    ["http:/healthz", { http: "http://localhost:8080/healthz" }],
    ["http:/a?b=c:d", { http: "http://localhost:8080/a?b=c:d" }],
    ["https:/", { http: "https://localhost:8080/" }],
    ["http://10.0.0.1:81/x", { http: "http://10.0.0.1:81/x" }],
    ["https://[::1]/x", { http: "https://[::1]/x" }],
    ["tcp", { tcp: "localhost:8080" }],
    ["tcp:10.0.0.1:9000", { tcp: "10.0.0.1:9000" }],
    ["tcp:[::1]:9000", { tcp: "[::1]:9000" }],
    ["grpc", { grpc: "localhost:8080" }],
    ["grpc:db:9000/store.Keys", { grpc: "db:9000/store.Keys" }],
  ];
  for (const [spec, fields] of forms) assertEquals(checkFieldsOf(spec, WEB), { ...fields, ...TIMES }, spec);
  assertEquals(checkFieldsOf("http:/", { ...WEB, host: "fd00::1" }).http, "http://[fd00::1]:8080/");
  assertEquals(checkFieldsOf("ttl:30s", WEB), { ttl: "30s" });
});

Deno.test("checkFieldsOf() names the flag, the value and what was expected where it is no check", () => {
  const refusals: readonly [spec: string, why: string][] = [
    ["", "expected http:/PATH, "],
    ["ping", "expected http:/PATH, "],
    ["http", "such as http:/healthz"],
    ["http:healthz", "such as http:/healthz"],
    ["http://", "it is no URL"],
    ["tcp:9000", "expected HOST:PORT, such as tcp:localhost:9000"],
    ["tcp:a:99999", "expected HOST:PORT"],
    ["grpc:/keys", "expected HOST:PORT, such as grpc:localhost:9000"],
    ["ttl", "such as ttl:30s"],
    ["ttl:30", "such as ttl:30s"],
    ["ttl:-1s", "such as ttl:30s"],
  ];
  for (const [spec, why] of refusals) {
    const error = assertThrows(() => checkFieldsOf(spec, WEB), UsageError, why);
    assertEquals(error.message.startsWith(`invalid value "${spec}" for flag -check: `), true, error.message);
  }
  for (const spec of ["http:/", "tcp", "grpc"]) {
    assertThrows(() => checkFieldsOf(spec, { ...WEB, port: 0 }), UsageError, "the service has no port");
  }
  assertEquals(checkFieldsOf("tcp:a:1", { ...WEB, port: 0 }).tcp, "a:1");
});
