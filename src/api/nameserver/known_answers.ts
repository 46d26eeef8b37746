/**
 * Ready answers by the bytes of their queries, the id aside: clients ask for the same few names again and again.
 *
 * Each query has one place, by its hash, which the next query of that place takes over. So the memory is bounded, and
 * strangers who ask for many names cost others no more than a query that is answered anew. Pure.
 * @module
 */

const PLACES = 4096;
/** Longer queries, and longer answers, are not kept. */
const BYTES_MAX = 512;
/** Bytes of the id, which differs from query to query. */
const ID_BYTES = 2;

interface Known {
  readonly query: Uint8Array;
  readonly answer: Uint8Array;
}

/** Answers that were made of one state of the catalog, within one second. */
export class KnownAnswers {
  readonly #places: (Known | undefined)[] = new Array(PLACES).fill(undefined);
  #isEmpty = true;
  #state: unknown;
  #second = 0;

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

  /** The answer to a query, with its id, as new bytes; undefined where none is known. */
  find(query: Uint8Array): Uint8Array | undefined {
    if (this.#isEmpty || query.length > BYTES_MAX) return undefined;
    const known = this.#places[placeOf(query)];
    if (known === undefined || !isSame(known.query, query)) return undefined;
    const answer = known.answer.slice();
    answer[0] = query[0];
    answer[1] = query[1];
    return answer;
  }

  /** Keeps an answer. The bytes of the query are copied. */
  keep(query: Uint8Array, answer: Uint8Array): void {
    if (query.length <= ID_BYTES || query.length > BYTES_MAX || answer.length > BYTES_MAX) return;
    this.#places[placeOf(query)] = { query: query.slice(), answer };
    this.#isEmpty = false;
  }

  /** Forgets all. */
  clear(): void {
    if (this.#isEmpty) return;
    this.#places.fill(undefined);
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
