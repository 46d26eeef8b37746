/**
 * The commands `acl bootstrap`, `acl token`, `acl policy`, `acl role` and `acl set-agent-token`, with Consul's flags and output.
 * @module
 */
import { type Fields, fieldsOf, LINK_FLAGS, linksIn, ROLE_FLAGS } from "../client/acl_links.ts";
import { AgentApi, list, SERVER_FLAGS, serverQuery, text } from "../client/agent_api.ts";
import { type AclKind, formatted } from "../client/acl_format.ts";
import { boolFlag, type Call, type Command, CommandError, textFlag, textsFlag, told } from "../client/command.ts";
import type { Flags, FlagSpec } from "../config/flags.ts";
import { messageOf } from "../../base/codec/error_text.ts";

const FORMAT_FLAGS: readonly FlagSpec[] = [
  textFlag("format", "pretty or json", "pretty"),
  boolFlag("meta", "Show the hash and the indices, too"),
];
const ACCESSOR_FLAGS: readonly FlagSpec[] = [
  textFlag("accessor-id", "AccessorID of the token; its beginning is enough"),
  textFlag("id", "The same, as in older versions"),
];

/** Prints a thing, or a list. */
function print(kind: AclKind, value: unknown, flags: Flags): number {
  const format = flags.string("format");
  if (format !== "pretty" && format !== "json") throw new CommandError(`Unknown format: ${format}`);
  console.log(formatted(kind, value, { isJson: format === "json", hasMeta: flags.bool("meta") }).replace(/\n$/, ""));
  return 0;
}

/** The whole id of what begins so. */
async function wholeId(api: AgentApi, kind: AclKind, given: string): Promise<string> {
  if (given.length === 36) return given;
  const [path, field] = kind === "token"
    ? ["tokens", "AccessorID"]
    : kind === "policy"
    ? ["policies", "ID"]
    : ["roles", "ID"];
  const all = list(await told(`Error determining ${kind} ID`, () => api.get(`/v1/acl/${path}`)));
  const found = all.map((one) => text(one, field)).filter((id) => given !== "" && id.startsWith(given));
  if (found.length === 1) return found[0];
  throw new CommandError(
    `Error determining ${kind} ID: ${found.length === 0 ? "no" : "more than one"} ${kind} has an ID that begins with ${
      JSON.stringify(given)
    }`,
  );
}

/** The token that the flags name. */
async function accessorIn({ flags, api }: Pick<Call, "flags" | "api">): Promise<string> {
  const given = flags.string("accessor-id") || flags.string("id");
  if (given === "") throw new CommandError("Must specify the -accessor-id parameter");
  return await wholeId(api(), "token", given);
}

/** Text of a flag: itself, `@FILE`, or `-` for standard input. */
async function textIn(value: string): Promise<string> {
  try {
    if (value === "-") return await new Response(Deno.stdin.readable).text();
    return value.startsWith("@") ? await Deno.readTextFile(value.slice(1)) : value;
  } catch (error) {
    throw new CommandError(`Error loading data source: ${messageOf(error)}`);
  }
}

const bootstrap: Command = {
  name: "acl bootstrap",
  summary: "make the first token of a cluster, which may do everything",
  usage:
    "[flags] [FILE]\n\nFILE, or - for standard input, has the secret of the token: a UUID. Without it one is made.",
  flags: FORMAT_FLAGS,
  async run({ flags, args: [file], api }: Call) {
    const secret = file === undefined ? "" : (await textIn(file === "-" ? "-" : `@${file}`)).trim();
    const body = secret === "" ? undefined : JSON.stringify({ BootstrapSecret: secret });
    const token = await told("Failed ACL bootstrapping", () => api().json("PUT", "/v1/acl/bootstrap", body));
    return print("token", token, flags);
  },
};

