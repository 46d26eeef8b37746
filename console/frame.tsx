/**
 * The frame around all pages: the menu, the state of the cluster in one line, signing in, and keys.
 * @module
 */
import type { ComponentType, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { credentials, useCredentials } from "./api.ts";
import { cluster } from "./cluster.ts";
import { datacenter } from "./consul/datacenter.ts";
import { DatacenterChooser } from "./consul/datacenter_chooser.tsx";
import { KEYS, useKeys } from "./keys.ts";
import { type Page, type PageProps, PAGES, pagesFor } from "./pages.ts";
import { Bootstrap } from "./pages/access/bootstrap.tsx";
import { Dialog, Messages, Questions, withdrawQuestion } from "./parts/dialog.tsx";
import { Icon } from "./parts/icon.tsx";
import { linkTo, place } from "./router.ts";
import { forgotten, renewSession, session } from "./session.ts";
import { SignIn } from "./sign_in.tsx";
import { useStore } from "./store.ts";
import { nextTheme, theme } from "./theme.ts";

/** The page as a whole. */
export function Frame(): JSX.Element {
  const { state, why } = useStore(session);
  const [isSigningIn, setSigningIn] = useState(false);
  const [isHelpOpen, setHelpOpen] = useState(false);
  const pages = pagesFor(useStore(session));
  const [id = "", ...rest] = useStore(place);
  const page = id === "" ? pages[0] : pages.find((one) => one.id === id);
  // Pages begin anew for somebody else, who sees other things.
  const round = useStore(forgotten);
  const shownDatacenter = useStore(datacenter);
  useEffect(withdrawQuestion, [round, shownDatacenter]);
  useKeys(pages, () => setHelpOpen(true));
  useEffect(() => {
    document.title = page ? `${page.title} · muster` : "muster";
  }, [page?.title]);
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>Skip to the page</a>
      <Top page={page} onSignIn={() => setSigningIn(true)} onHelp={() => setHelpOpen(true)} />
      <div class="body">
        <Menu pages={pages} current={page} />
        <main id="main" tabIndex={-1}>
          {state === "loading" && <p class="muted">Asking the node…</p>}
          {state === "away" && <Away why={why} />}
          {state === "refused" && <SignIn why={why} />}
          {state === "ready" && !page && (pages.length === 0 ? <Nothing /> : <NoPage id={id} pages={pages} />)}
          {state === "ready" && page && (
            <Loaded
              key={`${page.id} ${round} ${page.isForDatacenters ? shownDatacenter : ""}`}
              page={page}
              rest={rest}
            />
          )}
        </main>
      </div>
      {isSigningIn && (
        <Dialog title="Sign in" onClose={() => setSigningIn(false)}>
          <SignIn why="" onDone={() => setSigningIn(false)} />
        </Dialog>
      )}
      {isHelpOpen && <Help pages={pages} onClose={() => setHelpOpen(false)} />}
      <Questions />
      <Messages />
    </>
  );
}

function skip(event: Event): void {
  event.preventDefault(); // what stands behind # is the place
  document.getElementById("main")?.focus();
}

function Top(
  { page, onSignIn, onHelp }: {
    readonly page: Page | undefined;
    readonly onSignIn: () => void;
    readonly onHelp: () => void;
  },
): JSX.Element {
  const { name, kind, node, signIn, state } = useStore(session);
  const isSignedIn = Object.keys(useStore(credentials)).length > 0;
  const chosen = useStore(theme);
  return (
    <header class="top">
      <a class="brand" href={linkTo()} aria-label="muster">
        <svg viewBox="0 0 16 16" width="20" height="20" aria-hidden="true">
          <path d="M8 3.5 3.5 12h9z" />
          <circle cx="8" cy="3.5" r="2.5" />
          <circle cx="3" cy="12.5" r="2.5" />
          <circle cx="13" cy="12.5" r="2.5" />
        </svg>
        <span>muster</span>
      </a>
      {state === "ready" && <span class="muted node-name" title="The node that answers">{node}</span>}
      <ClusterLine />
      <span class="spacer" />
      {page?.isForDatacenters && <DatacenterChooser />}
      <button type="button" class="plain" onClick={onHelp} title="Keys (?)" aria-label="Keys">
        <span class="glyph" aria-hidden="true">?</span>
      </button>
      <button
        type="button"
        class="plain"
        onClick={nextTheme}
        title={`Colours: ${chosen}`}
        aria-label={`Colours: ${chosen}`}
      >
        <Icon name="theme" />
      </button>
      {(signIn.length > 0 || isSignedIn) && state === "ready" && (
        isSignedIn
          ? (
            <button type="button" class="plain" onClick={() => useCredentials({})}>
              <Icon name="user" /> {name || "Token"} · sign out
            </button>
          )
          : kind === "user"
          ? <span class="muted who">{name}</span>
          : (
            <button type="button" class="plain" onClick={onSignIn}>
              <Icon name="user" /> Sign in
            </button>
          )
      )}
    </header>
  );
}

