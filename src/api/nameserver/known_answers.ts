/**
 * Ready answers by the bytes of their queries, the id aside: clients ask for the same few names again and again.
 *
 * Each query has one place, by its hash, which the next query of that place takes over. So the memory is bounded, and
 * strangers who ask for many names cost others no more than a query that is answered anew. An answer of several records, which
 * is to come in random order, has several orders ready, of which each asker gets one by chance. Pure, but for the dice.
 * @module
 */

const PLACES = 4096;
/** Longer queries are not kept. */
const QUERY_BYTES_MAX = 512;
/** Longer answers are not kept, and no more of them than this in all. */
const ANSWER_BYTES_MAX = 4096;
const BYTES_MAX = 4 * 1024 * 1024;
/** Orders of an answer of several records. */
const ORDERS = 64;
/** Bytes of the id, which differs from query to query. */
const ID_BYTES = 2;

interface Known {
  readonly query: Uint8Array;
  /** The same answer in several orders; one, if it has no order. */
  readonly answers: Uint8Array[];
  readonly hasOrder: boolean;
}

/** Answers that were made of one state of the catalog, within one second. */
export class KnownAnswers {
  readonly #places: (Known | undefined)[] = new Array(PLACES).fill(undefined);
  readonly #random: () => number;
  #isEmpty = true;
  #bytes = 0;
  #state: unknown;
  #second = 0;

  /** @param random From 0 to 1, as Math.random. */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /**
   * Forgets what was made of another state, or in another second: time is in the serial of a zone.
   * @param state Compared by identity.
   */
  validFor(state: unknown, second: number): void {
    if (state === this.#state && second === this.#second) return;
    this.#state = state;
    this.#second = second;
    this.clear();
  }

  /** The answer to a query, with its id, as new bytes; undefined where none is known, or one more order of it is wanted. */
  find(query: Uint8Array): Uint8Array | undefined {
    if (this.#isEmpty || query.length > QUERY_BYTES_MAX) return undefined;
    const known = this.#places[placeOf(query)];
    if (known === undefined || !isSame(known.query, query)) return undefined;
    const { answers, hasOrder } = known;
    if (hasOrder && answers.length < ORDERS && this.#bytes < BYTES_MAX) return undefined;
    const answer = answers[hasOrder ? Math.floor(this.#random() * answers.length) : 0].slice();
    answer[0] = query[0];
    answer[1] = query[1];
    return answer;
  }

  /** Keeps an answer; `hasOrder`: one of several orders of it. The bytes of the query are copied. */
  keep(query: Uint8Array, answer: Uint8Array, hasOrder = false): void {
    if (query.length <= ID_BYTES || query.length > QUERY_BYTES_MAX || answer.length > ANSWER_BYTES_MAX) return;
    if (this.#bytes >= BYTES_MAX) return;
    const place = placeOf(query);
    const known = this.#places[place];
    if (known && known.hasOrder && hasOrder && isSame(known.query, query)) known.answers.push(answer);
    else this.#places[place] = { query: query.slice(), answers: [answer], hasOrder };
    this.#bytes += query.length + answer.length;
    this.#isEmpty = false;
  }

  /** Forgets all. */
  clear(): void {
    if (this.#isEmpty) return;
    this.#places.fill(undefined);
    this.#bytes = 0;
    this.#isEmpty = true;
  }
}

/** FNV-1a of what follows the id. */
function placeOf(query: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let at = ID_BYTES; at < query.length; at++) hash = Math.imul(hash ^ query[at], 0x01000193);
  return (hash ^ hash >>> 16) & PLACES - 1;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = ID_BYTES; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}
