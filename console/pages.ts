/**
 * The table of pages: to add one, write a file in `pages/` that exports a component, and a line here.
 * @module
 */
import type { ComponentType } from "preact";
import type { IconName } from "./parts/icon.tsx";
import { OverviewPage } from "./pages/overview.tsx";
import { may, type Session } from "./session.ts";

/** What a page is drawn with. */
export interface PageProps {
  /** The place behind the page's own name: of `#/data/users`, `["users"]`. */
  readonly rest: readonly string[];
}

/** A page. */
export interface Page {
  /** First part of its place. */
  readonly id: string;
  readonly title: string;
  readonly icon: IconName;
  /** Key that leads to it, after `g`. */
  readonly key: string;
  /** Permission that it is of no use without; empty: none. */
  readonly permission: string;
  /** Whether only agents have what it shows. @default {false} */
  readonly isOfAgents?: boolean;
  /** Whether it can show another datacenter. @default {false} */
  readonly isForDatacenters?: boolean;
  /** Whether it is shown, where that takes more than a permission. */
  isShown?(session: Pick<Session, "signIn" | "kind">): boolean;
  /** Its component: a part of the program of its own, but for the first page. */
  load(): Promise<ComponentType<PageProps>> | ComponentType<PageProps>;
}

/** Permissions for what the page Operations does. */
const OPERATIONS = ["leader-ops", "remove", "snapshot", "backup", "load", "operator-write", "agent-write", "keyring"];

/** All pages, in the order of the menu. */
export const PAGES: readonly Page[] = [
  { id: "overview", title: "Overview", icon: "overview", key: "o", permission: "status", load: () => OverviewPage },
  {
    id: "sql",
    title: "SQL",
    icon: "sql",
    key: "s",
    permission: "query",
    load: () => import("./pages/sql.tsx").then(({ SqlPage }) => SqlPage),
  },
  {
    id: "data",
    title: "Data",
    icon: "data",
    key: "d",
    permission: "query",
    load: () => import("./pages/data.tsx").then(({ DataPage }) => DataPage),
  },
  {
    id: "services",
    title: "Services",
    icon: "services",
    key: "v",
    permission: "catalog-read",
    isOfAgents: true,
    isForDatacenters: true,
    load: () => import("./pages/catalog/page.tsx").then(({ CatalogPage }) => CatalogPage),
  },
  {
    id: "kv",
    title: "Key/value",
    icon: "tree",
    key: "k",
    permission: "kv-read",
    isOfAgents: true,
    isForDatacenters: true,
    load: () => import("./pages/kv/page.tsx").then(({ KvPage }) => KvPage),
  },
  {
    id: "sessions",
    title: "Sessions",
    icon: "lock",
    key: "l",
    permission: "session-read",
    isOfAgents: true,
    isForDatacenters: true,
    load: () => import("./pages/kv/sessions.tsx").then(({ SessionsPage }) => SessionsPage),
  },
  {
    id: "queries",
    title: "Queries",
    icon: "filter",
    key: "q",
    permission: "query-read",
    isOfAgents: true,
    isForDatacenters: true,
    load: () => import("./pages/catalog/queries.tsx").then(({ QueriesPage }) => QueriesPage),
  },
  {
    id: "config",
    title: "Configuration",
    icon: "document",
    key: "c",
    permission: "operator-read",
    isOfAgents: true,
    isForDatacenters: true,
    load: () => import("./pages/agents/config.tsx").then(({ ConfigPage }) => ConfigPage),
  },
  {
    id: "events",
    title: "Events",
    icon: "event",
    key: "e",
    permission: "event-read",
    isOfAgents: true,
    load: () => import("./pages/agents/events.tsx").then(({ EventsPage }) => EventsPage),
  },
  {
    id: "access",
    title: "Access",
    icon: "shield",
    key: "a",
    permission: "",
    isShown: ({ signIn }) => signIn.includes("token"),
    load: () => import("./pages/access/page.tsx").then(({ AccessPage }) => AccessPage),
  },
  {
    id: "operations",
    title: "Operations",
    icon: "tools",
    key: "p",
    permission: "",
    isShown: () => OPERATIONS.some(may),
    load: () => import("./pages/operations/page.tsx").then(({ OperationsPage }) => OperationsPage),
  },
  {
    id: "figures",
    title: "Figures",
    icon: "figures",
    key: "f",
    permission: "status",
    load: () => import("./pages/figures/page.tsx").then(({ FiguresPage }) => FiguresPage),
  },
];

/** The pages that are of use to whoever looks. */
export function pagesFor({ isAgent, signIn, kind }: Pick<Session, "isAgent" | "signIn" | "kind">): readonly Page[] {
  const shown = PAGES.filter(({ permission, isOfAgents, isShown }) =>
    may(permission) && (isAgent || !isOfAgents) && (isShown?.({ signIn, kind }) ?? true)
  );
  // Whoever may see nothing else is asked to sign in first.
  return shown.length === 1 && shown[0].id === "access" && kind !== "token" ? [] : shown;
}
