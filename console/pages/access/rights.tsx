/**
 * The rights of a token or a role: shown, and chosen.
 * @module
 */
import type { JSX } from "preact";
import type { Access, Link, Rights } from "../../consul/acl.ts";
import { linkTo } from "../../router.ts";

/** What it may do, in a cell. */
export function RightsCell({ policies, roles, services, nodes }: Rights): JSX.Element {
  const isNone = policies.length + roles.length + services.length + nodes.length === 0;
  return (
    <span class="tag-list">
      {policies.map(({ id, name }) => (
        <a key={id} class="tag" href={linkTo("access", "policies")}>
          <bdi>{name}</bdi>
        </a>
      ))}
      {roles.map(({ id, name }) => (
        <a key={id} class="tag" href={linkTo("access", "roles")}>
          role <bdi>{name}</bdi>
        </a>
      ))}
      {services.map((name) => (
        <span key={name} class="tag">
          service <bdi>{name}</bdi>
        </span>
      ))}
      {nodes.map(({ node }) => (
        <span key={node} class="tag">
          node <bdi>{node}</bdi>
        </span>
      ))}
      {isNone && <span class="muted">nothing</span>}
    </span>
  );
}

/** Boxes and fields to choose rights. @param hasRoles Whether roles may be among them. */
export function RightsFields(
  { access, rights, onChange, hasRoles }: {
    readonly access: Access;
    readonly rights: Rights;
    readonly onChange: (rights: Rights) => void;
    readonly hasRoles: boolean;
  },
): JSX.Element {
  const toggled = (list: readonly Link[], one: Link) =>
    list.some(({ id }) => id === one.id) ? list.filter(({ id }) => id !== one.id) : [...list, one];
  return (
    <>
      <Boxes
        title="Policies"
        all={access.policies}
        chosen={rights.policies}
        onToggle={(one) => onChange({ ...rights, policies: toggled(rights.policies, one) })}
      />
      {hasRoles && access.roles.length > 0 && (
        <Boxes
          title="Roles"
          all={access.roles}
          chosen={rights.roles}
          onToggle={(one) => onChange({ ...rights, roles: toggled(rights.roles, one) })}
        />
      )}
      <label>
        Services whose instances it may register, with commas between
        <input
          value={rights.services.join(", ")}
          onChange={(event) => onChange({ ...rights, services: namesIn(event.currentTarget.value) })}
        />
      </label>
    </>
  );
}

function namesIn(text: string): readonly string[] {
  return text.split(",").map((one) => one.trim()).filter((one) => one !== "");
}

function Boxes(
  { title, all, chosen, onToggle }: {
    readonly title: string;
    readonly all: readonly Link[];
    readonly chosen: readonly Link[];
    readonly onToggle: (one: Link) => void;
  },
): JSX.Element {
  return (
    <fieldset class="boxes">
      <legend>{title}</legend>
      {all.map((one) => (
        <label key={one.id}>
          <input type="checkbox" checked={chosen.some(({ id }) => id === one.id)} onChange={() => onToggle(one)} />
          <bdi>{one.name}</bdi>
        </label>
      ))}
    </fieldset>
  );
}
