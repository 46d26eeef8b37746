/**
 * Queries that the name server has answered, by the RCODE of the answer, in shared memory: the name server counts in its
 * own Worker, HTTP reads.
 * @module
 */

/** RCODEs by their numbers (RFC 1035 §4.1.1), as far as they fit into the header of a message. */
const RCODES = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"] as const;
/** Results of queries: an RCODE, another one, or no answer. */
export const DNS_RESULTS = [...RCODES, "other", "none"] as const;
/** The result of a query. */
export type DnsResult = typeof DNS_RESULTS[number];

/** Bytes of the record. */
export const DNS_COUNTS_BYTES = DNS_RESULTS.length * 8;

const OTHER = DNS_RESULTS.indexOf("other");
const NONE = DNS_RESULTS.indexOf("none");
/** Offset of the byte of a message whose lower half is the RCODE. */
const RCODE_AT = 3;

/** The record; the name server writes it. */
export class DnsCounts {
  readonly #fields: Float64Array;

  /** @param memory Of {@linkcode DNS_COUNTS_BYTES}; default: its own. */
  constructor(memory: ArrayBufferLike = new ArrayBuffer(DNS_COUNTS_BYTES)) {
    this.#fields = new Float64Array(memory, 0, DNS_RESULTS.length);
  }

  /** Counts a query by the message that answers it; undefined where none does. */
  note(answer: Uint8Array | undefined): void {
    const rcode = answer ? answer[RCODE_AT] & 0xf : NONE;
    this.#fields[answer && rcode >= RCODES.length ? OTHER : rcode]++;
  }

  /** Queries so far, by result. */
  get all(): readonly { readonly result: DnsResult; readonly count: number }[] {
    return DNS_RESULTS.map((result, at) => ({ result, count: this.#fields[at] }));
  }
}
