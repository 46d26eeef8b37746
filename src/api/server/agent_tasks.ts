/**
 * What an agent does beside answering requests: it hears of its pool, looks after its own services, keeps the catalog in step
 * with the pool where it leads, and answers the name server's lookups. A database without an agent does not load it.
 * @module
 */
import type { Agent } from "../../app/agent/agent.ts";
import { EventLog } from "../../app/agent/event_log.ts";
import { FollowedReads } from "../../app/agent/followed_reads.ts";
import { LocalNodes, type NodeSource, RemoteNodes } from "../../app/agent/nodes.ts";
import { Reconciler } from "../../app/agent/reconciler.ts";
import type { ReplicaClient } from "../../app/database/replica_client.ts";
import type { KeyTimers } from "../../app/keys/key_timers.ts";
import type { SessionTimers } from "../../app/keys/session_timers.ts";
import { MemberEvents } from "../../app/metrics/member_events.ts";
import { AclCare } from "../../app/services/acl_care.ts";
import type { LocalState } from "../../app/services/local_state.ts";
import { VisibleNodes } from "../../app/services/visible_nodes.ts";
import { WanRouter } from "../../app/wan/router.ts";
import type { Caller } from "../../base/worker/channel.ts";
import type { LogLevel } from "../../base/worker/log.ts";
import { INTERVAL_MS } from "../../core/metrics/intervals.ts";
import { PoolClient } from "../../drivers/membership/client.ts";
import type { OpenHttp, SupervisorMethods, ToHttpWorker } from "./api.ts";
import { answerLookups, nameAsker, otherDatacenters, queryInstances } from "./lookups.ts";
import { OwnServices, type OwnServicesParts } from "./own_services.ts";
import type { Services } from "./services.ts";

/** What it works with. */
export interface AgentTasksParts {
  readonly replica: ReplicaClient;
  /** Keeps definitions on disk, and does what the pool asks of it. */
  readonly supervisor: Pick<Caller<SupervisorMethods>, "call">;
  /** Has the Worker of checks started. */
  wantChecks(): void;
  log(line: string, level?: LogLevel): void;
}

/** The tasks of one agent. */
export class AgentTasks {
  readonly agent: Agent;
  /** Counts what happens in the pool. */
  readonly memberEvents = new MemberEvents();
  readonly #parts: AgentTasksParts;
  readonly #local: OpenHttp["local"];
  #own: OwnServices | undefined;
  /** Nodes for the name server. */
  #nodes: NodeSource | undefined;
  #services: Services | undefined;

  /** @param options Of the agent. */
  constructor(
    options: Agent["options"],
    { membership, wan: wanPort, local }: OpenHttp & { readonly membership: MessagePort },
    parts: AgentTasksParts,
  ) {
    const { replica, supervisor, log } = parts;
    this.#parts = parts;
    this.#local = local;
    const { datacenter, nodeName } = options;
    const wan = wanPort && new PoolClient(wanPort);
    const pool = new PoolClient(membership);
    const events = new EventLog(nodeName);
    pool.onEvent((event) => {
      events.take(event);
      this.memberEvents.take(event);
    });
    this.agent = {
      options,
      pool,
      wan,
      router: wan && new WanRouter({ datacenter, name: `${nodeName}.${datacenter}`, pool: wan, replica, log }),
      events,
      askSupervisor: (task) => supervisor.call(task, {}),
    };
  }

  /** Makes the state of the agent's own services. */
  prepareServices({ operations, tokens }: Pick<OwnServicesParts, "operations" | "tokens">): LocalState | undefined {
    const { supervisor, log } = this.#parts;
    const wantChecks = () => this.#parts.wantChecks();
    if (!this.#local) return undefined;
    this.#own = new OwnServices({
      open: this.#local,
      agent: this.agent,
      operations,
      tokens,
      supervisor,
      wantChecks,
      log,
    });
    return this.#own.local;
  }

  /** Begins. On a server that leads, one of the tasks keeps the catalog in step with the pool. */
  start(
    services: Services,
    { timers, keyTimers }: { readonly timers: SessionTimers; readonly keyTimers: KeyTimers },
  ): void {
    const { catalog, operations, state, intervals, access } = services;
    const { replica, log } = this.#parts;
    this.#services = services;
    const remote = () => new RemoteNodes(new FollowedReads(operations, () => nameAsker({ access })));
    const local = () => access ? new VisibleNodes(new LocalNodes(catalog), access, catalog) : new LocalNodes(catalog);
    const nodes = this.agent.options.isServer ? local() : remote();
    this.#nodes = nodes;
    if (access) {
      access.tokens.onChange = () => {
        nodes.onChange();
        this.#own?.soon();
      };
    }
    if (this.agent.options.isServer) {
      const reconciler = new Reconciler({ agent: this.agent, catalog, state, replica, log });
      const care = access && new AclCare({ catalog, state, initialManagement: access.settings.initialManagement, log });
      replica.onLeader = () => (reconciler.soon(), care?.soon(), catalog.wakeAll(), keyTimers.look());
      timers.start();
    }
    this.#own?.start();
    Deno.unrefTimer(Number(setInterval(() => intervals.end(Date.now()), INTERVAL_MS)));
  }

  /** Takes the name server's line. */
  answerLookups(port: MessagePort): void {
    if (!this.#nodes || !this.#services) return;
    const [others, query] = [otherDatacenters(this.#services), queryInstances(this.#services)];
    answerLookups(port, this.#nodes, { others, query });
  }

  /** Takes the line to the Worker of checks. */
  connectChecks(port: MessagePort): void {
    this.#own?.connect(port);
  }

  /** Metadata of this node and definitions of its services, anew: the catalog is to say so, too. */
  async renew({ meta, files, tokens }: Extract<ToHttpWorker, { k: "agent" }>): Promise<void> {
    this.agent.options = { ...this.agent.options, meta };
    if (tokens) this.#services?.access?.tokens.take(tokens);
    this.#own?.soon();
    await this.#own?.replace(files);
  }

  /** Ends timers and checks. */
  close(): void {
    this.#own?.close();
  }
}
