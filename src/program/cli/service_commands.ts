/**
 * Commands about the services of the agent: `services register`, `services deregister` and `maint`, with Consul's words and
 * exit codes (C3.8, C3.10).
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import { isMaintenance, NODE_MAINTENANCE } from "../../core/health/aggregate.ts";
import { decodeService, definitionText, type ServiceDefinition } from "../../core/health/definitions.ts";
import { entries, fieldOf, text } from "../client/agent_api.ts";
import {
  boolFlag,
  type Call,
  type Command,
  CommandError,
  intFlag,
  pairsOf,
  textFlag,
  textsFlag,
  told,
} from "../client/command.ts";
import type { Flags } from "../config/flags.ts";
import { Settings } from "../config/settings.ts";

/** A service as a file or the flags have it. */
type Fields = Readonly<Record<string, unknown>>;

const register: Command = {
  name: "services register",
  summary: "register services with the agent",
  usage:
    "[flags] FILE...\n\nA FILE holds definitions of services, JSON or HCL, as an agent's configuration has them. Flags are added\n" +
    "to what stands there; -name stands for a file.\n\nExamples:\n  muster services register web.json\n" +
    "  muster services register -name=web -port=80 -tag=v1",
  flags: [
    textFlag("name", "Name of the service"),
    textFlag("id", "Its id, if it is not the name"),
    textFlag("address", "Its address, if it is not that of the node"),
    intFlag("port", "Its port"),
    textFlag("socket", "Path of its Unix socket"),
    textFlag("kind", "Its kind"),
    textsFlag("tag", "A tag; repeatable"),
    textsFlag("meta", "key=value; repeatable"),
    textsFlag("tagged-address", "TAG=ADDRESS:PORT; repeatable"),
  ],
  async run({ flags, args, api }: Call) {
    const isNamed = flags.string("name") !== "";
    if (args.length === 0 && !isNamed) {
      throw new CommandError("Service registration requires at least one argument or flags.");
    }
    if (args.length > 0 && isNamed) {
      throw new CommandError("Service registration requires arguments or -id, not both.");
    }
    const found = args.length > 0 ? fieldsIn(args) : [{}];
    const services = found.map((fields) => checkedService(withFlags(fields, flags)));
    for (const service of services) {
      const failed = `Error registering service ${JSON.stringify(service.name)}`;
      await told(failed, () => api().send("PUT", "/v1/agent/service/register", definitionText(service)));
      console.log(`Registered service: ${service.name}`);
    }
    return 0;
  },
};

/** The services in files, as an agent would read them. */
function fieldsIn(files: readonly string[]): readonly Fields[] {
  return files.flatMap((file) => {
    try {
      const settings = new Settings();
      settings.addFile(file);
      return settings.objects("service", "services");
    } catch (error) {
      throw new CommandError(`Error: ${messageOf(error)}`);
    }
  });
}

function checkedService(fields: Fields): ServiceDefinition {
  try {
    return decodeService(fields, { strict: true });
  } catch (error) {
    throw new CommandError(`Error: ${messageOf(error)}`);
  }
}

/** A definition with what the flags say: where it has a value of its own, that stays; tags and pairs are added. */
function withFlags(fields: Fields, flags: Flags): Fields {
  const lower = Object.fromEntries(Object.entries(fields).map(([name, value]) => [plain(name), value]));
  const given: Fields = Object.fromEntries(
    ["id", "name", "address", "kind"].map((name): [string, unknown] => [name, flags.string(name)])
      .concat([["port", flags.int("port")], ["socketpath", flags.string("socket")]])
      .filter(([, value]) => value !== "" && value !== 0),
  );
  const addresses = Object.entries(pairsOf(flags, "tagged-address")).map(([tag, one]) => [tag, addressOf(one)]);
  const added: Fields = {
    ...(flags.has("tag") ? { tags: [...listOf(lower.tags), ...flags.all("tag")] } : {}),
    ...(flags.has("meta") ? { meta: { ...objectOf(lower.meta), ...pairsOf(flags, "meta") } } : {}),
    ...(addresses.length > 0
      ? { taggedaddresses: { ...objectOf(lower.taggedaddresses), ...Object.fromEntries(addresses) } }
      : {}),
  };
  const names = Object.keys({ ...given, ...lower, ...added });
  return Object.fromEntries(
    names.map((name) => [named(name, fields), added[name] ?? lower[name] ?? given[name]]),
  );
}