const tokenCreate: Command = {
  name: "acl token create",
  summary: "make a token",
  usage: "[flags]\n\nExamples:\n  muster acl token create -description web -service-identity web\n" +
    "  muster acl token create -policy-name operators -expires-ttl 12h",
  flags: [
    ...LINK_FLAGS,
    ...ROLE_FLAGS,
    boolFlag("local", "Kept and shown: every token is of its datacenter alone"),
    textFlag("expires-ttl", "Time after which the token ends, from 1m to 24h, such as 12h; empty: never"),
    textFlag("accessor", "AccessorID, a UUID; empty: one that is made"),
    textFlag("secret", "SecretID, a UUID; empty: one that is made"),
    ...FORMAT_FLAGS,
  ],
  async run({ flags, api }: Call) {
    const token = {
      Description: flags.string("description"),
      ...linksIn(flags),
      Local: flags.bool("local"),
      ...given(flags, { AccessorID: "accessor", SecretID: "secret", ExpirationTTL: "expires-ttl" }),
    };
    const made = await told("Failed to create new token", () => put(api(), "/v1/acl/token", token));
    return print("token", made, flags);
  },
};

/** Fields of the flags that are not empty. */
function given(flags: Flags, names: Readonly<Record<string, string>>): Fields {
  return Object.fromEntries(
    Object.entries(names).map(([field, flag]) => [field, flags.string(flag)]).filter(([, value]) => value !== ""),
  );
}

async function put(api: AgentApi, path: string, body: unknown): Promise<unknown> {
  return await api.json("PUT", path, JSON.stringify(body));
}

const tokenRead: Command = {
  name: "acl token read",
  summary: "show a token",
  usage: "[flags]",
  flags: [boolFlag("self", "The token that is sent with the request"), ...ACCESSOR_FLAGS, ...FORMAT_FLAGS],
  async run({ flags, api }: Call) {
    const id = flags.bool("self") ? "self" : await accessorIn({ flags, api });
    return print("token", await told("Error reading token", () => api().get(`/v1/acl/token/${id}`)), flags);
  },
};

const tokenList: Command = {
  name: "acl token list",
  summary: "list tokens",
  usage: "[flags]",
  flags: FORMAT_FLAGS,
  async run({ flags, api }: Call) {
    return print("token", await told("Failed to retrieve the token list", () => api().get("/v1/acl/tokens")), flags);
  },
};

const APPENDED = ["policy-id", "policy-name", "role-id", "role-name", "service-identity", "node-identity"];
const LISTS = ["Policies", "Roles", "ServiceIdentities", "NodeIdentities"];
const MERGES = ["merge-policies", "merge-roles", "merge-service-identities", "merge-node-identities"];

const tokenUpdate: Command = {
  name: "acl token update",
  summary: "change a token",
  usage: "[flags]\n\nWhat a flag names takes the place of what the token has of its kind; what none names stays. " +
    "-append- adds to it.\n\nExample:\n  muster acl token update -accessor-id 5b… -append-policy-name operators",
  flags: [
    ...ACCESSOR_FLAGS,
    ...LINK_FLAGS,
    ...ROLE_FLAGS,
    ...APPENDED.map((name) => textsFlag(`append-${name}`, `Adds to what the token has: see -${name}`)),
    ...MERGES.map((name) => boolFlag(name, `Adds to the ${name.slice(6).replaceAll("-", " ")} that the token has`)),
    ...FORMAT_FLAGS,
  ],
  async run({ flags, api }: Call) {
    const id = await accessorIn({ flags, api });
    const before = fieldsOf(await told("Error when retrieving current token", () => api().get(`/v1/acl/token/${id}`)));
    const [taken, added] = [linksIn(flags), linksIn(flags, { prefix: "append-" })];
    const links = LISTS.map((name, at) => {
      const [own, named, more] = [before, taken, added].map((one) => list(one[name]));
      return [name, [...(named.length === 0 || flags.bool(MERGES[at]) ? own : []), ...named, ...more]];
    });
    const token = {
      ...before,
      ...(flags.has("description") ? { Description: flags.string("description") } : {}),
      ...Object.fromEntries(links),
    };
    const changed = await told(`Failed to update token ${id}`, () => put(api(), `/v1/acl/token/${id}`, token));
    return print("token", changed, flags);
  },
};

const tokenDelete: Command = {
  name: "acl token delete",
  summary: "delete a token, which counts no more from then on",
  usage: "[flags]",
  flags: ACCESSOR_FLAGS,
  async run({ flags, api }: Call) {
    const id = await accessorIn({ flags, api });
    await told(`Error deleting token "${id}"`, () => api().send("DELETE", `/v1/acl/token/${id}`));
    console.log(`Token "${id}" deleted successfully`);
    return 0;
  },
};

