/**
 * Reads the rules of a policy, HCL or JSON, as Consul has them:
 *
 *     key_prefix "app/" { policy = "write" }
 *     service "web" { policy = "write", intentions = "read" }
 *     operator = "read"
 *
 * Consul passes over what it does not know; here it is an error, since a policy with a mistyped resource would allow or
 * deny something else than was meant. Pure.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import { parseHclOrJson } from "../../base/codec/hcl.ts";
import { type Access, ACCESSES, NAMED_RESOURCES, PLAIN_RESOURCES, type Resource } from "./resource.ts";

/** What a rule says of a resource. */
export interface Rule {
  readonly resource: Resource;
  /** Of the resource; empty for one without names. */
  readonly name: string;
  /** Whether it is for all names that begin so. */
  readonly isPrefix: boolean;
  readonly access: Access;
}

/** A text that is no rules; the message says what was expected. */
export class RulesError extends Error {
  /** Always `RulesError`. */
  override readonly name = "RulesError";
}

/** Characters of the rules of a policy. */
export const RULES_CHARS_MAX = 64 * 1024;
const RULES_MAX = 4096;
/** Fields of a rule beside its policy; those of the mesh and of Enterprise have no effect. */
const OTHER_FIELDS: Readonly<Record<string, readonly string[]>> = { service: ["intentions"] };
const ENTERPRISE = ["namespace", "namespace_prefix", "partition", "partition_prefix", "sentinel"];
const NOT_HERE = ["identity", "identity_prefix"];

/**
 * The rules of a text.
 * @throws {RulesError} When it is none.
 */
export function parseRules(text: string): Rule[] {
  if (text.length > RULES_CHARS_MAX) fail(`they are longer than ${RULES_CHARS_MAX} characters`);
  let parsed: unknown;
  try {
    parsed = text.trim() === "" ? {} : parseHclOrJson(text);
  } catch (error) {
    fail(messageOf(error));
  }
  if (!isObject(parsed)) fail("expected rules by their resources");
  const rules = Object.entries(parsed).flatMap(([key, value]) => rulesOf(key, value));
  if (rules.length > RULES_MAX) fail(`there are more than ${RULES_MAX} rules`);
  return rules;
}

function fail(why: string): never {
  throw new RulesError(`Failed to parse ACL rules: ${why}`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function rulesOf(key: string, value: unknown): Rule[] {
  const plain = PLAIN_RESOURCES.find((one) => one === key);
  if (plain) return [{ resource: plain, name: "", isPrefix: false, access: plainAccess(plain, value) }];
  const isPrefix = key.endsWith("_prefix");
  const resource = NAMED_RESOURCES.find((one) => one === key.replace(/_prefix$/, ""));
  if (!resource) fail(unknownText(key));
  return (Array.isArray(value) ? value : [value]).flatMap((block) => {
    if (!isObject(block)) fail(`expected a name and a block after ${key}: ${key} "NAME" { policy = "read" }`);
    return Object.entries(block).map(([name, body]) => ({
      resource,
      name,
      isPrefix,
      access: accessIn(key, name, body),
    }));
  });
}

function unknownText(key: string): string {
  if (ENTERPRISE.includes(key)) return `${key} belongs to Consul Enterprise, and is not supported`;
  if (NOT_HERE.includes(key)) return `${key} is not supported`;
  const known = [...PLAIN_RESOURCES, ...NAMED_RESOURCES.flatMap((one) => [one, `${one}_prefix`])].sort();
  return `unknown resource ${JSON.stringify(key)}: expected one of ${known.join(", ")}`;
}

function plainAccess(resource: Resource, value: unknown): Access {
  // As in a block: acl { policy = "read" } is not Consul's, which has a text.
  const access = ACCESSES.find((one) => one === value && one !== "list");
  return access ?? fail(`Invalid ${resource} policy: expected "read", "write" or "deny"`);
}

/** The access that a block grants, which several blocks of one name may share. */
function accessIn(key: string, name: string, body: unknown): Access {
  const block = Array.isArray(body) && body.length === 1 ? body[0] : body;
  const where = `Invalid ${key} policy: ${JSON.stringify(name)}`;
  if (!isObject(block)) fail(`${where}: expected { policy = "read" }`);
  const resource = key.replace(/_prefix$/, "");
  for (const field of Object.keys(block)) {
    if (field === "policy" || OTHER_FIELDS[resource]?.includes(field)) continue;
    fail(
      `${where}: ${ENTERPRISE.includes(field) ? `${field} belongs to Consul Enterprise` : `unknown field ${field}`}`,
    );
  }
  const { policy, intentions } = block;
  const levels = ACCESSES.filter((one) => one !== "list" || resource === "key");
  if (intentions !== undefined && !levels.some((one) => one === intentions)) fail(`${where}: invalid intentions`);
  const access = levels.find((one) => one === policy);
  return access ?? fail(`${where}: expected policy to be one of ${levels.join(", ")}`);
}
