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
  /** Its component: a part of the program of its own, but for the first page. */
  load(): Promise<ComponentType<PageProps>> | ComponentType<PageProps>;
}

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
];

/** The pages that are of use to whoever looks. */
export function pagesFor({ isAgent }: Pick<Session, "isAgent">): readonly Page[] {
  return PAGES.filter(({ permission, isOfAgents }) => may(permission) && (isAgent || !isOfAgents));
}