const tokenClone: Command = {
  name: "acl token clone",
  summary: "make a token with the rights of another one",
  usage: "[flags]",
  flags: [...ACCESSOR_FLAGS, textFlag("description", "Description; empty: that of the other token"), ...FORMAT_FLAGS],
  async run({ flags, api }: Call) {
    const id = await accessorIn({ flags, api });
    const body = given(flags, { Description: "description" });
    return print(
      "token",
      await told("Error cloning token", () => put(api(), `/v1/acl/token/${id}/clone`, body)),
      flags,
    );
  },
};

const NAME_FLAGS = (kind: string): readonly FlagSpec[] => [
  textFlag("id", `ID of the ${kind}; its beginning is enough`),
  textFlag("name", `Name of the ${kind}`),
];

/** The thing that `-id` or `-name` names. */
async function named(
  kind: "policy" | "role",
  { flags, api }: Pick<Call, "flags" | "api">,
  byName = "name",
): Promise<Fields> {
  const [id, name] = [flags.string("id"), flags.string(byName)];
  if (id === "" && name === "") throw new CommandError("Must specify either the -id or -name parameters");
  const path = id === "" ? `name/${encodeURIComponent(name)}` : await wholeId(api(), kind, id);
  return fieldsOf(
    await told(`Error reading ${kind} ${JSON.stringify(id || name)}`, () => api().get(`/v1/acl/${kind}/${path}`)),
  );
}

const POLICY_FLAGS: readonly FlagSpec[] = [
  textFlag("description", "Description"),
  textFlag("rules", "Rules of HCL or JSON; @FILE reads a file, - standard input"),
  textsFlag("valid-datacenter", "Datacenter in which the policy holds; may be given several times"),
];

const policyCreate: Command = {
  name: "acl policy create",
  summary: "make a policy",
  usage: `[flags]\n\nExample:\n  muster acl policy create -name app -rules 'key_prefix "app/" { policy = "write" }'`,
  flags: [textFlag("name", "Name"), ...POLICY_FLAGS, ...FORMAT_FLAGS],
  async run({ flags, api }: Call) {
    if (flags.string("name") === "") throw new CommandError("Missing require '-name' flag");
    const policy = {
      Name: flags.string("name"),
      Description: flags.string("description"),
      Rules: await textIn(flags.string("rules")),
      Datacenters: flags.all("valid-datacenter"),
    };
    return print(
      "policy",
      await told("Failed to create new policy", () => put(api(), "/v1/acl/policy", policy)),
      flags,
    );
  },
};

const policyUpdate: Command = {
  name: "acl policy update",
  summary: "change a policy",
  usage: "[flags]\n\nWhat no flag names stays, unless -no-merge is given.",
  flags: [
    ...NAME_FLAGS("policy"),
    ...POLICY_FLAGS,
    boolFlag("no-merge", "What no flag names becomes empty"),
    ...FORMAT_FLAGS,
  ],
  async run({ flags, api }: Call) {
    const before = await named("policy", { flags, api });
    const isKept = (flag: string) => !flags.has(flag) && !flags.bool("no-merge");
    const policy = {
      ID: before.ID,
      Name: flags.string("id") !== "" && flags.string("name") !== "" ? flags.string("name") : before.Name,
      Description: isKept("description") ? before.Description : flags.string("description"),
      Rules: isKept("rules") ? before.Rules : await textIn(flags.string("rules")),
      Datacenters: isKept("valid-datacenter") ? list(before.Datacenters) : flags.all("valid-datacenter"),
    };
    const path = `/v1/acl/policy/${before.ID}`;
    return print("policy", await told("Error updating policy", () => put(api(), path, policy)), flags);
  },
};

const ROLE_LINKS = LISTS.filter((name) => name !== "Roles");

const roleCreate: Command = {
  name: "acl role create",
  summary: "make a role: policies and identities for several tokens",
  usage: "[flags]\n\nExample:\n  muster acl role create -name web -policy-name app -service-identity web",
  flags: [textFlag("name", "Name"), ...LINK_FLAGS, ...FORMAT_FLAGS],
  async run({ flags, api }: Call) {
    if (flags.string("name") === "") throw new CommandError("Missing require '-name' flag");
    const role = {
      Name: flags.string("name"),
      Description: flags.string("description"),
      ...linksIn(flags, { hasRoles: false }),
    };
    return print("role", await told("Failed to create new role", () => put(api(), "/v1/acl/role", role)), flags);
  },
};

