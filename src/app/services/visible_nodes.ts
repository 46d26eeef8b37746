/**
 * The nodes and services that the name server of a server may show where access control is on: those that the token of the
 * agent for names may read, or the anonymous one.
 * @module
 */
import type { Access } from "../acl/access.ts";
import { ownCredentials } from "../acl/access.ts";
import type { Catalog } from "../agent/catalog.ts";
import { type CatalogView, HeldNodes } from "../agent/nodes.ts";
import { Authorizer } from "../../core/acl/authorizer.ts";
import { needsOf } from "../../core/acl/resource.ts";
import { ACL_TABLES } from "../../core/catalog/acl_schema.ts";
import type { CatalogNode } from "../../core/dns/answer.ts";

/** A watch is asked again now and then. */
const WATCH_MS = 3_600_000;
const NOBODY = new Authorizer("", [], "deny");

/** A part of another source. */
export class VisibleNodes extends HeldNodes {
  readonly #source: HeldNodes;
  readonly #access: Access;
  /** The last view, and what it was made of. */
  #last: { readonly of: CatalogView; readonly may: Authorizer; readonly view: CatalogView } | undefined;

  constructor(source: HeldNodes, access: Access, catalog: Pick<Catalog, "watch">) {
    super();
    this.#source = source;
    this.#access = access;
    source.onChange = () => this.onChange();
    this.#follow(catalog);
  }

  async #follow(catalog: Pick<Catalog, "watch">): Promise<void> {
    const watch = catalog.watch(ACL_TABLES, true);
    for (;;) {
      await watch.next(WATCH_MS);
      this.onChange();
    }
  }

  override async view(): Promise<CatalogView> {
    const of = await this.#source.view();
    // A token that is gone shows nothing; the others are asked for by name.
    const may = await this.#access.authorizerOf(ownCredentials(this.#access.tokens.forNames)).catch(() => NOBODY);
    if (this.#last?.of === of && this.#last.may === may) return this.#last.view;
    const view = may.isUnlimited ? of : visibleTo(may, of);
    this.#last = { of, may, view };
    return view;
  }
}

function visibleTo(may: Authorizer, { nodes, servers, byName, services }: CatalogView): CatalogView {
  const isNode = ({ name }: CatalogNode) => may.allows(needsOf("node", "read", name));
  const isService = (name: string) => may.allows(needsOf("service", "read", name));
  const visible = [...services].filter(([name]) => isService(name)).map(([name, all]) =>
    [name, all.filter(({ node }) => isNode(node))] as const
  );
  return {
    nodes: nodes.filter(isNode),
    servers: isService("consul") ? servers.filter(isNode) : [],
    byName: new Map([...byName].filter(([, node]) => isNode(node))),
    services: new Map(visible.filter(([, all]) => all.length > 0)),
  };
}
