/**
 * What an agent is told of its own services at its start. Types only.
 * @module
 */
import type { CheckDefinition, ServiceDefinition } from "../../core/health/definitions.ts";
import type { KeptKind, LocalOptions } from "./local_state.ts";

/** Services and checks in files of configuration. */
export interface FileDefinitions {
  /** Services, with their checks. */
  readonly services: readonly ServiceDefinition[];
  /** Those that stand by themselves. */
  readonly checks: readonly CheckDefinition[];
}

/** An agent's own services. */
export interface OpenLocal {
  readonly options: LocalOptions;
  readonly files: FileDefinitions;
  /** What was kept of requests, as texts of JSON. */
  readonly kept: { readonly [Kind in KeptKind]: readonly string[] };
}
