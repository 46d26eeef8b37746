/**
 * Parses the answer to a request that was forwarded to another node.
 * @module
 */
import { DecodeError } from "../../base/codec/cursor.ts";
import type { ForwardedResponse } from "./api.ts";
import type { RpcAnswer } from "../transport/rpc.ts";
import { textField } from "../transport/wire.ts";

/**
 * Decodes the answer to a forwarded request.
 * @throws {DecodeError} When it is none.
 */
export function decodeResponse({ head, body }: RpcAnswer): ForwardedResponse {
  const { status, headers } = head;
  if (typeof status !== "number") throw new DecodeError(`Expected "status" to be a number`);
  const decoded = {
    status,
    contentType: textField(head, "contentType"),
    servedBy: textField(head, "servedBy"),
    ...(head.leaderless === true ? { leaderless: true } : {}),
    body,
  };
  return headers === undefined ? decoded : { ...decoded, headers: decodeHeaders(headers) };
}

function decodeHeaders(value: unknown): Record<string, string> {
  if (typeof value !== "object" || value === null) throw new DecodeError(`Expected "headers" to be an object`);
  const headers: Record<string, string> = {};
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== "string" || !/^[\x20-\x7e]*$/.test(text) || !/^[\w-]+$/.test(name)) {
      throw new DecodeError(`Expected header "${name}" to be a line of ASCII text`);
    }
    headers[name] = text;
  }
  return headers;
}
