/**
 * A service that is registered with an agent for as long as this process says so.
 *
 * (1) The service has a TTL check of its own, the lease, which this process renews. When nobody does any more, as after
 * SIGKILL, the lease is critical after its time to live, so that nobody finds the service, and the agent deregisters it some
 * time later.
 * (2) The lease is registered as critical, and passes only by word of this process, each time for its time to live: also on a
 * machine that has died and started again.
 * (3) The other checks are taken out and registered anew whenever the service goes down, and at the start. So they are critical
 * until each has seen the new process: what it saw of the one before says nothing about it.
 * (4) An agent that has forgotten the service is given it again. One that does not answer is asked again and again.
 * (5) Requests are sent one after the other, so that none undoes a later one.
 * @module
 */
import { pause } from "../../base/worker/backoff.ts";
import { type CheckDefinition, definitionText, type ServiceDefinition } from "../../core/health/definitions.ts";
import { type AgentApi, ApiError } from "./agent_api.ts";

/** Between a request that failed and the next one, unless a third of the time to live is less. */
const RETRY_MS = 1000;
/** The least time for a request. */
const REQUEST_MS_MIN = 1000;
/** Time for the deregistration, which also happens by itself. */
const DEREGISTER_MS = 5000;
/** Statuses of answers that may be others soon. */
const PASSING_OVER = [429, 502, 503, 504];

/** What to register, and where. */
export interface ServiceLeaseSettings {
  readonly api: AgentApi;
  /** With its checks, the lease aside. */
  readonly service: ServiceDefinition;
  /** A check of the kind TTL. */
  readonly lease: CheckDefinition;
  /** Its time to live. */
  readonly ttlMs: number;
  /** Tells people. */
  readonly say: (words: string) => void;
}

/** How the service is. */
interface State {
  readonly isUp: boolean;
  /** For people. */
  readonly note: string;
}

/** ID of the check that is the lease of a service. */
export function leaseId(serviceId: string): string {
  return `service:${serviceId}:lease`;
}

/** A service of this process. */
export class ServiceLease {
  readonly #settings: ServiceLeaseSettings;
  readonly #over = new AbortController();
  /** undefined: nothing is to be said of it yet. */
  #state: State | undefined;
  /** How often the checks had to be registered anew, and of those the last time that the agent has done so. */
  #renewals = 1;
  #renewed = 0;
  /** Ends the pause before the next request. */
  #news = new AbortController();
  #isMissed = false;
  #keeping: Promise<void> = Promise.resolve();
  #ending: Promise<ApiError | undefined> | undefined;

  private constructor(settings: ServiceLeaseSettings) {
    this.#settings = settings;
  }

  /**
   * Registers a service that is not up yet, and keeps it registered; also when the agent does not answer.
   * @throws {ApiError} When the agent refuses it.
   */
  static async open(settings: ServiceLeaseSettings): Promise<ServiceLease> {
    const opened = new ServiceLease(settings);
    try {
      await opened.#register();
    } catch (error) {
      if (!(error instanceof ApiError) || isRefusal(error)) throw error;
      opened.#missed(error);
    }
    opened.#keeping = opened.#keep();
    return opened;
  }

  /** The service runs: it is found once its other checks pass. */
  up(note: string): void {
    this.#set({ isUp: true, note });
  }

  /** The service does not run: nobody finds it. */
  down(note: string): void {
    this.#renewals++;
    this.#set({ isUp: false, note });
  }

  /**
   * Deregisters the service, unless that is done.
   * @returns Why the agent may still have it; undefined: it has not.
   */
  end(): Promise<ApiError | undefined> {
    this.#ending ??= this.#deregister().then((failure) => {
      if (failure) this.#ending = undefined;
      return failure;
    });
    return this.#ending;
  }

  #set(state: State): void {
    this.#state = state;
    this.#news.abort();
  }

  async #keep(): Promise<void> {
    const over = this.#over.signal;
    const thirdMs = this.#settings.ttlMs / 3;
    while (!over.aborted) {
      const state = this.#state;
      const isTold = await this.#tell(state);
      if (this.#state !== state) continue;
      this.#news = new AbortController();
      await pause(isTold ? thirdMs : Math.min(RETRY_MS, thirdMs), AbortSignal.any([over, this.#news.signal]));
    }
  }

  /** Tells the agent how the service is; whether it has got that. */
  async #tell(state: State | undefined): Promise<boolean> {
    try {
      if (this.#renewed < this.#renewals) await this.#register();
      if (state && !await this.#update(state)) {
        await this.#register();
        await this.#update(state);
      }
      if (this.#isMissed) this.#settings.say(`The agent answers again: service ${this.#name} is registered`);
      this.#isMissed = false;
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (!this.#over.signal.aborted) this.#missed(error);
      return false;
    }
  }

  #missed({ message }: ApiError): void {
    if (!this.#isMissed) this.#settings.say(`Cannot register service ${this.#name}, trying again: ${message}`);
    this.#isMissed = true;
  }

  /** Registers the service with the lease alone, and then with all checks (3). */
  async #register(): Promise<void> {
    const { service, lease } = this.#settings;
    const renewal = this.#renewals;
    await this.#put([lease]);
    if (service.checks.length > 0) await this.#put([lease, ...service.checks]);
    this.#renewed = renewal;
  }

  /** Not given up by the end of the lease: a registration that arrived after the deregistration would undo it (5). */
  async #put(checks: readonly CheckDefinition[]): Promise<void> {
    const { api, service } = this.#settings;
    const path = "/v1/agent/service/register?replace-existing-checks=true";
    await api.askText("PUT", path, { body: definitionText({ ...service, checks }), timeoutMs: this.#requestMs });
  }

  /** Renews the lease, or says that it is not; whether the agent has it. */
  async #update({ isUp, note }: State): Promise<boolean> {
    const { api, lease } = this.#settings;
    const path = `/v1/agent/check/${isUp ? "pass" : "fail"}/${encodeURIComponent(lease.id)}`;
    const asking = { timeoutMs: this.#requestMs, signal: this.#over.signal };
    const { status } = await api.askText("PUT", `${path}?note=${encodeURIComponent(note)}`, asking, [404]);
    return status !== 404;
  }

  async #deregister(): Promise<ApiError | undefined> {
    const { api, service } = this.#settings;
    this.#over.abort();
    await this.#keeping;
    try {
      const path = `/v1/agent/service/deregister/${encodeURIComponent(service.id)}`;
      await api.askText("PUT", path, { timeoutMs: DEREGISTER_MS }, [404]);
      return undefined;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return this.#renewed > 0 ? error : undefined; // one that it never had, it need not forget
    }
  }

  get #name(): string {
    return JSON.stringify(this.#settings.service.id);
  }

  get #requestMs(): number {
    return Math.max(REQUEST_MS_MIN, this.#settings.ttlMs / 3);
  }
}

/** Whether the agent does not want the service as it is, now or later. */
function isRefusal({ status }: ApiError): boolean {
  return status !== undefined && !PASSING_OVER.includes(status);
}
