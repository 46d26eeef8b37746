/**
 * Looks for members by one-shot questions of multicast DNS (RFC 6762 §5.1): from a port of its own, so that answers come to
 * this socket alone. It asks again after one second, two, four; and ends soon after others than this agent have answered.
 * @module
 */
import { pause } from "../../base/worker/backoff.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { DnsFormatError, TYPE } from "../../core/dns/message.ts";
import { decodeMdns, encodeMdnsQuery, MDNS_PORT } from "../../core/dns/multicast.ts";
import type { Link } from "../../core/provider/link.ts";
import { Findings, serviceName } from "../../core/provider/mdns.ts";
import type { MdnsOptions } from "../../core/provider/provider.ts";
import { openSource, receiveFrom, sendTo } from "./mdns_socket.ts";

/** Pause before the question is repeated; it doubles (§5.2). */
const FIRST_REPEAT_MS = 1000;
/** Without a new answer for this long, everybody who is near has answered: they wait up to 120 ms (§6). */
const QUIET_MS = 300;

/**
 * Addresses of the members that answer, `host:port`.
 * @param own Keys of the instances that this agent announces: they are found as well, but not waited for.
 * @throws {Error} When there is no link, or the question can be sent on none.
 */
export async function lookUpMdns(
  options: MdnsOptions,
  { links, own }: { readonly links: readonly Link[]; readonly own: ReadonlySet<string> },
): Promise<readonly string[]> {
  if (links.length === 0) throw new Error("mdns: no interface of this machine has the address of the agent");
  const findings = new Findings(options);
  const id = crypto.getRandomValues(new Uint16Array(1))[0];
  const question = encodeMdnsQuery(id, { name: serviceName(options), type: TYPE.PTR });
  const over = new AbortController();
  const limit = setTimeout(() => over.abort(), options.timeoutMs);
  let quiet: ReturnType<typeof setTimeout> | undefined;
  let known = 0;
  const take = (bytes: Uint8Array, port: number) => {
    const records = answerOf(bytes, { id, port });
    if (records.length === 0) return;
    findings.take(records);
    const others = [...findings.members().keys()].filter((key) => !own.has(key)).length;
    if (others === known) return;
    known = others;
    clearTimeout(quiet);
    quiet = setTimeout(() => over.abort(), QUIET_MS);
  };
  const sockets = new Map<Link, Deno.DatagramConn>();
  try {
    for (const link of links) sockets.set(link, openSource(link, 0));
    for (const [link, socket] of sockets) receiveFrom(socket, link, (bytes, { port }) => take(bytes, port));
    for (let waitMs = FIRST_REPEAT_MS; !over.signal.aborted; waitMs *= 2) {
      await ask(sockets, question);
      await pause(waitMs, over.signal);
    }
  } finally {
    clearTimeout(limit);
    clearTimeout(quiet);
    for (const socket of sockets.values()) socket.close();
  }
  return [...findings.members().values()];
}

/** @throws {Error} When it can be sent on no link. */
async function ask(sockets: ReadonlyMap<Link, Deno.DatagramConn>, question: Uint8Array): Promise<void> {
  const sent = await Promise.allSettled(
    [...sockets].map(([{ group }, socket]) => sendTo(socket, question, { hostname: group, port: MDNS_PORT })),
  );
  const failed = sent.filter((one) => one.status === "rejected");
  if (failed.length < sent.length) return;
  const names = [...sockets.keys()].map(({ name }) => name).join(", ");
  throw new Error(`mdns: cannot ask on ${names}: ${messageOf(failed[0].reason)}`);
}

/** Records of an answer to our question; some responders do not repeat its id. */
function answerOf(bytes: Uint8Array, { id, port }: { readonly id: number; readonly port: number }) {
  if (port !== MDNS_PORT) return []; // §11
  try {
    const message = decodeMdns(bytes);
    return message.isAnswer && (message.id === id || message.id === 0) ? message.records : [];
  } catch (error) {
    if (error instanceof DnsFormatError) return [];
    throw error;
  }
}
