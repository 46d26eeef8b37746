/**
 * Roles: policies and identities that several tokens have together.
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ask } from "../../api.ts";
import { type Access, type Rights, rightsBody, type Role } from "../../consul/acl.ts";
import { tell } from "../../parts/dialog.tsx";
import { FormDialog } from "../../parts/form_dialog.tsx";
import { countText } from "../../parts/format.ts";
import { Icon } from "../../parts/icon.tsx";
import { RightsCell, RightsFields } from "./rights.tsx";
import { TableHead } from "../../parts/table_head.tsx";
import { TextField } from "../../parts/text_field.tsx";
import { run } from "../../consul/run.ts";

const NOTHING: Role = {
  id: "",
  name: "",
  description: "",
  policies: [],
  roles: [],
  services: [],
  nodes: [],
};

/** The list. */
export function RolesPart(
  { access, onChanged }: { readonly access: Access; readonly onChanged: () => void },
): JSX.Element {
  const [edited, setEdited] = useState<Role | undefined>();
  const remove = async ({ id, name }: Role) => {
    const users = access.tokens.filter(({ roles }) => roles.some((link) => link.id === id)).length;
    const done = await run({
      title: `Delete the role ${name}?`,
      text: users === 0
        ? "No token has it."
        : `${countText(users, "token loses", "tokens lose")} what it allows, at once.`,
      action: "Delete the role",
      method: "DELETE",
      path: `v1/acl/role/${id}`,
      muster: ["acl", "role", "delete", `-id=${id}`],
      isForAll: true,
      done: "Deleted",
    });
    if (done) onChanged();
  };
  return (
    <>
      <div class="toolbar page-bar">
        <span class="spacer" />
        <button type="button" class="primary" onClick={() => setEdited(NOTHING)}>
          <Icon name="plus" /> New role
        </button>
      </div>
      {access.roles.length === 0 && (
        <div class="empty">
          <h1>No roles yet</h1>
          <p>A role has policies for several tokens: what it may do is changed in one place.</p>
        </div>
      )}
      {access.roles.length > 0 && (
        <div class="card scroll" tabIndex={0} role="region" aria-label="Roles, scrollable">
          <table class="plain-table">
            <TableHead titles={["Name", "Description", "May do"]} hasActions />
            <tbody>
              {access.roles.map((role) => (
                <RoleRow
                  key={role.id}
                  role={role}
                  onEdit={() => setEdited(role)}
                  onRemove={() => remove(role)}
                />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {edited && (
        <RoleForm
          access={access}
          role={edited}
          onClose={() => setEdited(undefined)}
          onSaved={() => {
            setEdited(undefined);
            onChanged();
          }}
        />
      )}
    </>
  );
}

function RoleRow(
  { role, onEdit, onRemove }: { readonly role: Role; readonly onEdit: () => void; readonly onRemove: () => void },
): JSX.Element {
  return (
    <tr>
      <th scope="row">
        <bdi>{role.name}</bdi>
      </th>
      <td>
        <bdi>{role.description || "–"}</bdi>
      </td>
      <td>
        <RightsCell {...role} />
      </td>
      <td class="row-actions">
        <button type="button" onClick={onEdit}>Change</button>
        <button type="button" class="danger" onClick={onRemove}>Delete</button>
      </td>
    </tr>
  );
}

function RoleForm(
  { access, role, onClose, onSaved }: {
    readonly access: Access;
    readonly role: Role;
    readonly onClose: () => void;
    readonly onSaved: () => void;
  },
): JSX.Element {
  const [name, setName] = useState(role.name);
  const [description, setDescription] = useState(role.description);
  const [rights, setRights] = useState<Rights>(role);
  const isNew = role.id === "";
  const save = async () => {
    const { Roles: _, ...links } = rightsBody(rights);
    const body = JSON.stringify({ Name: name, Description: description, ...links });
    await ask(`v1/acl/role${isNew ? "" : `/${role.id}`}`, { method: "PUT", body });
    tell(isNew ? "Created" : "Saved");
    onSaved();
  };
  return (
    <FormDialog
      title={isNew ? "New role" : role.name}
      action={isNew ? "Create" : "Save"}
      isWide
      onSave={save}
      onClose={onClose}
    >
      <div class="fields">
        <TextField label="Name" name="name" required value={name} onInput={setName} />
        <TextField label="Description" name="description" value={description} onInput={setDescription} />
      </div>
      <RightsFields access={access} rights={rights} onChange={setRights} hasRoles={false} />
    </FormDialog>
  );
}
