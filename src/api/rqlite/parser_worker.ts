/**
 * The Worker that reads large bodies (large_bodies.ts). It needs no right at all: bytes in, bytes out.
 * @module
 */
import { allowedStatements, mayAllRead } from "../../app/database/allowed.ts";
import { RequestError } from "../../app/database/errors.ts";
import { Callee, type DescribedError } from "../../base/worker/channel.ts";
import { freeBuffer } from "../../base/codec/free.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { workerScope } from "../../base/worker/worker_scope.ts";
import { encodeCommand, type EncodedStatements } from "../../core/sql/command.ts";
import { HttpError } from "../http/problem.ts";
import { textOf } from "../http/request.ts";
import { decodeStatements, sqlText } from "../http/sql_body.ts";
import { HTTP_CODE, type LargeBody, type ParserMethods, REQUEST_CODE, type ToParser } from "./large_bodies.ts";

const scope = workerScope<{ readonly port: MessagePort }, never>();

function parse({ bytes, isText }: LargeBody): EncodedStatements {
  const text = textOf(bytes);
  freeBuffer(bytes); // it came for this alone
  const statements = allowedStatements(isText ? sqlText(text) : decodeStatements(text));
  const command = encodeCommand({ kind: "execute", transaction: false, statements });
  return { command, count: statements.length, mayBeRead: mayAllRead(statements) };
}

function described(error: unknown): DescribedError {
  if (error instanceof HttpError) return { error: error.message, code: `${HTTP_CODE}${error.status}` };
  return { error: messageOf(error), ...(error instanceof RequestError ? { code: REQUEST_CODE } : {}) };
}

scope.onmessage = ({ data: { port } }) => {
  const callee = new Callee<ParserMethods>(port, {
    parse(body, { transfer }) {
      const parsed = parse(body);
      if (parsed.command.buffer instanceof ArrayBuffer) transfer.push(parsed.command.buffer);
      return parsed;
    },
  }, described);
  port.onmessage = ({ data }: MessageEvent<ToParser>) => data.k === "end" ? scope.close() : callee.take(data);
};
