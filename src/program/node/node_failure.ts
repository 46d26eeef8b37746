/**
 * Why a node cannot go on.
 * @module
 */

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
