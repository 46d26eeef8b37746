/**
 * The discovery Worker: asks DNS, Consul or etcd where the other nodes are, and tells Consul or etcd where the leader is.
 * It may use the network; it reads no file and no environment.
 * @module
 */
import { Callee, type Methods } from "../../base/worker/channel.ts";
import type {
  DiscoveryMethods,
  DiscoveryOptions,
  FromDiscovery,
  LeaderRecord,
  OpenDiscovery,
  ToDiscovery,
} from "./api.ts";
import { ConsulKey } from "./consul.ts";
import { lookupAddresses } from "./dns.ts";
import { EtcdKey } from "./etcd.ts";
import { Register, REPORT_INTERVAL_MS } from "./register.ts";
import { logger } from "../../base/worker/log.ts";
import { workerScope } from "../../base/worker/worker_scope.ts";
import { messageOf } from "../../base/codec/error_text.ts";

/** Pause between two looks at the key, as `/status` shows it. */
const REGISTER_INTERVAL_MS = 3000;
const NS_PER_MS = 1_000_000;

/** The methods of the configured way of discovery; methods of other ways are refused. */
interface Way {
  readonly methods: Methods<DiscoveryMethods>;
  lead(record: LeaderRecord | null): void;
  status(): Record<string, unknown>;
}

function wayOf(options: DiscoveryOptions, onStatus: () => void): Way {
  return options.mode === "dns" || options.mode === "dns-srv"
    ? dnsWay(options, onStatus)
    : registerWay(options, onStatus);
}

/** Refuses a method of another way. */
function refusal(method: keyof DiscoveryMethods, { mode }: DiscoveryOptions): () => never {
  return () => {
    throw new RangeError(`Cannot ${method} in mode ${mode}`);
  };
}

function dnsWay(options: Extract<DiscoveryOptions, { mode: "dns" | "dns-srv" }>, onStatus: () => void): Way {
  const last: { contact: Date | undefined; addresses: readonly string[]; error: string | undefined } = {
    contact: undefined,
    addresses: [],
    error: undefined,
  };
  const addresses = async () => {
    try {
      last.addresses = await lookupAddresses(options);
      last.contact = new Date();
      last.error = undefined;
      return last.addresses;
    } catch (error) {
      last.error = messageOf(error);
      throw error;
    } finally {
      onStatus();
    }
  };
  return {
    methods: {
      addresses,
      read: refusal("read", options),
      claim: refusal("claim", options),
      replace: refusal("replace", options),
    },
    lead() {},
    status: () => ({
      mode: options.mode,
      name: options.name,
      ...(options.mode === "dns"
        ? { port: options.port }
        : { service: options.service, "dns_name:": `_${options.service}._tcp.${options.name}` }),
      last_contact: last.contact?.toISOString() ?? "",
      last_addresses: last.addresses,
      last_error: last.error ?? "",
    }),
  };
}

function registerWay(options: Extract<DiscoveryOptions, { mode: "consul-kv" | "etcd-kv" }>, onStatus: () => void): Way {
  const last: { contact: Date | undefined; error: string | undefined } = { contact: undefined, error: undefined };
  const register = new Register(options.mode === "consul-kv" ? new ConsulKey(options) : new EtcdKey(options), {
    contact() {
      last.contact = new Date();
      last.error = undefined;
      onStatus();
    },
    failed(error) {
      last.error = error.message;
      onStatus();
    },
    log,
  });
  return {
    methods: {
      addresses: refusal("addresses", options),
      read: () => register.read(),
      claim: ({ record }) => register.claim(record),
      replace: ({ record, revision }) => register.replace(record, revision),
    },
    lead: (record) => register.report(record),
    status: () => ({
      mode: options.mode,
      key: options.key,
      register_interval: REGISTER_INTERVAL_MS * NS_PER_MS,
      report_interval: REPORT_INTERVAL_MS * NS_PER_MS,
      last_contact: last.contact?.toISOString() ?? "",
      last_error: last.error ?? "",
    }),
  };
}

const log = logger("disco");

workerScope<OpenDiscovery, never>().onmessage = ({ data: { options, replica } }) => {
  const tell = (message: FromDiscovery) => replica.postMessage(message);
  const way = wayOf(options, () => tell({ k: "status", status: way.status() }));
  tell({ k: "status", status: way.status() });
  const callee = new Callee(replica, way.methods);
  replica.onmessage = ({ data }: MessageEvent<ToDiscovery>) => {
    if (data.k === "leading") way.lead(data.record);
    else callee.take(data);
  };
};
