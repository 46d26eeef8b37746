/**
 * The services of this agent, put together: their state, the runner of their checks, and what keeps the catalog in step with
 * them.
 * @module
 */
import type { Caller } from "../../base/worker/channel.ts";
import type { LogLevel } from "../../base/worker/log.ts";
import type { AgentTokens } from "../../app/acl/settings.ts";
import type { Agent } from "../../app/agent/agent.ts";
import type { CatalogOperations } from "../../app/agent/catalog_operations.ts";
import type { Runner } from "../../app/database/operations.ts";
import { AntiEntropy } from "../../app/services/anti_entropy.ts";
import type { FileDefinitions, OpenLocal } from "../../app/services/api.ts";
import { catalogAccess, remoteStatus } from "../../app/services/catalog_access.ts";
import { LocalState } from "../../app/services/local_state.ts";
import { PortRunner } from "../../app/services/port_runner.ts";
import type { SupervisorMethods } from "./api.ts";

/** Dependencies. */
export interface OwnServicesParts {
  readonly open: OpenLocal;
  readonly agent: Agent;
  readonly operations: Runner<CatalogOperations>;
  /** Its tokens; absent where access control is off. */
  readonly tokens: AgentTokens | undefined;
  /** Keeps definitions on disk. */
  readonly supervisor: Pick<Caller<SupervisorMethods>, "call">;
  /** Has the Worker of checks started. */
  wantChecks(): void;
  log(line: string, level?: LogLevel): void;
}

/** The services of one agent. */
export class OwnServices {
  readonly local: LocalState;
  readonly #runner: PortRunner;
  #antiEntropy: AntiEntropy | undefined;
  readonly #parts: OwnServicesParts;

  constructor(parts: OwnServicesParts) {
    const { open, agent, operations, supervisor, tokens, log } = parts;
    this.#parts = parts;
    this.#runner = new PortRunner(() => parts.wantChecks());
    this.local = new LocalState({
      options: open.options,
      nodeName: agent.options.nodeName,
      runner: this.#runner,
      store: {
        keep: (kind, id, text) => supervisor.call("keepDefinition", { kind, id, text }),
        forget: (kind, id) => supervisor.call("forgetDefinition", { kind, id }),
      },
      remoteStatus: (node, service) => remoteStatus(operations, { node, service, tokens }),
      log,
    });
    agent.events.services = () => [...this.local.services.values()].map(({ definition }) => definition);
    this.#runner.onResult = ({ id, status, output }) => this.local.setStatus(id, status, output);
  }

  /** Takes what is in files and what was kept, and tells the catalog of it from then on. */
  async start(): Promise<void> {
    const { open: { files, kept }, agent, operations, tokens, log } = this.#parts;
    await this.replace(files);
    this.local.restore(kept);
    const access = catalogAccess(operations, tokens);
    this.#antiEntropy = new AntiEntropy({ agent, local: this.local, access, tokens, log });
  }

  /** Takes other files. */
  async replace({ services, checks }: FileDefinitions): Promise<void> {
    await this.local.replaceFromFiles(services, checks);
  }

  /** Takes the line to the Worker of checks. */
  connect(port: MessagePort): void {
    this.#runner.connect(port);
  }

  /** The catalog is to be looked at. */
  soon(): void {
    this.#antiEntropy?.soon();
  }

  /** Ends timers and checks. */
  close(): void {
    this.#antiEntropy?.close();
    this.local.close();
    this.#runner.close();
  }
}