const roleUpdate: Command = {
  name: "acl role update",
  summary: "change a role",
  usage: "[flags]\n\nPolicies and identities are added to those that the role has, unless -no-merge is given.",
  flags: [
    ...NAME_FLAGS("role"),
    ...LINK_FLAGS,
    boolFlag("no-merge", "What the flags name takes the place of what the role has"),
    ...FORMAT_FLAGS,
  ],
  async run({ flags, api }: Call) {
    const before = await named("role", { flags, api });
    const isMerged = !flags.bool("no-merge");
    const taken = linksIn(flags, { hasRoles: false });
    const role = {
      ID: before.ID,
      Name: flags.string("id") !== "" && flags.string("name") !== "" ? flags.string("name") : before.Name,
      Description: flags.has("description") || !isMerged ? flags.string("description") : before.Description,
      ...Object.fromEntries(
        ROLE_LINKS.map((name) => [name, [...(isMerged ? list(before[name]) : []), ...list(taken[name])]]),
      ),
    };
    const path = `/v1/acl/role/${before.ID}`;
    return print("role", await told("Error updating role", () => put(api(), path, role)), flags);
  },
};

/** `read`, `list` and `delete` of policies and roles. */
function common(kind: "policy" | "role"): Command[] {
  const all = kind === "policy" ? "policies" : "roles";
  const title = kind === "policy" ? "Policy" : "Role";
  return [
    {
      name: `acl ${kind} read`,
      summary: `show a ${kind}`,
      usage: "[flags]",
      flags: [...NAME_FLAGS(kind), ...FORMAT_FLAGS],
      run: async ({ flags, api }) => print(kind, await named(kind, { flags, api }), flags),
    },
    {
      name: `acl ${kind} list`,
      summary: `list ${all}`,
      usage: "[flags]",
      flags: FORMAT_FLAGS,
      async run({ flags, api }) {
        return print(kind, await told(`Failed to retrieve the ${kind} list`, () => api().get(`/v1/acl/${all}`)), flags);
      },
    },
    {
      name: `acl ${kind} delete`,
      summary: `delete a ${kind}`,
      usage: "[flags]",
      flags: NAME_FLAGS(kind),
      async run({ flags, api }) {
        const id = text(await named(kind, { flags, api }), "ID");
        await told(`Error deleting ${kind} "${id}"`, () => api().send("DELETE", `/v1/acl/${kind}/${id}`));
        console.log(`${title} "${id}" deleted successfully`);
        return 0;
      },
    },
  ];
}

const setAgentToken: Command = {
  name: "acl set-agent-token",
  summary: "give the agent a token for itself",
  usage: "[flags] default|agent|agent_recovery|config_file_service_registration|dns|replication TOKEN\n\n" +
    "Example:\n  muster acl set-agent-token agent 5b5ebc57-…",
  flags: [],
  async run({ args, api }: Call) {
    const [name, token] = args;
    if (args.length !== 2) {
      throw new CommandError(`Expected a token's name and its secret: ${args.length} arguments were given`);
    }
    const given = name === "recovery" ? "agent_recovery" : name;
    await told(
      `Failed to set ACL token "${name}"`,
      () => api().send("PUT", `/v1/agent/token/${encodeURIComponent(given)}`, JSON.stringify({ Token: token })),
    );
    console.log(`ACL token "${name}" set successfully`);
    return 0;
  },
};

/** A command that asks the datacenter that its flags name. */
function ofDatacenter(command: Command): Command {
  return {
    ...command,
    flags: [...command.flags, ...SERVER_FLAGS],
    async run(call) {
      const api = new AgentApi(call.flags, { query: serverQuery(call.flags) });
      return await command.run({ ...call, api: () => api });
    },
  };
}

/** Commands about access control. */
export const ACL_COMMANDS: readonly Command[] = [
  ...[
    bootstrap,
    tokenCreate,
    tokenRead,
    tokenList,
    tokenUpdate,
    tokenDelete,
    tokenClone,
    policyCreate,
    policyUpdate,
    ...common("policy"),
    roleCreate,
    roleUpdate,
    ...common("role"),
  ].map(ofDatacenter),
  setAgentToken, // of the agent that is asked
];
