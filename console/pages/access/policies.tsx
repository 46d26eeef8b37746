/**
 * Policies: names for rules, which the node checks when they are saved.
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ask, askJson } from "../../api.ts";
import { type Access, type Policy, policyOf } from "../../consul/acl.ts";
import { tell } from "../../parts/dialog.tsx";
import { messageOf } from "../../parts/fault.ts";
import { FormDialog } from "../../parts/form_dialog.tsx";
import { Icon } from "../../parts/icon.tsx";
import { countText } from "../../parts/format.ts";
import { TableHead } from "../../parts/table_head.tsx";
import { TextField } from "../../parts/text_field.tsx";
import { run } from "../../consul/run.ts";

const EXAMPLE = `key_prefix "app/" { policy = "write" }\nservice_prefix "" { policy = "read" }\nsql = "read"\n`;
/** Policies that are the same in every cluster. */
const isBuiltin = ({ id }: Policy) => /^00000000-0000-0000-0000-00000000000[0-9a-f]$/.test(id);

/** The list. */
export function PoliciesPart(
  { access: { policies, tokens, roles }, onChanged }: { readonly access: Access; readonly onChanged: () => void },
): JSX.Element {
  const [edited, setEdited] = useState<Policy | undefined>();
  const open = async ({ id }: Policy) => {
    try {
      setEdited(policyOf(await askJson(`v1/acl/policy/${id}`)));
    } catch (error) {
      tell(messageOf(error), { isError: true });
    }
  };
  const usersOf = ({ id }: Policy) =>
    [...tokens, ...roles].filter((one) => one.policies.some((link) => link.id === id)).length;
  const remove = async (policy: Policy) => {
    const users = usersOf(policy);
    const done = await run({
      title: `Delete the policy ${policy.name}?`,
      text: users === 0
        ? "No token and no role has it."
        : `${countText(users, "token or role loses", "tokens and roles lose")} what it allows, at once.`,
      action: "Delete the policy",
      method: "DELETE",
      path: `v1/acl/policy/${policy.id}`,
      muster: ["acl", "policy", "delete", `-id=${policy.id}`],
      isForAll: true,
      done: "Deleted",
    });
    if (done) onChanged();
  };
  return (
    <>
      <div class="toolbar page-bar">
        <span class="spacer" />
        <button
          type="button"
          class="primary"
          onClick={() => setEdited({ id: "", name: "", description: "", rules: EXAMPLE })}
        >
          <Icon name="plus" /> New policy
        </button>
      </div>
      <div class="card scroll" tabIndex={0} role="region" aria-label="Policies, scrollable">
        <table class="plain-table">
          <TableHead titles={["Name", "Description", "Used by"]} hasActions />
          <tbody>
            {policies.map((policy) => (
              <PolicyRow
                key={policy.id}
                policy={policy}
                users={usersOf(policy)}
                onOpen={() => open(policy)}
                onRemove={() => remove(policy)}
              />
            ))}
          </tbody>
        </table>
      </div>
      {edited && (
        <PolicyForm
          policy={edited}
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

function PolicyRow(
  { policy, users, onOpen, onRemove }: {
    readonly policy: Policy;
    readonly users: number;
    readonly onOpen: () => void;
    readonly onRemove: () => void;
  },
): JSX.Element {
  return (
    <tr>
      <th scope="row">
        <bdi>{policy.name}</bdi>
        {isBuiltin(policy) && <span class="tag">built in</span>}
      </th>
      <td>
        <bdi>{policy.description || "–"}</bdi>
      </td>
      <td class="number">{users}</td>
      <td class="row-actions">
        <button type="button" onClick={onOpen}>{isBuiltin(policy) ? "Show" : "Change"}</button>
        {!isBuiltin(policy) && <button type="button" class="danger" onClick={onRemove}>Delete</button>}
      </td>
    </tr>
  );
}

function PolicyForm(
  { policy, onClose, onSaved }: {
    readonly policy: Policy;
    readonly onClose: () => void;
    readonly onSaved: () => void;
  },
): JSX.Element {
  const [name, setName] = useState(policy.name);
  const [description, setDescription] = useState(policy.description);
  const [rules, setRules] = useState(policy.rules);
  const isNew = policy.id === "";
  const isFixed = isBuiltin(policy);
  const save = async () => {
    const body = JSON.stringify({ Name: name, Description: description, Rules: rules });
    await ask(`v1/acl/policy${isNew ? "" : `/${policy.id}`}`, { method: "PUT", body });
    tell(isNew ? "Created" : "Saved");
    onSaved();
  };
  return (
    <FormDialog
      title={isNew ? "New policy" : policy.name}
      action={isNew ? "Create" : "Save"}
      isWide
      isFixed={isFixed}
      onSave={save}
      onClose={onClose}
    >
      <div class="fields">
        <TextField
          label="Name"
          name="name"
          required
          readOnly={isFixed}
          pattern="[A-Za-z0-9_\-]{1,128}"
          title="Letters, digits, - and _"
          value={name}
          onInput={setName}
        />
        <TextField
          label="Description"
          name="description"
          readOnly={isFixed}
          value={description}
          onInput={setDescription}
        />
      </div>
      <label>
        Rules
        <textarea
          name="rules"
          rows={12}
          readOnly={isFixed}
          spellcheck={false}
          value={rules}
          onInput={(event) => setRules(event.currentTarget.value)}
        />
      </label>
    </FormDialog>
  );
}
