/**
 * The exchange at the start of a connection in which two nodes prove to each other that they share a secret (secret.ts);
 * after it the connection is sealed.
 * @module
 */
import { DecodeError } from "../../base/codec/cursor.ts";
import { type Frame, writeFrame } from "../../base/codec/frame.ts";
import type { Connection } from "./connection.ts";
import {
  type ClusterSecret,
  decodeChallenge,
  encodeChallenge,
  type Exchange,
  freshNumber,
  OTHER_SECRET,
  SecretError,
} from "./secret.ts";
import { FRAME, type Hello } from "./wire.ts";

/** The part of a hello that offers a proof. */
export async function offerOf(secret: ClusterSecret): Promise<Required<Pick<Hello, "number" | "keys">>> {
  return { number: freshNumber().toBase64(), keys: await secret.names() };
}

/**
 * Answers the challenge to a caller.
 * @param said The number of the hello, and its bytes.
 * @throws {SecretError} When the other end does not have the secret.
 */
export async function answerChallenge(
  connection: Connection,
  secret: ClusterSecret,
  { challenge, said }: { challenge: Frame; said: Pick<Exchange, "callers" | "hello"> },
): Promise<void> {
  const { answerers, proof, name } = decodeChallenge(challenge.payload);
  const key = await secret.find([name]);
  if (!key) throw new SecretError(OTHER_SECRET);
  const exchange = { ...said, answerers };
  await key.check("answerer", exchange, proof);
  const own = await key.prove("caller", exchange);
  connection.send((writer) => writeFrame(writer, FRAME.proof, (payload) => payload.raw(own)));
  const { caller, answerer } = await key.session(exchange);
  await connection.seal({ sends: caller, takes: answerer });
}

/**
 * Challenges a caller.
 * @param hello Its hello, decoded and as it came.
 * @returns Why the caller is to be refused, where it offers no fitting proof.
 * @throws {SecretError} When its proof is wrong.
 * @throws {DecodeError} When it sends none.
 */
export async function challengeCaller(
  connection: Connection,
  secret: ClusterSecret,
  { caller, hello }: { caller: Hello; hello: Frame },
): Promise<string | undefined> {
  if (caller.number === undefined) {
    if (secret.isOptional) return undefined;
    return "this cluster has a secret: start the node with the -cluster-secret-file, or the -encrypt key, that the others have";
  }
  if (caller.keys === undefined) {
    return `it is of an older version (${caller.version}), which does not bind frames to the session: upgrade it`;
  }
  const key = await secret.find(caller.keys);
  if (!key) return OTHER_SECRET;
  const exchange = { callers: caller.number, answerers: freshNumber(), hello: hello.payload };
  const challenge = encodeChallenge({ ...exchange, proof: await key.prove("answerer", exchange), name: key.name });
  connection.send((writer) => writeFrame(writer, FRAME.challenge, (payload) => payload.raw(challenge)));
  const shown = await connection.read();
  if (shown?.kind !== FRAME.proof) throw new DecodeError("expected a proof of the cluster secret");
  await key.check("caller", exchange, shown.payload.slice());
  const session = await key.session(exchange);
  await connection.seal({ sends: session.answerer, takes: session.caller });
  return undefined;
}
