/**
 * Follows aliases (C8.11): a node whose address is a host name answers with the records of that host, too, because stub
 * resolvers do not ask again. In the own domains the catalog knows them, outside of them the upstream servers.
 * @module
 */
import { decodeAnswers, nameKey, openEnd } from "../../core/dns/alias.ts";
import { type DnsRecord, encodeQuery, type Name, type Question, TYPE } from "../../core/dns/message.ts";

/** Where the records of a name come from. */
export interface AliasSource {
  /** Answers in the own domains; undefined for a name outside of them. */
  own(question: Question): Promise<readonly DnsRecord[] | undefined>;
  /** The message of an upstream server; undefined where none answers. */
  upstream(query: Uint8Array): Promise<Uint8Array | undefined>;
}

/** Follows aliases for one name server. */
export class Aliases {
  readonly #source: AliasSource;
  /**
   * Questions to upstream servers that are under way. An upstream server may ask this one for a name in order to answer:
   * asked the same thing by it, it is not asked again, and its timeout ends the circle.
   */
  readonly #asked = new Map<string, Promise<readonly DnsRecord[]>>();

  constructor(source: AliasSource) {
    this.#source = source;
  }

  /** The records, and those that the last alias among them leads to. */
  async followed(question: Question, records: readonly DnsRecord[]): Promise<readonly DnsRecord[]> {
    if (question.type === TYPE.CNAME) return records;
    const all = [...records];
    for (let end = openEnd(question.name, all); end; end = openEnd(question.name, all)) {
      const more = await this.#recordsOf({ ...question, name: end });
      if (more.length === 0) break;
      all.push(...more);
    }
    return all;
  }

  async #recordsOf(question: Question): Promise<readonly DnsRecord[]> {
    const own = await this.#source.own(question);
    if (own) return own;
    const key = `${question.type} ${nameKey(question.name)}`;
    const underWay = this.#asked.get(key);
    if (underWay) return await underWay;
    const asked = this.#askUpstream(question.name, question.type).finally(() => this.#asked.delete(key));
    this.#asked.set(key, asked);
    return await asked;
  }

  async #askUpstream(name: Name, type: number): Promise<readonly DnsRecord[]> {
    const id = crypto.getRandomValues(new Uint16Array(1))[0];
    const message = await this.#source.upstream(encodeQuery(id, { name, type }));
    try {
      return message ? decodeAnswers(message) : [];
    } catch {
      return []; // what cannot be read is as good as no answer
    }
  }
}
