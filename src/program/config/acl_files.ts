/**
 * What access control keeps in the data directory: the tokens of the agent that a request has set (`acl-tokens.json`, if
 * `acl.enable_token_persistence` says so), for the owner of the directory alone; and the file with which an operator who
 * has lost the last management token lets the first one be made again.
 * @module
 */
import { mapOf, text } from "../../base/codec/shape.ts";
import { messageOf } from "../../base/codec/error_text.ts";
import { type AclSettings, AGENT_TOKENS, type AgentTokenName } from "../../app/acl/settings.ts";

const TOKENS = "acl-tokens.json";
const RESET = "acl-bootstrap-reset";
/** Neither is longer. */
const BYTES_MAX = 64 * 1024;
const tokens = mapOf(text(255), 16);

/** The files in one data directory. */
export class AclFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** What HTTP asks the supervisor for. */
  tasks(
    log: (line: string) => void,
  ): { keepTokens: (asked: { text: string }) => void; takeBootstrapReset: () => number } {
    return { keepTokens: ({ text }) => this.keepTokens(text), takeBootstrapReset: () => this.takeReset(log) };
  }

  /** Keeps tokens, as JSON. */
  keepTokens(json: string): void {
    const path = `${this.#directory}/${TOKENS}`;
    Deno.writeTextFileSync(`${path}.new`, json, { mode: 0o600 });
    Deno.renameSync(`${path}.new`, path);
  }

  /** Settings with the tokens that were kept, which win; a file that cannot be read is named by `log`. */
  withKept(settings: AclSettings, log: (line: string) => void): AclSettings {
    if (!settings.keepsTokens) return settings;
    const found = this.#read(TOKENS, log);
    if (found === undefined) return settings;
    try {
      const all = Object.entries(tokens(JSON.parse(found), "the file"));
      const kept = all.filter((entry): entry is [AgentTokenName, string] =>
        AGENT_TOKENS.some((one) => one === entry[0])
      );
      return { ...settings, tokens: { ...settings.tokens, ...Object.fromEntries(kept) } };
    } catch (error) {
      log(
        `${this.#directory}/${TOKENS} is left out: ${
          error instanceof SyntaxError ? "it is no JSON" : messageOf(error)
        }`,
      );
      return settings;
    }
  }

  /** The tokens of settings and those that were kept; undefined where access control is off. */
  tokensOf(settings: AclSettings | undefined, log: (line: string) => void): AclSettings["tokens"] | undefined {
    return settings && this.withKept(settings, log).tokens;
  }

  /** The index in the file of a reset, which is removed; 0: there is none. */
  takeReset(log: (line: string) => void): number {
    const found = this.#read(RESET, log);
    if (found === undefined) return 0;
    Deno.removeSync(`${this.#directory}/${RESET}`);
    return /^\s*\d{1,15}\s*$/.test(found) ? Number(found) : 0;
  }

  #read(name: string, log: (line: string) => void): string | undefined {
    const path = `${this.#directory}/${name}`;
    try {
      if (Deno.statSync(path).size > BYTES_MAX) throw new Error("it is too large");
      return Deno.readTextFileSync(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) log(`${path} cannot be read: ${messageOf(error)}`);
      return undefined;
    }
  }
}