/** Names of fields count without letter case and underscores. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll("_", "");
}

/** The name of a field in the spelling of the file, or of the flags. */
function named(name: string, fields: Fields): string {
  const own: Fields = { socketpath: "socket_path", taggedaddresses: "tagged_addresses" };
  return Object.keys(fields).find((one) => plain(one) === name) ?? String(own[name] ?? name);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : value === undefined ? [] : [value];
}

/** A block of HCL may be a list of one. */
function objectOf(value: unknown): Fields {
  return Object.fromEntries(entries(Array.isArray(value) ? value[0] : value));
}

/** `ADDRESS:PORT`, or an address without a port. */
function addressOf(value: string): { address: string; port: number } {
  const parts = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(value);
  return parts ? { address: parts[1] ?? parts[2], port: Number(parts[3]) } : { address: value, port: 0 };
}

const deregister: Command = {
  name: "services deregister",
  summary: "take services off the agent that they were registered with",
  usage: "[flags] FILE...\n\nExamples:\n  muster services deregister web.json\n  muster services deregister -id=web",
  flags: [textFlag("id", "Id of the service")],
  async run({ flags, args, api }: Call) {
    const id = flags.string("id");
    if (args.length === 0 && id === "") {
      throw new CommandError("Service deregistration requires at least one argument or -id.");
    }
    if (args.length > 0 && id !== "") {
      throw new CommandError("Service deregistration requires arguments or -id, not both.");
    }
    const ids = id === "" ? fieldsIn(args).map((fields) => checkedService(fields).id) : [id];
    for (const one of ids) {
      const failed = `Error deregistering service ${JSON.stringify(one)}`;
      await told(failed, () => api().send("PUT", `/v1/agent/service/deregister/${encodeURIComponent(one)}`));
      console.log(`Deregistered service: ${one}`);
    }
    return 0;
  },
};

const maint: Command = {
  name: "maint",
  summary: "take the node or a service out of use, and back",
  usage: "[flags]\n\nWithout -enable and -disable it lists what is in maintenance.\n\nExamples:\n" +
    "  muster maint -enable -reason='new disks'\n  muster maint -disable -service=web",
  flags: [
    boolFlag("enable", "Put the node, or -service, into maintenance: DNS and health queries leave it out"),
    boolFlag("disable", "End the maintenance"),
    textFlag("reason", "Why; with -enable"),
    textFlag("service", "Id of the service"),
  ],
  async run({ flags, api }: Call) {
    const [isOn, isOff, service] = [flags.bool("enable"), flags.bool("disable"), flags.string("service")];
    const reason = flags.string("reason");
    if (isOn && isOff) throw new CommandError("Only one of -enable or -disable may be provided");
    if (!isOn && reason !== "") throw new CommandError("Reason may only be provided with -enable");
    if (!isOn && !isOff && service !== "") throw new CommandError("Service requires either -enable or -disable");
    if (!isOn && !isOff) {
      const self = await api().get("/v1/agent/self");
      const checks = await told("Error getting checks", () => api().get("/v1/agent/checks"));
      listMaintenance(text(fieldOf(self, "Config"), "NodeName"), checks);
      return 0;
    }
    const query = new URLSearchParams({ enable: String(isOn) });
    if (reason !== "") query.set("reason", reason);
    const path = service === "" ? "maintenance" : `service/maintenance/${encodeURIComponent(service)}`;
    const what = service === "" ? "node" : "service";
    const failed = `Error ${isOn ? "enabling" : "disabling"} ${what} maintenance`;
    await told(failed, () => api().send("PUT", `/v1/agent/${path}?${query}`));
    const state = isOn ? "enabled" : "disabled";
    console.log(
      service === ""
        ? `Node maintenance is now ${state}`
        : `Service maintenance is now ${state} for ${JSON.stringify(service)}`,
    );
    return 0;
  },
};

function listMaintenance(nodeName: string, checks: unknown): void {
  for (const [id, check] of entries(checks)) {
    if (!isMaintenance(id)) continue;
    if (id === NODE_MAINTENANCE) console.log(`Node:\n  Name:   ${nodeName}`);
    else console.log(`Service:\n  ID:     ${text(check, "ServiceID")}`);
    console.log(`  Reason: ${text(check, "Notes")}\n`);
  }
}

/** Commands about services. */
export const SERVICE_COMMANDS: readonly Command[] = [maint, deregister, register];
