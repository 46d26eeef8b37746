/**
 * Tokens, and the users of the cluster, which are tokens with a name and a password.
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { askJson } from "../../api.ts";
import { type Access, ANONYMOUS, type Rights, rightsBody, type Token } from "../../consul/acl.ts";
import { fieldOf, textOf } from "../../json.ts";
import { Dialog, tell } from "../../parts/dialog.tsx";
import { FormDialog } from "../../parts/form_dialog.tsx";
import { Icon } from "../../parts/icon.tsx";
import { FilterField } from "../../parts/tabs.tsx";
import { RightsCell, RightsFields } from "./rights.tsx";
import { Secret } from "./secret.tsx";
import { TextField } from "../../parts/text_field.tsx";
import { run } from "../../consul/run.ts";

const NOTHING: Token = {
  accessor: "",
  description: "",
  user: "",
  expires: "",
  policies: [],
  roles: [],
  services: [],
  nodes: [],
};

/** The list. @param isOfUsers Whether it is that of users alone. */
export function TokensPart(
  { access, isOfUsers, onChanged }: {
    readonly access: Access;
    readonly isOfUsers: boolean;
    readonly onChanged: () => void;
  },
): JSX.Element {
  const [wanted, setWanted] = useState("");
  const [edited, setEdited] = useState<Token | undefined>();
  const [secret, setSecret] = useState("");
  const all = access.tokens.filter(({ user }) => !isOfUsers || user !== "");
  const found = all.filter(({ accessor, description, user, policies }) =>
    [accessor, description, user, ...policies.map(({ name }) => name)].some((one) =>
      one.toLowerCase().includes(wanted.toLowerCase())
    )
  );
  const remove = async ({ accessor, description, user }: Token) => {
    const done = await run({
      title: user === "" ? `Delete the token ${description || accessor}?` : `Delete the user ${user}?`,
      text: "Requests with it are refused from then on, on every node. That cannot be undone.",
      action: user === "" ? "Delete the token" : "Delete the user",
      method: "DELETE",
      path: `v1/acl/token/${accessor}`,
      muster: ["acl", "token", "delete", `-id=${accessor}`],
      isForAll: true,
      done: "Deleted",
    });
    if (done) onChanged();
  };
  return (
    <>
      <div class="toolbar page-bar">
        <FilterField label={isOfUsers ? "Find a user" : "Find a token"} value={wanted} onInput={setWanted} />
        <span class="spacer" />
        <button type="button" class="primary" onClick={() => setEdited(NOTHING)}>
          <Icon name="plus" /> {isOfUsers ? "New user" : "New token"}
        </button>
      </div>
      {all.length === 0
        ? <NoUsers />
        : (
          <div class="card scroll" tabIndex={0} role="region" aria-label="Tokens, scrollable">
            <TokenTable tokens={found} onEdit={setEdited} onRemove={remove} />
            {found.length === 0 && <p class="muted">Nothing is called so.</p>}
          </div>
        )}
      {edited && (
        <TokenForm
          access={access}
          token={edited}
          isOfUsers={isOfUsers || edited.user !== ""}
          onClose={() => setEdited(undefined)}
          onSaved={(made) => {
            setSecret(made);
            setEdited(undefined);
            onChanged();
          }}
        />
      )}
      {secret !== "" && (
        <Dialog title="The new token" onClose={() => setSecret("")}>
          <Secret secret={secret} />
        </Dialog>
      )}
    </>
  );
}

function NoUsers(): JSX.Element {
  return (
    <div class="empty">
      <h1>No users yet</h1>
      <p>A user signs in with a name and a password, and has what the user's token has.</p>
      <code>muster user create -policy-name=global-management mary</code>
    </div>
  );
}

function TokenTable(
  { tokens, onEdit, onRemove }: {
    readonly tokens: readonly Token[];
    readonly onEdit: (token: Token) => void;
    readonly onRemove: (token: Token) => void;
  },
): JSX.Element {
  return (
    <table class="plain-table">
      <thead>
        <tr>
          {["Description", "User", "May do", "Ends", "Accessor"].map((title) => <th key={title} scope="col">{title}
          </th>)}
          <th scope="col">
            <span class="visually-hidden">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {tokens.map((token) => (
          <tr key={token.accessor}>
            <th scope="row">
              <bdi>{token.description || "–"}</bdi>
            </th>
            <td>
              <bdi>{token.user || "–"}</bdi>
            </td>
            <td>
              <RightsCell {...token} />
            </td>
            <td>{token.expires === "" ? "never" : new Date(token.expires).toLocaleString()}</td>
            <td>
              <span class="address" title={token.accessor}>{token.accessor.slice(0, 8)}</span>
            </td>
            <td class="row-actions">
              <button type="button" onClick={() => onEdit(token)}>Change</button>
              {token.accessor !== ANONYMOUS && (
                <button type="button" class="danger" onClick={() => onRemove(token)}>Delete</button>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function TokenForm(
  { access, token, isOfUsers, onClose, onSaved }: {
    readonly access: Access;
    readonly token: Token;
    readonly isOfUsers: boolean;
    readonly onClose: () => void;
    /** Gets the secret of a new token; of a user there is none to show. */
    readonly onSaved: (secret: string) => void;
  },
): JSX.Element {
  const [rights, setRights] = useState<Rights>(token);
  const [description, setDescription] = useState(token.description);
  const [user, setUser] = useState(token.user);
  const [password, setPassword] = useState("");
  const isNew = token.accessor === "";
  const save = async () => {
    const body = JSON.stringify({
      Description: description,
      ...rightsBody(rights),
      ...(isOfUsers ? { UserName: user } : {}),
      ...(password === "" ? {} : { Password: password }),
    });
    const made = await askJson(`v1/acl/token${isNew ? "" : `/${token.accessor}`}`, { method: "PUT", body });
    tell(isNew ? "Created" : "Saved");
    onSaved(isNew && !isOfUsers ? textOf(fieldOf(made, "SecretID")) : "");
  };
  const kind = isOfUsers ? "user" : "token";
  return (
    <FormDialog
      title={isNew ? `New ${kind}` : `Change the ${kind}`}
      action={isNew ? "Create" : "Save"}
      isWide
      onSave={save}
      onClose={onClose}
    >
      {isOfUsers && (
        <div class="fields">
          <TextField label="User" name="user" required value={user} onInput={setUser} />
          <TextField
            label={isNew ? "Password" : "Another password"}
            name="password"
            isSecret
            required={isNew}
            value={password}
            onInput={setPassword}
          />
        </div>
      )}
      <TextField label="Description" name="description" value={description} onInput={setDescription} />
      <RightsFields access={access} rights={rights} onChange={setRights} hasRoles />
    </FormDialog>
  );
}
