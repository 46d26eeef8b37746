/**
 * The settings of access control (`acl` in the configuration of an agent), and the tokens that an agent uses for itself.
 * @module
 */
import type { DefaultPolicy } from "../../core/acl/authorizer.ts";

/** What a client agent does while no server tells what a token may do. */
export type DownPolicy = "extend-cache" | "async-cache" | "allow" | "deny";

/** All of them. */
export const DOWN_POLICIES: readonly DownPolicy[] = ["extend-cache", "async-cache", "allow", "deny"];

/** Name of a token of an agent, as Consul has them. */
export type AgentTokenName =
  | "default"
  | "agent"
  | "agent_recovery"
  | "config_file_service_registration"
  | "dns"
  | "replication";

/** All of them. */
export const AGENT_TOKENS: readonly AgentTokenName[] = [
  "default",
  "agent",
  "agent_recovery",
  "config_file_service_registration",
  "dns",
  "replication",
];

/** Settings of access control; absent where it is off. */
export interface AclSettings {
  /** What holds where no rule does. @default {"allow"} */
  readonly defaultPolicy: DefaultPolicy;
  /** What holds while no server answers. @default {"extend-cache"} */
  readonly downPolicy: DownPolicy;
  /** How long a client agent believes what a server told it of a token. @default {30000} */
  readonly tokenTtlMs: number;
  /** Whether a list of keys needs `list` on its prefix, and not only what may be read is in it. */
  readonly listsKeys: boolean;
  /** Whether tokens that are set by a request stay over a restart. */
  readonly keepsTokens: boolean;
  /** Secret of a token that the leader makes with all rights; empty for none. */
  readonly initialManagement: string;
  /** Secrets of the agent's own tokens. */
  readonly tokens: Readonly<Partial<Record<AgentTokenName, string>>>;
}

/** The tokens that an agent uses now. */
export class AgentTokens {
  /** Called when one has changed. */
  onChange: (name: AgentTokenName) => void = () => {};
  readonly #tokens: Map<AgentTokenName, string>;

  constructor(tokens: AclSettings["tokens"] = {}) {
    this.#tokens = new Map(AGENT_TOKENS.map((name) => [name, tokens[name] ?? ""]));
  }

  /** A secret; empty for none. */
  of(name: AgentTokenName): string {
    return this.#tokens.get(name) ?? "";
  }

  /** Takes another one into use. */
  set(name: AgentTokenName, secret: string): void {
    if (this.of(name) === secret) return;
    this.#tokens.set(name, secret);
    this.onChange(name);
  }

  /** Takes others into use, from a file; what that does not name stays. */
  take(tokens: AclSettings["tokens"]): void {
    for (const name of AGENT_TOKENS) this.set(name, tokens[name] ?? this.of(name));
  }

  /** For requests that show none. */
  get forRequests(): string {
    return this.of("default");
  }

  /** For what the agent says of itself. */
  get forAgent(): string {
    return this.of("agent") || this.of("default");
  }

  /** For the answers of the name server. */
  get forNames(): string {
    return this.of("dns") || this.of("default");
  }

  /** All of them that are set. */
  get all(): Partial<Record<AgentTokenName, string>> {
    return Object.fromEntries([...this.#tokens].filter(([, secret]) => secret !== ""));
  }
}

/** The name that is meant: the present ones of Consul, and those of before. */
export function agentTokenName(given: string): AgentTokenName | undefined {
  const names: Readonly<Record<string, AgentTokenName>> = {
    acl_token: "default",
    acl_agent_token: "agent",
    acl_agent_master_token: "agent_recovery",
    agent_master: "agent_recovery",
    recovery: "agent_recovery",
    acl_replication_token: "replication",
  };
  return AGENT_TOKENS.find((name) => name === given) ?? (Object.hasOwn(names, given) ? names[given] : undefined);
}
