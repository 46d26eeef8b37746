/**
 * Settings of a rendezvous, and of an agent that is announced at one (docs/rendezvous.md). The flags and keys of the latter
 * are those of Consul 0.5.
 * @module
 */
import { splitAddress } from "../../base/codec/address.ts";
import { isInfrastructure } from "../../core/rendezvous/announcement.ts";
import type { AtlasSettings, RendezvousSettings } from "./config.ts";
import { type Settings, SettingsError } from "./settings.ts";

const LISTEN_ADDR = "0.0.0.0:8504";

/**
 * Where an agent is announced; undefined where it is not.
 * @param given The token of the environment, for where no other is set.
 * @throws {SettingsError} When a part is missing.
 */
export function atlasSettings(settings: Settings, given: string): AtlasSettings | undefined {
  const infrastructure = settings.text("atlas_infrastructure");
  const joins = settings.flag("atlas_join", false);
  if (infrastructure === "") {
    if (joins) throw new SettingsError("atlas_join needs atlas_infrastructure: -atlas=USER/NAME");
    return undefined;
  }
  if (!isInfrastructure(infrastructure)) {
    throw new SettingsError(`atlas_infrastructure must be USER/NAME, of letters, digits, ".", "_" and "-"`);
  }
  const token = settings.text("atlas_token") || given;
  if (token === "") throw new SettingsError("atlas_infrastructure needs a token: ATLAS_TOKEN or atlas_token");
  const endpoints = settings.text("atlas_endpoint").split(",").map((url) => url.trim().replace(/\/+$/, ""));
  if (endpoints.join("") === "") {
    throw new SettingsError(
      "atlas_infrastructure needs -atlas-endpoint=URL (atlas_endpoint): the hosted service ended in 2017, and " +
        '"muster rendezvous" is one of your own',
    );
  }
  for (const url of endpoints) {
    if (/^https?:\/\/[^\s/?#]+(\/[^\s?#]*)?$/.test(url) && URL.canParse(url)) continue;
    throw new SettingsError(
      "atlas_endpoint must be a URL such as https://meet.example.com:8504, or several with commas",
    );
  }
  return { infrastructure, token, endpoints, joins, caFile: settings.text("atlas_ca_file") };
}

/** The rendezvous that a server is; undefined for none. @throws {SettingsError} When it cannot be one. */
export function rendezvousSettings(settings: Settings, isServer: boolean): RendezvousSettings | undefined {
  if (!settings.flag("rendezvous.enabled", false)) return undefined;
  if (!isServer) throw new SettingsError("'rendezvous' requires 'server = true': its state is kept by the servers");
  const addr = settings.text("rendezvous.addr", LISTEN_ADDR);
  const [certFile, keyFile] = [settings.text("rendezvous.cert_file"), settings.text("rendezvous.key_file")];
  if ((certFile === "") !== (keyFile === "")) {
    throw new SettingsError("rendezvous.cert_file and rendezvous.key_file go together");
  }
  try {
    splitAddress(addr);
  } catch {
    throw new SettingsError(`rendezvous.addr must be HOST:PORT, such as ${LISTEN_ADDR}`);
  }
  return { addr, certFile, keyFile };
}
