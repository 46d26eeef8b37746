/**
 * The settings of access control (`acl { … }`), with Consul's names, those from before version 1.4 among them.
 * @module
 */
import { type AclSettings, AGENT_TOKENS, DOWN_POLICIES } from "../../app/acl/settings.ts";
import { UsageError } from "./flags.ts";
import { type Settings, SettingsError } from "./settings.ts";

const TOKEN_TTL_MS = 30_000;

/** The settings; undefined where access control is off. @throws {SettingsError} With Consul's words where it has some. */
export function aclSettings(settings: Settings): AclSettings | undefined {
  const defaultPolicy = settings.text("acl.default_policy", "allow");
  const downPolicy = DOWN_POLICIES.find((one) => one === settings.text("acl.down_policy", "extend-cache"));
  if (defaultPolicy !== "allow" && defaultPolicy !== "deny") {
    throw new SettingsError(`Unsupported acl.default_policy: "${defaultPolicy}": expected allow or deny`);
  }
  if (!downPolicy) {
    throw new SettingsError(
      `Unsupported acl.down_policy: "${settings.text("acl.down_policy")}": expected ${DOWN_POLICIES.join(", ")}`,
    );
  }
  const tokenTtlMs = settings.durationMs("acl.token_ttl", TOKEN_TTL_MS);
  if (tokenTtlMs < 0) throw new SettingsError("acl.token_ttl cannot be negative");
  if (!settings.flag("acl.enabled", false)) return undefined;
  const given = AGENT_TOKENS.map((name) => [name, tokenOf(settings, name)] as const);
  return {
    defaultPolicy,
    downPolicy,
    tokenTtlMs,
    listsKeys: settings.flag("acl.enable_key_list_policy", false),
    keepsTokens: settings.flag("acl.enable_token_persistence", false),
    initialManagement: settings.text("acl.tokens.initial_management") || settings.text("acl.tokens.master"),
    tokens: Object.fromEntries(given.filter(([, secret]) => secret !== "")),
  };
}

/** The settings of a node of `muster serve`, whose cluster has agents. @throws {UsageError} When it is no policy. */
export function serveAcl(defaultPolicy: string): AclSettings | undefined {
  if (defaultPolicy === "") return undefined;
  if (defaultPolicy !== "allow" && defaultPolicy !== "deny") {
    throw new UsageError(
      `-acl-default-policy must be allow or deny: current value is ${JSON.stringify(defaultPolicy)}`,
    );
  }
  const plain = { listsKeys: false, keepsTokens: false, initialManagement: "", tokens: {} };
  return { defaultPolicy, downPolicy: "extend-cache", tokenTtlMs: TOKEN_TTL_MS, ...plain };
}

function tokenOf(settings: Settings, name: string): string {
  const own = settings.text(`acl.tokens.${name}`);
  return own === "" && name === "agent_recovery" ? settings.text("acl.tokens.agent_master") : own;
}
