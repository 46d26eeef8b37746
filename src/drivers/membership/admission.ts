/**
 * Admission to the pool by tags: the rules that Consul has for its pools (G5.13, C9.5).
 * @module
 */
import type { Admission } from "../../core/serf/state.ts";
import type { AdmissionPolicy } from "./api.ts";

/** Consul's words for some tags. */
const TAG_WORDS: Readonly<Record<string, string>> = { dc: "datacenter", id: "node ID" };

/** The policy as the core asks it. */
export function admissionOf(policy: AdmissionPolicy): Admission {
  const word = (tag: string) => TAG_WORDS[tag] ?? tag;
  return {
    refuse({ name, tags }, own, members) {
      for (const tag of policy.sameTags ?? []) {
        const value = tags.get(tag) ?? "";
        if (value !== (own.get(tag) ?? "")) return `Member '${name}' part of wrong ${word(tag)} '${value}'`;
      }
      for (const [tag, value] of Object.entries(policy.requiredTags ?? {})) {
        if (tags.get(tag) === value) continue;
        if (tag === "role" && value === "consul") return `Member '${name}' is not a server`;
        return `Member '${name}' has ${tag} '${tags.get(tag) ?? ""}', not '${value}'`;
      }
      const { uniqueTag } = policy;
      const value = uniqueTag === undefined ? undefined : tags.get(uniqueTag);
      if (uniqueTag === undefined || value === undefined || value === "") return undefined;
      const conflict = `Member '${name}' has conflicting ${word(uniqueTag)} '${value}'`;
      if (own.get(uniqueTag) === value) return `${conflict} with this agent's ID`;
      for (const member of members) {
        const isHere = member.status === "alive" || member.status === "leaving";
        if (isHere && member.name !== name && member.tags.get(uniqueTag) === value) {
          return `${conflict} with member '${member.name}'`;
        }
      }
      return undefined;
    },
    isSame(one, other) {
      const { uniqueTag } = policy;
      const value = uniqueTag === undefined ? undefined : one.get(uniqueTag);
      return uniqueTag !== undefined && value !== undefined && value !== "" && other.get(uniqueTag) === value;
    },
  };
}
