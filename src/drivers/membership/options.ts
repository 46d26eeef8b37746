/**
 * From what a node is configured to be to what the core needs.
 * @module
 */
import type { Cipher } from "../../core/swim/cipher.ts";
import { parseIp } from "../../base/codec/ip.ts";
import { SERF_DEFAULTS, type SerfConfig, SWIM_PROFILES, type SwimConfig } from "../../core/swim/profile.ts";
import type { SerfOptions } from "../../core/serf/state.ts";
import { DELEGATE_MAX, DELEGATE_MIN, versionBytes } from "../../core/swim/version.ts";
import { admissionOf } from "./admission.ts";
import type { Endpoint, MembershipConfig, Tuning } from "./api.ts";
import { beginKeyring, startKeys } from "./files.ts";

const NAME_CHARACTERS_MAX = 128;
const LABEL_BYTES_MAX = 255;

/** Options of the core, without its output. */
export type CoreOptions = Omit<SerfOptions, "swim"> & { readonly swim: Omit<SerfOptions["swim"], "emit"> };

/** Values of `tuning` for the keys of `base`, where they are given. */
function tuned<T extends object>(base: T, tuning: Tuning): T {
  const given = Object.entries(tuning).filter(([key, value]) => key in base && value !== undefined);
  return { ...base, ...Object.fromEntries(given) };
}

/**
 * Checks the configuration.
 * @param surroundings Where the node listens, what it remembers, and what {@linkcode cipherOf} gave.
 * @throws {RangeError} When the name, the address or the label cannot be used.
 */
export function coreOptions(
  config: MembershipConfig,
  { local, restored, cipher, keepKeys }: {
    local: Endpoint;
    restored: SerfOptions["restored"];
    cipher: Cipher | undefined;
    keepKeys: SerfOptions["keepKeys"];
  },
): CoreOptions {
  const { name, tags, tuning = {}, delegateProtocol = DELEGATE_MAX, resolveConflicts = true } = config;
  if (name === "" || name.length > NAME_CHARACTERS_MAX) {
    throw new RangeError(`Cannot use the node name "${name}": expected 1 to ${NAME_CHARACTERS_MAX} characters`);
  }
  if (delegateProtocol < DELEGATE_MIN || delegateProtocol > DELEGATE_MAX) {
    throw new RangeError(`Cannot speak Serf protocol ${delegateProtocol}: expected ${DELEGATE_MIN} to ${DELEGATE_MAX}`);
  }
  const { host, port } = config.advertise ?? local;
  const addr = parseIp(host);
  if (!addr || addr.every((byte) => byte === 0)) {
    throw new RangeError(
      `Cannot advertise "${host}" for gossip: expected the IP address at which others reach this node`,
    );
  }
  const label = new TextEncoder().encode(config.label ?? "");
  if (label.length > LABEL_BYTES_MAX) throw new RangeError(`Cannot use a label of more than ${LABEL_BYTES_MAX} bytes`);
  const swimConfig: SwimConfig = tuned(SWIM_PROFILES[config.profile ?? "lan"], tuning);
  const serfConfig: SerfConfig = tuned(SERF_DEFAULTS, tuning);
  return {
    swim: {
      name,
      addr,
      port: port === 0 ? local.port : port,
      vsn: versionBytes(delegateProtocol),
      config: swimConfig,
      wrapping: { compression: config.compression ?? true, cipher, label },
      random: Math.random,
    },
    config: serfConfig,
    tags: new Map(Object.entries(tags)),
    admission: config.admission && admissionOf(config.admission),
    restored,
    resolveConflicts,
    keepKeys,
  };
}

/**
 * Reads or begins the keyring; undefined for a pool without encryption, which is spared the memory of the cipher, too.
 * @param warn Told, in Consul's words, of a configured key that is not used.
 * @throws {KeyringError} When a key or the keyring cannot be used.
 */
export async function cipherOf(
  { directory, encryptionKey, profile }: MembershipConfig,
  warn: (line: string) => void,
): Promise<Cipher | undefined> {
  const { keyring, from, isOther } = startKeys(directory, encryptionKey);
  if (isOther) {
    warn(`WARNING: ${profile === "wan" ? "WAN" : "LAN"} keyring exists but -encrypt given, using keyring`);
  }
  if (!keyring) return undefined;
  if (from === "new" && directory !== undefined) beginKeyring(directory, keyring);
  const { aesGcm, prepareAesGcm } = await import("./aes_gcm.ts");
  await prepareAesGcm(keyring);
  return { keyring, aead: aesGcm, randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)) };
}
