/**
 * How buttons that change something work: each asks, says in plain words what happens, and shows the commands that do the same.
 * @module
 */
import { ask } from "../api.ts";
import { confirmed, tell } from "../parts/dialog.tsx";
import { messageOf } from "../parts/fault.ts";
import { session } from "../session.ts";
import { curlOf, musterOf } from "./commands.ts";

/** An operation. */
export interface Operation {
  readonly title: string;
  /** What happens. */
  readonly text: string;
  /** What the button says. */
  readonly action: string;
  readonly method: "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly body?: unknown;
  /** Words of the command that does the same. */
  readonly muster?: readonly string[];
  /** Whether nodes of `muster serve` answer that command, too. @default {false} */
  readonly isForAll?: boolean;
  readonly typed?: string;
  /** Whether nothing is lost by it. @default {false} */
  readonly isSafe?: boolean;
  /** What is said when it is done; empty: nothing, as the answer has to be read first. */
  readonly done: string;
}

/** Asks, and does it. @returns The answer; undefined where it was not done. */
export async function run(operation: Operation): Promise<Response | undefined> {
  const { title, text, action, method, path, muster, isForAll = false, typed, isSafe = false, done } = operation;
  const body = operation.body === undefined ? undefined : JSON.stringify(operation.body);
  const isSure = await confirmed({
    title,
    text,
    action,
    isSafe,
    ...(typed === undefined ? {} : { typed }),
    commands: [
      curlOf(method, path, body === undefined ? {} : { body }),
      ...(muster && (isForAll || session.value.isAgent) ? [musterOf(...muster)] : []),
    ],
  });
  if (!isSure) return undefined;
  try {
    const response = await ask(path, { method, ...(body === undefined ? {} : { body }) });
    if (done !== "") tell(done);
    return response;
  } catch (error) {
    tell(messageOf(error), { isError: true });
    return undefined;
  }
}
