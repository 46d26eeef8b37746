/** A node with access control, and requests with tokens. */
import type { AclSettings } from "../../src/app/acl/settings.ts";
import type { Answered, LocalNode } from "./local_node.ts";

/** Everything is denied that no rule allows. */
export const DENY: AclSettings = {
  defaultPolicy: "deny",
  downPolicy: "extend-cache",
  tokenTtlMs: 30_000,
  listsKeys: false,
  keepsTokens: false,
  initialManagement: "",
  tokens: {},
};

/** Requests to a node in which access control is on. */
export class AclClient {
  readonly node: LocalNode;
  /** Secret of the token with all rights. */
  readonly root: string;

  private constructor(node: LocalNode, root: string) {
    this.node = node;
    this.root = root;
  }

  /** Makes the first token. */
  static async bootstrap(node: LocalNode): Promise<AclClient> {
    const { SecretID } = await node.json("PUT", "/v1/acl/bootstrap");
    return new AclClient(node, SecretID);
  }

  /** Sends a request with a token; an empty one: none. */
  async send(secret: string, method: string, target: string, body: unknown = ""): Promise<Answered> {
    const authorization = secret === "" ? "" : `Bearer ${secret}`;
    return await this.node.send(method, target, body, { authorization });
  }

  /** JSON of an answer that is to be 200, with the token that may do everything. */
  // deno-lint-ignore no-explicit-any
  async json(method: string, target: string, body: unknown = "", secret = this.root): Promise<any> {
    const { status, text } = await this.send(secret, method, target, body);
    if (status !== 200) throw new Error(`${method} ${target}: ${status} ${text}`);
    return JSON.parse(text);
  }

  /** Makes a token with rules; its secret and accessor. */
  async token(
    rules: string,
    more: Record<string, unknown> = {},
  ): Promise<{ secret: string; accessor: string; policy: string }> {
    const { ID } = await this.json("PUT", "/v1/acl/policy", { Name: `p-${crypto.randomUUID()}`, Rules: rules });
    const { SecretID, AccessorID } = await this.json("PUT", "/v1/acl/token", { Policies: [{ ID }], ...more });
    return { secret: SecretID, accessor: AccessorID, policy: ID };
  }
}
