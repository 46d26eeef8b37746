/**
 * Settings of Consul on whose effect an operator relies for safety, and that have none here: an agent that went on without
 * them would be open where its configuration says that it is closed. They are refused rather than named as without effect.
 * @module
 */
import { type Settings, SettingsError } from "./settings.ts";

const OLD_ACLS = "the settings of ACLs are those of Consul 1.4 and later: acl { enabled = true }";

/** Keys, which are refused if they are true, a text that is not empty, or a list that is not empty; and why. */
const REFUSED: readonly (readonly [key: string, reason: string])[] = [
  ["acl_datacenter", OLD_ACLS],
  ["auto_config.enabled", "servers give out no certificates and keys: configure them on each agent"],
  ["disable_keyring_file", "the keys of the gossip are kept in the data directory"],
  ["http_config.block_endpoints", "no endpoint would be blocked"],
  ["http_config.allow_write_http_from", "writes would be taken from any address"],
  ["serf_lan_allowed_cidrs", "any address could join: use -encrypt, or a firewall"],
  ["serf_wan_allowed_cidrs", "any address could join: use -encrypt, or a firewall"],
];

/** @throws {SettingsError} Naming the first of them that is set. */
export function refuseUnsafe(settings: Settings): void {
  for (const [key, reason] of REFUSED) {
    const isSet = settings.flag(key, false) || settings.text(key) !== "" || settings.texts(key).length > 0;
    if (isSet) throw new SettingsError(`${key} is not supported: ${reason}`);
  }
}
