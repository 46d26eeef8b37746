/**
 * Policies that every cluster has, and those that stand behind the identities of services and nodes, as in Consul. Pure.
 * @module
 */
import { NAMED_RESOURCES, PLAIN_RESOURCES } from "./resource.ts";

/** A policy that cannot be changed. */
export interface BuiltinPolicy {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly rules: string;
}

const everything = (access: "read" | "write") =>
  [
    ...PLAIN_RESOURCES.map((resource) => `${resource} = "${access}"\n`),
    ...NAMED_RESOURCES.map((resource) => `${resource}_prefix "" {\n\tpolicy = "${access}"\n}\n`),
  ].join("");

/** The id of the policy of whoever manages the cluster. */
export const MANAGEMENT_ID = "00000000-0000-0000-0000-000000000001";

/** Policies that are always there. */
export const BUILTIN_POLICIES: readonly BuiltinPolicy[] = [
  {
    id: MANAGEMENT_ID,
    name: "global-management",
    description: "Builtin Policy that grants unlimited access",
    rules: everything("write"),
  },
  {
    id: "00000000-0000-0000-0000-000000000002",
    name: "builtin/global-read-only",
    description: "Builtin Policy that grants unlimited read access",
    rules: everything("read"),
  },
];

/** The rules of whoever is an instance of a service. */
export function serviceIdentityRules(name: string): string {
  const own = [name, `${name}-sidecar-proxy`].map((one) => `service ${JSON.stringify(one)} {\n\tpolicy = "write"\n}\n`);
  return `${own.join("")}service_prefix "" {\n\tpolicy = "read"\n}\nnode_prefix "" {\n\tpolicy = "read"\n}\n`;
}

/** The rules of an agent. */
export function nodeIdentityRules(name: string): string {
  return `node ${JSON.stringify(name)} {\n\tpolicy = "write"\n}\nservice_prefix "" {\n\tpolicy = "read"\n}\n`;
}

/** The rules of whoever recovers one agent while no server can be asked. */
export function recoveryRules(node: string): string {
  return `agent ${JSON.stringify(node)} {\n\tpolicy = "write"\n}\nnode_prefix "" {\n\tpolicy = "read"\n}\n`;
}
