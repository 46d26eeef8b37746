/**
 * Answers those that look for this agent by multicast DNS: alone where they ask from a port of their own or want it so
 * (RFC 6762 §6.7, §5.4), else in the group. Rates are bounded: in the group one answer a second on each link (§6), and some
 * more to single ones; who is not answered asks again.
 * @module
 */
import { pause } from "../../base/worker/backoff.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { DnsFormatError } from "../../core/dns/message.ts";
import {
  decodeMdns,
  encodeMdnsAnswer,
  MDNS_PORT,
  type MdnsAnswer,
  type MdnsMessage,
} from "../../core/dns/multicast.ts";
import type { Link } from "../../core/provider/link.ts";
import type { Announcement } from "../../core/provider/mdns.ts";
import { listenToGroup, openSource, type Place, receiveFrom, sendTo } from "./mdns_socket.ts";

/** Pause before an answer, at random, as others answer, too (§6). */
const DELAY_MS = { least: 20, most: 120 };
/** Answers to single ones in a second, and in the group. */
const RATES = { single: 100, group: 1 };
const SECOND_MS = 1000;

/** Counts what may be done in a second. */
class Budget {
  readonly #most: number;
  #sinceMs = -Infinity;
  #spent = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Whether there was something left. */
  spend(nowMs: number): boolean {
    if (nowMs - this.#sinceMs >= SECOND_MS) [this.#sinceMs, this.#spent] = [nowMs, 0];
    return ++this.#spent <= this.#most;
  }
}

/**
 * Answers on a link, until the function that it resolves to is called.
 * @throws {Error} When it cannot listen there.
 */
export async function answerOn(
  link: Link,
  announcements: readonly Announcement[],
  log: (line: string) => void,
): Promise<() => void> {
  const socket = await listenToGroup(link);
  const budgets = { single: new Budget(RATES.single), group: new Budget(RATES.group) };
  let complaint = "";
  const over = new AbortController();
  const reply = async (send: () => Promise<void>) => {
    await pause(DELAY_MS.least + Math.random() * (DELAY_MS.most - DELAY_MS.least), over.signal);
    if (over.signal.aborted) return;
    try {
      await send();
    } catch (error) {
      const text = messageOf(error);
      if (text !== complaint) log(`mdns: cannot answer on ${link.name}: ${text}`);
      complaint = text;
    }
  };
  receiveFrom(socket, link, (bytes, from) => {
    const message = questionOf(bytes);
    if (!message) return;
    const found = merged(announcements.map((one) => one.answer(message)).filter((answer) => answer !== undefined));
    if (!found) return;
    const isLegacy = from.port !== MDNS_PORT;
    const isSingle = isLegacy || message.questions.every(({ wantsUnicast }) => wantsUnicast);
    if (!budgets[isSingle ? "single" : "group"].spend(performance.now())) return;
    const answer = encodeMdnsAnswer(found, isLegacy ? message : undefined);
    reply(() => isSingle ? sendTo(socket, answer, from) : sendToGroup(link, answer));
  });
  return () => {
    over.abort();
    socket.close();
  };
}

/**
 * To all of the link. The socket that listens would send by an interface of the system's choice; one that is bound to port
 * 5353 of an address would take what is sent to the machine's own responder, and is therefore closed again at once.
 */
async function sendToGroup(link: Link, answer: Uint8Array): Promise<void> {
  const to: Place = { hostname: link.group, port: MDNS_PORT };
  const socket = openSource(link, MDNS_PORT);
  try {
    await sendTo(socket, answer, to);
  } finally {
    socket.close();
  }
}

function questionOf(bytes: Uint8Array): MdnsMessage | undefined {
  try {
    const message = decodeMdns(bytes);
    return message.isAnswer ? undefined : message;
  } catch (error) {
    if (error instanceof DnsFormatError) return undefined; // of anybody on the link
    throw error;
  }
}

/** One answer for several services. */
function merged(answers: readonly MdnsAnswer[]): MdnsAnswer | undefined {
  if (answers.length === 0) return undefined;
  return {
    answers: answers.flatMap((one) => one.answers),
    additional: answers.flatMap((one) => one.additional),
  };
}
