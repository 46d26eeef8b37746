/**
 * Decides what the rules of a token allow.
 *
 * - The exact rule of a name counts before those of prefixes, a longer prefix before a shorter one.
 * - Rules of several policies for the same name are one rule: `deny` counts before all, then `write`, `list`, `read`.
 * - What no rule is about, the default policy decides; it never allows what concerns the lists themselves (`acl`).
 * - Names are compared as the catalog compares them: letters of ASCII in either case for nodes, services, sessions,
 *   agents and queries; keys and events as they are. Otherwise a rule against `web` would not hold for `WEB`, which is
 *   the same node.
 *
 * Pure.
 * @module
 */
import { type Access, ACCESSES, NAMED_RESOURCES, type Need, PLAIN_RESOURCES, type Resource } from "./resource.ts";
import type { Rule } from "./rules.ts";

/** What is not covered by a rule. */
export type DefaultPolicy = "allow" | "deny";

/** Resources whose names are compared letter by letter. */
const EXACT: readonly Resource[] = ["key", "event"];

/** The rules of one resource. */
class Book {
  readonly #exact = new Map<string, Access>();
  readonly #prefixes = new Map<string, Access>();
  /** Of the prefixes, the longest first. */
  #lengths: readonly number[] = [];

  add(name: string, { isPrefix, access }: Rule): void {
    const book = isPrefix ? this.#prefixes : this.#exact;
    const before = book.get(name);
    book.set(name, before === undefined ? access : stronger(before, access));
    this.#lengths = [...new Set([...this.#prefixes.keys()].map(({ length }) => length))].sort((a, b) => b - a);
  }

  /** What the rule for a name grants; undefined where there is none. */
  of(name: string): Access | undefined {
    return this.#exact.get(name) ?? this.#ofPrefix(name);
  }

  #ofPrefix(name: string): Access | undefined {
    for (const length of this.#lengths) {
      const found = length <= name.length ? this.#prefixes.get(name.slice(0, length)) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** What is granted of everything that begins so; undefined where nothing but the default policy says. */
  ofTree(name: string, wanted: Access): Access | undefined {
    const within = [...this.#exact, ...this.#prefixes].filter(([key]) => key.startsWith(name));
    if (within.some(([, access]) => !includes(access, wanted))) return "deny";
    return this.#ofPrefix(name);
  }

  /** Whether everything may be written, and no rule says otherwise. */
  get isAll(): boolean {
    return this.ofTree("", "write") === "write";
  }
}

/** What the rules of one token allow. */
export class Authorizer {
  /** Names the token without letting anybody use it. */
  readonly accessor: string;
  /** Whether it may do everything: nothing is to be left out for it. */
  readonly isUnlimited: boolean;
  readonly #books = new Map<Resource, Book>();
  readonly #standard: DefaultPolicy;

  /** @param standard What holds where no rule does. */
  constructor(accessor: string, rules: readonly Rule[], standard: DefaultPolicy) {
    this.accessor = accessor;
    this.#standard = standard;
    for (const rule of rules) {
      const book = this.#books.get(rule.resource) ?? new Book();
      book.add(nameOf(rule.resource, rule.name), rule);
      this.#books.set(rule.resource, book);
    }
    this.isUnlimited = NAMED_RESOURCES.every((one) => this.#books.get(one)?.isAll ?? standard === "allow") &&
      PLAIN_RESOURCES.every((resource) => this.allows({ resource, access: "write" }));
  }

  /** Whether it allows what is needed. */
  allows({ resource, access, name = "", isTree = false }: Need): boolean {
    const book = this.#books.get(resource);
    const own = nameOf(resource, name);
    const granted = isTree ? book?.ofTree(own, access) : book?.of(own);
    if (granted !== undefined) return includes(granted, access);
    return this.#standard === "allow" && resource !== "acl";
  }

  /** The first of these that it does not allow. */
  lacking(needs: readonly Need[]): Need | undefined {
    return needs.find((need) => !this.allows(need));
  }
}

/** Letters of ASCII alone: SQLite's NOCASE knows no others. */
function nameOf(resource: Resource, name: string): string {
  return EXACT.includes(resource) ? name : name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

function includes(granted: Access, wanted: Access): boolean {
  return granted !== "deny" && ACCESSES.indexOf(granted) >= ACCESSES.indexOf(wanted);
}

function stronger(one: Access, other: Access): Access {
  if (one === "deny" || other === "deny") return "deny";
  return includes(one, other) ? one : other;
}
