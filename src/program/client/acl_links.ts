/**
 * What tokens, roles and users of access control are linked to, as flags say it and as the API takes it.
 * @module
 */
import { CommandError, textFlag, textsFlag } from "./command.ts";
import type { Flags, FlagSpec } from "../config/flags.ts";

/** Policies and identities. */
export const LINK_FLAGS: readonly FlagSpec[] = [
  textFlag("description", "Description"),
  textsFlag("policy-id", "ID of a policy; may be given several times"),
  textsFlag("policy-name", "Name of a policy; may be given several times"),
  textsFlag("service-identity", "NAME, or NAME:DATACENTER,DATACENTER: the rights of an instance of this service"),
  textsFlag("node-identity", "NAME:DATACENTER: the rights of the agent of this node"),
];
/** Roles. */
export const ROLE_FLAGS: readonly FlagSpec[] = [
  textsFlag("role-id", "ID of a role; may be given several times"),
  textsFlag("role-name", "Name of a role; may be given several times"),
];
/** An object of the API. */
export type Fields = Record<string, unknown>;

/** Its fields; none where it is no object. */
export function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

/** What the flags link to, by the fields of the API. */
export function linksIn(flags: Flags, { prefix = "", hasRoles = true } = {}): Fields {
  const both = (name: string) => [
    ...flags.all(`${prefix}${name}-id`).map((ID) => ({ ID })),
    ...flags.all(`${prefix}${name}-name`).map((Name) => ({ Name })),
  ];
  return {
    Policies: both("policy"),
    ...(hasRoles ? { Roles: both("role") } : {}),
    ServiceIdentities: flags.all(`${prefix}service-identity`).map((one) => {
      const [ServiceName, datacenters = ""] = one.split(":");
      return { ServiceName, ...(datacenters === "" ? {} : { Datacenters: datacenters.split(",") }) };
    }),
    NodeIdentities: flags.all(`${prefix}node-identity`).map((one) => {
      const [NodeName, Datacenter = ""] = one.split(":");
      if (Datacenter === "") {
        throw new CommandError(`Malformed -node-identity argument: ${JSON.stringify(one)}: expected NAME:DATACENTER`);
      }
      return { NodeName, Datacenter };
    }),
  };
}
