/**
 * Real etcd members (Debian's etcd-server 3.4) on free loopback ports. A member that `start` or `restart` returned
 * answers `/health` with true; `restart` keeps ports and data. The direct calls use the JSON gateway (`/v3/…`), with
 * the client certificate where the member wants one, and as root once `enableAuth` has been called.
 * @module
 */
import type { Certificates } from "./certificates.ts";
import { freePort } from "../processes.ts";
import { ServiceProcess } from "./process.ts";

const CALL_MS = 5_000;
const TOKEN = "muster-test";

/** How a member serves its clients. */
export interface EtcdOptions {
  /** Serves https with these. */
  readonly certificates?: Certificates;
  /** Whether clients must show a certificate of the same CA; needs `certificates`. @default {false} */
  readonly clientAuth?: boolean;
}

/** The passwords and the user that `enableAuth` makes. */
export interface EtcdAuth {
  /** Of the user `root`, who may do everything. */
  readonly rootPassword: string;
  /** A user beside root. */
  readonly user: string;
  /** Of that user. */
  readonly password: string;
  /** Start of the keys that this user may read and write. */
  readonly prefix: string;
}

interface Place {
  readonly name: string;
  readonly directory: string;
  readonly clientPort: number;
  readonly peerPort: number;
}

interface RangeResponse {
  readonly kvs?: readonly { readonly value?: string }[];
}

/** A member of an etcd cluster, by default of one alone. */
export class EtcdServer {
  readonly #place: Place;
  readonly #cluster: readonly Place[];
  readonly #options: EtcdOptions;
  readonly #client: Deno.HttpClient;
  #process: ServiceProcess | undefined;
  #rootPassword: string | undefined;

  private constructor(place: Place, cluster: readonly Place[], options: EtcdOptions, client: Deno.HttpClient) {
    this.#place = place;
    this.#cluster = cluster;
    this.#options = options;
    this.#client = client;
  }

  /**
   * Starts a cluster of one and waits until it is healthy.
   * @param directory Where it keeps its data; must exist.
   * @throws {Error} When it does not become healthy; nothing is left running.
   */
  static async start(directory: string, options: EtcdOptions = {}): Promise<EtcdServer> {
    const [server] = await EtcdServer.startAll(newPlaces(directory, 1), options);
    return server;
  }

  /** Starts the members at `places`, which form one cluster, and waits until each is healthy. */
  static async startAll(places: readonly Place[], options: EtcdOptions): Promise<EtcdServer[]> {
    const servers: EtcdServer[] = [];
    for (const place of places) {
      servers.push(new EtcdServer(place, places, options, await httpClient(options.certificates)));
    }
    const started = await Promise.allSettled(servers.map((server) => server.restart()));
    const failed = started.find((one) => one.status === "rejected");
    if (failed === undefined) return servers;
    await Promise.all(servers.map((server) => server.stop()));
    throw failed.reason;
  }

  /** `127.0.0.1:PORT` for clients. */
  get endpoint(): string {
    return `127.0.0.1:${this.#place.clientPort}`;
  }

  /** The same with its scheme. */
  get url(): string {
    return `${this.#options.certificates ? "https" : "http"}://${this.endpoint}`;
  }

  /** The end of its process's output on stderr. */
  get log(): string {
    return this.#process?.log ?? "";
  }

  /** Of its process; 0 where there is none. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Whether its process runs. */
  get isRunning(): boolean {
    return this.#process?.isRunning ?? false;
  }

  /** Ends it with SIGKILL: no farewell to clients or members. */
  async kill(): Promise<void> {
    await this.#process?.stop("SIGKILL");
  }

