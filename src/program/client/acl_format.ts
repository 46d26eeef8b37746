/**
 * Tokens, policies and roles as the commands print them: Consul's words and columns, or JSON. Pure.
 * @module
 */
import { fieldOf, list, text } from "./agent_api.ts";

/** How something is printed. */
export interface Format {
  readonly isJson: boolean;
  /** Whether the hash and the indices are shown. */
  readonly hasMeta: boolean;
}

/** What is printed, by what it is. */
export type AclKind = "token" | "policy" | "role";

/** One, or a list. */
export function formatted(kind: AclKind, value: unknown, { isJson, hasMeta }: Format): string {
  if (isJson) return JSON.stringify(value, undefined, 4);
  if (kind === "token") {
    return Array.isArray(value) ? value.map((one) => tokenText(one, hasMeta)).join("\n") : tokenText(value, hasMeta);
  }
  if (Array.isArray(value)) return value.map((one) => entryText(kind, one, hasMeta)).join("");
  return kind === "policy" ? policyText(value, hasMeta) : roleText(value, hasMeta);
}

function lines(pairs: readonly (readonly [name: string, value: string])[], width: number, indent = ""): string {
  return pairs.map(([name, value]) => `${indent}${`${name}:`.padEnd(width)}${value}\n`).join("");
}

/** The hash and the indices. */
function meta(value: unknown, hasMeta: boolean): [string, string][] {
  if (!hasMeta) return [];
  const hash = text(value, "Hash");
  return [
    ["Hash", hash === "" ? "" : hexOf(hash)],
    ["Create Index", text(value, "CreateIndex")],
    ["Modify Index", text(value, "ModifyIndex")],
  ];
}

function hexOf(base64: string): string {
  try {
    return Uint8Array.fromBase64(base64).toHex();
  } catch {
    return base64;
  }
}

const TOKEN_WIDTH = 18;

function tokenText(value: unknown, hasMeta: boolean): string {
  const expires = text(value, "ExpirationTime");
  return lines([
    ["AccessorID", text(value, "AccessorID")],
    ["SecretID", text(value, "SecretID")],
    ["Description", text(value, "Description")],
    ["Local", text(value, "Local")],
    ["Create Time", text(value, "CreateTime")],
    ...(expires === "" ? [] : [["Expiration Time", expires] as const]),
    ...meta(value, hasMeta),
  ], TOKEN_WIDTH) + links(value);
}

const WIDTH = 14;

function policyText(value: unknown, hasMeta: boolean): string {
  return lines(heads(value, hasMeta, true), WIDTH) + `Rules:\n${text(value, "Rules")}`;
}

function heads(value: unknown, hasMeta: boolean, hasDatacenters: boolean, hasName = true): [string, string][] {
  return [
    ["ID", text(value, "ID")],
    ...(hasName ? [["Name", text(value, "Name")] satisfies [string, string]] : []),
    ["Description", text(value, "Description")],
    ...(hasDatacenters
      ? [["Datacenters", list(fieldOf(value, "Datacenters")).map(String).join(", ")] satisfies [string, string]]
      : []),
    ...meta(value, hasMeta),
  ];
}

function roleText(value: unknown, hasMeta: boolean): string {
  return lines(heads(value, hasMeta, false), WIDTH) + links(value);
}

/** In a list: the name first. */
function entryText(kind: "policy" | "role", value: unknown, hasMeta: boolean): string {
  const head = lines(heads(value, hasMeta, kind === "policy", false), WIDTH, "   ");
  return `${text(value, "Name")}:\n${head}${kind === "role" ? links(value, "   ") : ""}`;
}

function links(value: unknown, indent = ""): string {
  const group = (title: string, name: string, shown: (one: unknown) => string) => {
    const all = list(fieldOf(value, name));
    return all.length === 0 ? "" : `${indent}${title}:\n${all.map((one) => `${indent}   ${shown(one)}\n`).join("")}`;
  };
  const linked = (one: unknown) => `${text(one, "ID")} - ${text(one, "Name")}`;
  const datacenters = (one: unknown) => list(fieldOf(one, "Datacenters")).map(String).join(", ") || "all";
  return group("Policies", "Policies", linked) + group("Roles", "Roles", linked) +
    group(
      "Service Identities",
      "ServiceIdentities",
      (one) => `${text(one, "ServiceName")} (Datacenters: ${datacenters(one)})`,
    ) +
    group(
      "Node Identities",
      "NodeIdentities",
      (one) => `${text(one, "NodeName")} (Datacenter: ${text(one, "Datacenter")})`,
    );
}
