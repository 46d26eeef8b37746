/**
 * Access: tokens, users of the cluster, policies and roles.
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ApiError } from "../../api.ts";
import { type Access, readAccess } from "../../consul/acl.ts";
import type { PageProps } from "../../pages.ts";
import { messageOf } from "../../parts/fault.ts";
import { TabLinks } from "../../parts/tabs.tsx";
import { linkTo } from "../../router.ts";
import { session } from "../../session.ts";
import { useStore } from "../../store.ts";
import { Bootstrap } from "./bootstrap.tsx";
import { PoliciesPart } from "./policies.tsx";
import { RolesPart } from "./roles.tsx";
import { TokensPart } from "./tokens.tsx";

/** The page. */
export function AccessPage({ rest: [part = ""] }: PageProps): JSX.Element {
  const { kind } = useStore(session);
  const [access, setAccess] = useState<Access | undefined>();
  const [fault, setFault] = useState("");
  const [isDenied, setDenied] = useState(false);
  const renew = () =>
    readAccess().then((found) => {
      setAccess(found);
      setFault("");
      setDenied(false);
    }, (error) => {
      setFault(messageOf(error));
      setDenied(error instanceof ApiError && error.status === 403);
    });
  useEffect(() => {
    renew();
  }, []);
  const users = access?.tokens.filter(({ user }) => user !== "").length;
  const tabs = [
    { id: "", title: "Tokens", href: linkTo("access"), ...count(access?.tokens.length) },
    { id: "users", title: "Users", href: linkTo("access", "users"), ...count(users) },
    { id: "policies", title: "Policies", href: linkTo("access", "policies"), ...count(access?.policies.length) },
    { id: "roles", title: "Roles", href: linkTo("access", "roles"), ...count(access?.roles.length) },
  ];
  return (
    <div class="page">
      <h1>Access</h1>
      {fault !== "" && <p class="note error" role="alert">{fault}</p>}
      {isDenied && (
        <>
          <p>
            Tokens and their rules are shown to whoever has <code>acl = "read"</code>. Sign in with another token.
          </p>
          {kind === "anonymous" && <Bootstrap />}
        </>
      )}
      {!access && fault === "" && <p class="muted">Reading…</p>}
      {access && (
        <>
          <TabLinks label="Parts of access control" tabs={tabs} current={part} />
          {part === "policies"
            ? <PoliciesPart access={access} onChanged={renew} />
            : part === "roles"
            ? <RolesPart access={access} onChanged={renew} />
            : <TokensPart key={part} access={access} isOfUsers={part === "users"} onChanged={renew} />}
        </>
      )}
    </div>
  );
}

function count(found: number | undefined): { readonly count?: number } {
  return found === undefined ? {} : { count: found };
}
