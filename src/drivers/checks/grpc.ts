/**
 * Checks that ask the standard health service of gRPC, `grpc.health.v1.Health/Check`. Its messages have one field each:
 *
 *     HealthCheckRequest  { string service = 1 }      HealthCheckResponse  { ServingStatus status = 1 }
 *
 * A message is sent behind a byte that says whether it is compressed, and its length as u32.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import type { GrpcKind } from "../../core/health/check_kind.ts";
import { dial, withConn } from "./dial.ts";
import { type Http2Answer, request } from "./http2.ts";
import type { RunContext, RunResult } from "./runner.ts";

const PATH = "/grpc.health.v1.Health/Check";
const SERVING = 1;
const STATUSES = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
/** Names of the codes of gRPC. */
const CODES = ("OK Canceled Unknown InvalidArgument DeadlineExceeded NotFound AlreadyExists PermissionDenied " +
  "ResourceExhausted FailedPrecondition Aborted OutOfRange Unimplemented Internal Unavailable DataLoss Unauthenticated")
  .split(" ");
const PREFIX_BYTES = 5;

/** Asks for the health of the service: passing when it is serving. */
export async function checkGrpc(kind: GrpcKind, { signal }: RunContext): Promise<RunResult> {
  const { address, service, useTls, tlsServerName } = kind;
  const headers: [string, string][] = [
    [":method", "POST"],
    [":scheme", useTls ? "https" : "http"],
    [":path", PATH],
    [":authority", tlsServerName || address],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
    ["user-agent", "Consul Health Check"],
  ];
  const conn = await dial(address, { signal, tls: useTls ? kind : undefined, isHttp2: true });
  const status = await withConn(conn, signal, async () => {
    try {
      return servingStatus(await request(conn, headers, encodeRequest(service)));
    } catch (error) {
      signal.throwIfAborted();
      throw new Error(`gRPC check ${target(kind)}: ${messageOf(error)}`, { cause: error });
    }
  });
  if (status === SERVING) return { status: "passing", output: `gRPC check ${target(kind)}: success` };
  const name = STATUSES[status] ?? `status ${status}`;
  return { status: "critical", output: `gRPC ${target(kind)} serving status: ${name}` };
}

function target({ address, service }: GrpcKind): string {
  return service === "" ? address : `${address}/${service}`;
}

function encodeRequest(service: string): Uint8Array {
  const name = new TextEncoder().encode(service);
  const field = name.length === 0 ? [] : [0x0a, ...varint(name.length), ...name];
  const bytes = new Uint8Array(PREFIX_BYTES + field.length);
  new DataView(bytes.buffer).setUint32(1, field.length);
  bytes.set(field, PREFIX_BYTES);
  return bytes;
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [value & 127 | 128, ...varint(value >>> 7)];
}

/** @throws {Error} When the answer is an error, or not one of this service. */
function servingStatus({ fields, body }: Http2Answer): number {
  const http = fields.get(":status");
  const code = fields.get("grpc-status");
  if (code === undefined) throw new Error(`no answer of gRPC: HTTP status ${http}`);
  if (code !== "0") {
    const name = CODES[Number(code)] ?? `Code(${code})`;
    throw new Error(`rpc error: code = ${name} desc = ${decoded(fields.get("grpc-message") ?? "")}`);
  }
  if (body.length < PREFIX_BYTES) throw new Error("the answer holds no message");
  const length = new DataView(body.buffer, body.byteOffset).getUint32(1);
  if (body[0] !== 0 || body.length < PREFIX_BYTES + length) throw new Error("the answer holds no message to be read");
  return statusField(body.subarray(PREFIX_BYTES, PREFIX_BYTES + length));
}

/** Field 1, a varint; 0 where it is not there, as protobuf has it. Newer fields may stand behind it. */
function statusField(message: Uint8Array): number {
  if (message.length === 0 || message[0] !== 0x08) return 0;
  let value = 0;
  for (let at = 1; at < Math.min(message.length, 5); at++) {
    value += (message[at] & 127) * 2 ** (7 * (at - 1));
    if (message[at] < 128) return value;
  }
  throw new Error("the answer holds no message to be read");
}

/** Texts of gRPC have percent signs before bytes that are not ASCII. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