  /**
   * Starts it on the ports and the data that it had, after a kill if it runs, and waits until it is healthy, which
   * needs a majority of its cluster.
   */
  async restart(): Promise<void> {
    await this.kill();
    const process = await ServiceProcess.start("etcd", this.#flags());
    this.#process = process;
    await process.answers("healthy", async () => {
      const { health } = await this.#fetch("/health");
      return health === "true";
    });
  }

  /** Ends it for good; the data stays in its directory. */
  async stop(): Promise<void> {
    await this.kill();
    this.#client.close();
  }

  /** Value of a key; undefined for none. */
  async get(key: string): Promise<string | undefined> {
    const { kvs }: RangeResponse = await this.call("/v3/kv/range", { key: toBase64(key) });
    return kvs?.[0] && fromBase64(kvs[0].value ?? ""); // the gateway leaves an empty value out
  }

  /** Sets a key. */
  async put(key: string, value: string): Promise<void> {
    await this.call("/v3/kv/put", { key: toBase64(key), value: toBase64(value) });
  }

  /** Removes a key, if it is there. */
  async delete(key: string): Promise<void> {
    await this.call("/v3/kv/deleterange", { key: toBase64(key) });
  }

  /** Makes etcd ask for passwords from now on; later direct calls are root's. */
  async enableAuth({ rootPassword, user, password, prefix }: EtcdAuth): Promise<void> {
    const permission = { permType: "READWRITE", key: toBase64(prefix), range_end: toBase64(prefixEnd(prefix)) };
    await this.call("/v3/auth/user/add", { name: "root", password: rootPassword });
    await this.call("/v3/auth/user/grant", { user: "root", role: "root" });
    await this.call("/v3/auth/role/add", { name: user });
    await this.call("/v3/auth/role/grant", { name: user, perm: permission });
    await this.call("/v3/auth/user/add", { name: user, password });
    await this.call("/v3/auth/user/grant", { user, role: user });
    await this.call("/v3/auth/enable", {});
    this.#rootPassword = rootPassword;
  }

  /** Posts to the gateway, as root when there are passwords. */
  async call(path: string, body: unknown): Promise<Record<string, unknown>> {
    if (this.#rootPassword === undefined) return await this.#fetch(path, body);
    // asked for each time, as a token does not live for ever
    const { token } = await this.#fetch("/v3/auth/authenticate", { name: "root", password: this.#rootPassword });
    return await this.#fetch(path, body, String(token));
  }

  async #fetch(path: string, body?: unknown, token?: string): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.url}${path}`, {
      method: body === undefined ? "GET" : "POST",
      headers: token === undefined ? {} : { Authorization: token },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(CALL_MS),
      client: this.#client,
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path} gave ${response.status}: ${text}`);
    return JSON.parse(text);
  }

  #flags(): string[] {
    const { name, directory, clientPort, peerPort } = this.#place;
    const { certificates, clientAuth } = this.#options;
    const client = `${certificates ? "https" : "http"}://127.0.0.1:${clientPort}`;
    const peer = `http://127.0.0.1:${peerPort}`;
    const flags = {
      "name": name,
      "data-dir": `${directory}/${name}`,
      "listen-client-urls": client,
      "advertise-client-urls": client,
      "listen-peer-urls": peer,
      "initial-advertise-peer-urls": peer,
      "initial-cluster": this.#cluster.map((one) => `${one.name}=http://127.0.0.1:${one.peerPort}`).join(","),
      "initial-cluster-token": TOKEN,
      "heartbeat-interval": "50",
      "election-timeout": "500",
      "bcrypt-cost": "4", // the least; the default takes a tenth of a second per password
      ...(certificates && { "cert-file": certificates.serverCert, "key-file": certificates.serverKey }),
      ...(certificates && clientAuth && { "client-cert-auth": "true", "trusted-ca-file": certificates.ca }),
    };
    return Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
  }
}

/**
 * Starts members that form one cluster by a static list of each other, and waits until all are healthy.
 * @throws {Error} When one does not become healthy; nothing is left running.
 */
export async function startEtcdCluster(directory: string, count: number): Promise<EtcdServer[]> {
  return await EtcdServer.startAll(newPlaces(directory, count), {});
}

/** Runs `work` with a cluster of one in a new directory; all is gone afterwards. */
export async function withEtcd(options: EtcdOptions, work: (etcd: EtcdServer) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "muster-etcd-" });
  try {
    const etcd = await EtcdServer.start(directory, options);
    try {
      await work(etcd);
    } finally {
      await etcd.stop();
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Places of members, no two on one port: `freePort` may give the same again. */
function newPlaces(directory: string, count: number): Place[] {
  const ports = new Set<number>();
  while (ports.size < 2 * count) ports.add(freePort());
  const all = [...ports];
  return Array.from({ length: count }, (_, at) => (
    { name: `etcd-${at + 1}`, directory, clientPort: all[2 * at], peerPort: all[2 * at + 1] }
  ));
}

/** First key after all that start with `prefix` (etcd's rule for a range of one prefix); its last byte must rise. */
function prefixEnd(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

/** As the gateway takes keys and values. */
function toBase64(text: string): string {
  return new TextEncoder().encode(text).toBase64();
}

function fromBase64(text: string): string {
  return new TextDecoder().decode(Uint8Array.fromBase64(text));
}

/** Keeps no idle connections: one to a member that was killed would fail the next call. */
async function httpClient(certificates: Certificates | undefined): Promise<Deno.HttpClient> {
  if (certificates === undefined) return Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  const [ca, cert, key] = await Promise.all(
    [certificates.ca, certificates.clientCert, certificates.clientKey].map((path) => Deno.readTextFile(path)),
  );
  return Deno.createHttpClient({ poolMaxIdlePerHost: 0, caCerts: [ca], cert, key });
}