/** The state of the cluster in one line, on every page. */
function ClusterLine(): JSX.Element | null {
  const { picture, fault } = useStore(cluster);
  if (fault !== "") return <span class="chip bad" role="status">No connection: {fault}</span>;
  if (!picture) return null;
  const leader = picture.nodes.find(({ id }) => id === picture.leaderId);
  const good = picture.nodes.filter(({ health }) => health === "healthy").length;
  const level = picture.warnings.some((one) => one.level === "error")
    ? "bad"
    : picture.warnings.length > 0
    ? "doubtful"
    : "good";
  return (
    <a class={`chip ${level}`} href={linkTo("overview")}>
      <span class="dot" aria-hidden="true" />
      <span class="chip-text">
        {leader ? `${leader.name} leads` : "no leader"} · {good} of {picture.nodes.length} healthy
      </span>
    </a>
  );
}

function Menu(
  { pages, current }: { readonly pages: readonly Page[]; readonly current: Page | undefined },
): JSX.Element {
  return (
    <nav class="menu" aria-label="Pages">
      {pages.map((page) => (
        <a key={page.id} href={linkTo(page.id)} aria-current={page === current ? "page" : undefined}>
          <Icon name={page.icon} />
          <span>{page.title}</span>
        </a>
      ))}
    </nav>
  );
}

/** A page, once its part of the program is there. */
function Loaded({ page, rest }: PageProps & { readonly page: Page }): JSX.Element {
  const [found, setFound] = useState<{ readonly Component: ComponentType<PageProps> } | undefined>(() => {
    const loaded = page.load();
    return loaded instanceof Promise ? undefined : { Component: loaded };
  });
  const [fault, setFault] = useState("");
  const isHere = useRef(true);
  useEffect(() => {
    isHere.current = true;
    if (!found) {
      Promise.resolve(page.load()).then(
        (Component) => isHere.current && setFound({ Component }),
        () => setFault("This page could not be loaded. The node may have been upgraded meanwhile: reload"),
      );
    }
    return () => {
      isHere.current = false;
    };
  }, [page]);
  if (fault !== "") return <p class="note error">{fault}</p>;
  return found ? <found.Component rest={rest} /> : <p class="muted">Loading…</p>;
}

function Away({ why }: { readonly why: string }): JSX.Element {
  useEffect(() => {
    const timer = setInterval(() => renewSession(), 2000);
    return () => clearInterval(timer);
  }, []);
  return <p class="note error" role="alert">{why}. Trying again…</p>;
}

function Nothing(): JSX.Element {
  const { signIn, kind, name } = useStore(session);
  if (signIn.length > 0 && kind !== "user") {
    return (
      <>
        <SignIn why="" />
        {kind === "anonymous" && <Bootstrap />}
      </>
    );
  }
  return (
    <div class="empty">
      <h1>Nothing to show</h1>
      <p>The user {name} has none of the permissions that a page needs, such as status or query.</p>
    </div>
  );
}

/** For a place that leads to no page of the caller's. */
function NoPage({ id, pages }: { readonly id: string; readonly pages: readonly Page[] }): JSX.Element {
  const known = PAGES.find((one) => one.id === id);
  return (
    <div class="empty">
      <h1>{known ? `${known.title} is not available` : "No such page"}</h1>
      <p>
        {known ? "This node does not have it, or you may not see it." : (
          <>
            The console has no page <bdi>{id}</bdi>.
          </>
        )} These are its pages:
      </p>
      <ul class="links">
        {pages.map((page) => (
          <li key={page.id}>
            <a href={linkTo(page.id)}>{page.title}</a>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Help({ pages, onClose }: { readonly pages: readonly Page[]; readonly onClose: () => void }): JSX.Element {
  const rows = [...pages.map(({ key, title }) => [`g ${key}`, `Go to ${title}`] as const), ...KEYS];
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl class="keys">
        {rows.map(([keys, what]) => (
          <div key={keys}>
            <dt>{keys.split(" ").map((one) => <kbd key={one}>{one}</kbd>)}</dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p class="muted hint">
        <a href="licenses.txt">Licences of the libraries</a>
      </p>
    </Dialog>
  );
}
