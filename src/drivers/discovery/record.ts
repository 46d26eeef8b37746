/**
 * The leader's record as it stands under the key: `{"id":"1","api_addr":"http://host:4001","addr":"host:4002"}`, empty
 * fields left out (Q16.1). Pure.
 * @module
 */
import type { LeaderRecord } from "./api.ts";

/** A value that is no record. */
export class RecordError extends Error {
  /** Always `RecordError`. */
  override readonly name = "RecordError";
}

const FIELD_LENGTH_MAX = 512;

/** The stored text. */
export function encodeRecord({ id, apiAddr, addr }: LeaderRecord): string {
  const or = (text: string) => text === "" ? undefined : text;
  return JSON.stringify({ id: or(id), api_addr: or(apiAddr), addr: or(addr) });
}

/**
 * Reads a stored text; further fields are allowed.
 * @throws {RecordError} When it is none.
 */
export function decodeRecord(text: string): LeaderRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new RecordError(
      "the value is not JSON: was the key written by something else? Delete it, or use another -disco-key",
    );
  }
  const fields = new Map(typeof value === "object" && value !== null ? Object.entries(value) : []);
  const field = (name: string): string => {
    const content = fields.get(name) ?? "";
    if (typeof content !== "string" || content.length > FIELD_LENGTH_MAX) {
      throw new RecordError(`"${name}" of the value is not a text of up to ${FIELD_LENGTH_MAX} characters`);
    }
    return content;
  };
  const record = { id: field("id"), apiAddr: field("api_addr"), addr: field("addr") };
  if (record.addr === "") {
    throw new RecordError(
      'the value has no "addr": was the key written by something else? Delete it, or use another -disco-key',
    );
  }
  return record;
}
