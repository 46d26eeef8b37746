/**
 * `muster rendezvous`, a rendezvous of one process, and `rendezvous token create`, `list` and `revoke`, which an agent of the
 * servers behind it carries out (docs/rendezvous.md).
 * @module
 */
import { isInfrastructure } from "../../core/rendezvous/announcement.ts";
import { change, kvPath, readEntries } from "../client/kv_entries.ts";
import { SERVER_FLAGS, serverQuery } from "../client/agent_api.ts";
import { UsageError } from "../config/flags.ts";
import { sha256, TOKENS_PREFIX } from "../rendezvous/registry.ts";
import type { Call, Command } from "../client/command.ts";
import { CommandError } from "../client/command.ts";

const TOKEN_BYTES = 32;
/** Characters of a token's sum that `list` shows and `revoke` takes. */
const ID_CHARACTERS = 12;
/** Flags of `muster agent` for a rendezvous of one process: a server that meets nobody itself. Others may follow. */
export const RENDEZVOUS_FLAGS = [
  "-server",
  "-bootstrap-expect=1",
  "-rendezvous",
  "-bind=127.0.0.1",
  "-node=rendezvous",
  "-dns-port=-1",
];

/** Help of the command. */
export const RENDEZVOUS_HELP = `muster rendezvous: help agents find each other that know nothing but a URL and a token

Agents that are started with -atlas=USER/NAME, -atlas-join, -atlas-endpoint=URL and the token in ATLAS_TOKEN announce
themselves here, learn each other's addresses and form a pool. It is a server agent (muster agent -server -rendezvous) with
other defaults, and takes the same flags; a cluster of servers with -rendezvous is a rendezvous that survives one of them.

Usage: muster rendezvous -data-dir DIR [flags of muster agent]
       muster rendezvous token create|list|revoke

Examples:
  muster rendezvous -data-dir=/var/lib/muster -rendezvous-cert-file=cert.pem -rendezvous-key-file=key.pem
  muster rendezvous token create acme/production
  ATLAS_TOKEN=... muster agent -atlas-join -atlas=acme/production -atlas-endpoint=https://meet.example.com:8504 \\
    -data-dir=data
`;

const create: Command = {
  name: "rendezvous token create",
  summary: "make a token for an infrastructure, and print it once",
  usage: "[flags] USER/NAME\n\nThe token itself is kept nowhere.",
  flags: SERVER_FLAGS,
  async run({ flags, args, api }: Call) {
    const infrastructure = infrastructureIn(args);
    const token = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES)).toBase64({
      alphabet: "base64url",
      omitPadding: true,
    });
    const key = `${TOKENS_PREFIX}${infrastructure}/${await sha256(token)}`;
    const body = JSON.stringify({ created: new Date().toISOString() });
    if (!await change(api(), "PUT", kvPath(key) + serverQuery(flags), { body })) {
      throw new CommandError("the token could not be written");
    }
    console.log(token);
    return 0;
  },
};

const show: Command = {
  name: "rendezvous token list",
  summary: "list the tokens of an infrastructure, or of all",
  usage: "[flags] [USER/NAME]",
  flags: SERVER_FLAGS,
  async run({ flags, args, api }: Call) {
    const of = args.length === 0 ? "" : `${infrastructureIn(args)}/`;
    const { entries } = await readEntries(api(), `${kvPath(TOKENS_PREFIX + of)}?recurse${more(serverQuery(flags))}`);
    for (const { key, value } of entries) {
      const [user, name, sum] = key.slice(TOKENS_PREFIX.length).split("/");
      console.log(`${user}/${name}  ${sum.slice(0, ID_CHARACTERS)}  ${createdIn(value)}`);
    }
    return 0;
  },
};

const revoke: Command = {
  name: "rendezvous token revoke",
  summary: "take a token back, by what list shows of it",
  usage: "[flags] USER/NAME ID",
  flags: SERVER_FLAGS,
  async run({ flags, args, api }: Call) {
    const infrastructure = infrastructureIn(args.slice(0, 1));
    const [, id = ""] = args;
    if (args.length !== 2 || !/^[0-9a-f]{8,64}$/.test(id)) {
      throw new UsageError("expected USER/NAME and the ID that muster rendezvous token list shows");
    }
    const prefix = `${TOKENS_PREFIX}${infrastructure}/${id}`;
    const query = serverQuery(flags);
    const { entries } = await readEntries(api(), `${kvPath(prefix)}?recurse${more(query)}`);
    if (entries.length !== 1) throw new CommandError(`${entries.length} tokens of ${infrastructure} begin with ${id}`);
    await change(api(), "DELETE", kvPath(entries[0].key) + query);
    console.log(`Revoked a token of ${infrastructure}`);
    return 0;
  },
};

/** Parameters that follow another one. */
function more(query: string): string {
  return query.replace("?", "&");
}

function infrastructureIn(args: readonly string[]): string {
  const [infrastructure = ""] = args;
  if (args.length === 1 && isInfrastructure(infrastructure)) return infrastructure;
  throw new UsageError(`expected an infrastructure, USER/NAME, of letters, digits, ".", "_" and "-"`);
}

function createdIn(value: Uint8Array): string {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(value));
    if (typeof parsed === "object" && parsed !== null && "created" in parsed) return String(parsed.created);
  } catch {
    // written by somebody else
  }
  return "-";
}

/** The commands about tokens. */
export const RENDEZVOUS_COMMANDS: readonly Command[] = [create, show, revoke];
