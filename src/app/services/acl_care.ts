/**
 * What the leader does for access control: it makes the token of the configuration (`initial_management`), and removes
 * those whose time is over. They count no more from that time on, whoever leads; the removal only tidies up.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";
import type { LogLevel } from "../../base/worker/log.ts";
import type { NodeState } from "../../base/shared/node_state.ts";
import { BOOTSTRAP_NAME, HAS_EXPIRED, isFreeSecret, REMOVE_EXPIRED } from "../../core/catalog/acl_schema.ts";
import { type CatalogWrite, NOW } from "../../core/catalog/catalog.ts";
import { digestOf } from "../acl/access.ts";
import { type Catalog, ConflictError } from "../agent/catalog.ts";
import { managementBody, tokenRow } from "./acl_operations.ts";

/** Dependencies. */
export interface AclCareParts {
  readonly catalog: Pick<Catalog, "read" | "write">;
  readonly state: Pick<NodeState, "isLeader">;
  /** Empty for none. */
  readonly initialManagement: string;
  log(line: string, level?: LogLevel): void;
}

const PERIOD_MS = 15_000;
const RETRY_MS = 500;

/** The care of one server. */
export class AclCare {
  readonly #parts: AclCareParts;
  readonly #timer: ReturnType<typeof setInterval>;
  /** Whether the token of the configuration is known to be there. */
  #hasToken: boolean;

  constructor(parts: AclCareParts) {
    this.#parts = parts;
    this.#hasToken = parts.initialManagement === "";
    this.#timer = setInterval(() => this.soon(), PERIOD_MS);
    Deno.unrefTimer(Number(this.#timer));
  }

  /** Looks now, where this node leads. */
  async soon(): Promise<void> {
    const { state, log } = this.#parts;
    if (!state.isLeader) return;
    try {
      await this.tidy();
    } catch (error) {
      if (state.isLeader) log(`tokens could not be tidied up: ${messageOf(error)}`, "warn");
      if (!this.#hasToken) Deno.unrefTimer(Number(setTimeout(() => this.soon(), RETRY_MS)));
    }
  }

  /** @throws {Error} When the catalog cannot be read or written. */
  async tidy(): Promise<void> {
    const { catalog, initialManagement, log } = this.#parts;
    if (!this.#hasToken) {
      if (await isWritten(catalog, await initialToken(initialManagement))) {
        log("made the token of acl.tokens.initial_management");
      }
      this.#hasToken = true;
    }
    const { rows: [expired] } = await catalog.read([{ sql: HAS_EXPIRED, positional: [BigInt(Date.now())] }]);
    if (expired.length > 0) await catalog.write([REMOVE_EXPIRED]);
  }

  /** Looks no more. */
  close(): void {
    clearInterval(this.#timer);
  }
}

async function initialToken(secret: string): Promise<CatalogWrite[]> {
  const digest = await digestOf(secret);
  const accessor = crypto.randomUUID();
  return [
    isFreeSecret(digest, ""),
    tokenRow(accessor, digest, managementBody("Initial Management Token"), 0),
    {
      sql: `INSERT OR IGNORE INTO _muster_acl_state VALUES('${BOOTSTRAP_NAME}', ?, ${NOW}, ${NOW})`,
      positional: [accessor],
    },
  ];
}

async function isWritten(catalog: AclCareParts["catalog"], writes: readonly CatalogWrite[]): Promise<boolean> {
  try {
    await catalog.write(writes);
    return true;
  } catch (error) {
    if (error instanceof ConflictError) return false; // it is there
    throw error;
  }
}
