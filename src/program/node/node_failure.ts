/**
 * Why a node cannot go on.
 * @module
 */
import { messageOf } from "../../base/codec/error_text.ts";

/** The node cannot go on. */
export class NodeFailure extends Error {
  /** Always `NodeFailure`. */
  override readonly name = "NodeFailure";
  /** For the process. */
  readonly exitCode: number;

  /** A failure for the operator; `exitCode` is the process's. */
  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Turns an error that the operator has to fix into a failure of the node. */
export function orFail<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new NodeFailure(messageOf(error));
  }
}
