/**
 * Changes of keys, wherever they are: one blocking query, whose answer has the names of the top alone, tells of all of them.
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "../api.ts";
import { messageOf } from "../parts/fault.ts";
import { Store, useStore } from "../store.ts";
import { keepLive } from "./live.ts";

const PATH = "v1/kv/?keys&separator=/";
/** Shortest time between two answers: each has what is open read again. */
const GAP_MS = 1000;

/** Forms that are open: what is around them stays as it is. */
const forms = new Store(0);

/** Has the keys around stay as they are while `isEditing`. */
export function useEditing(isEditing: boolean): void {
  useEffect(() => {
    if (!isEditing) return;
    forms.value++;
    return () => {
      forms.value--;
    };
  }, [isEditing]);
}

/** What is known of changes. */
export interface KvChanges {
  /** Another one after each change. */
  readonly version: number;
  /** Why changes are not heard of; empty where they are. */
  readonly fault: string;
  /** Whether changes are held back, as somebody edits. */
  readonly isHeld: boolean;
}

/** Hears of changes while the component is shown. */
export function useKvChanges(): KvChanges {
  const [version, setVersion] = useState(0);
  const [fault, setFault] = useState("");
  const isHeld = useStore(forms) > 0;
  const shown = useRef(0);
  useEffect(() => {
    const ending = new AbortController();
    const changed = () => {
      setVersion((one) => one + 1);
      setFault("");
    };
    keepLive(PATH, {
      signal: ending.signal,
      gapMs: GAP_MS,
      onData: changed,
      onFault: (error) => {
        if (error instanceof ApiError && error.status === 404) changed();
        else setFault(messageOf(error));
      },
    });
    return () => ending.abort();
  }, []);
  if (!isHeld) shown.current = version;
  return { version: shown.current, fault, isHeld };
}

/** Says, unobtrusively, that what is shown changes by itself, or why it does not. */
export function LiveSign({ changes: { fault, isHeld } }: { readonly changes: KvChanges }): JSX.Element {
  if (fault !== "") return <span class="live-sign off" role="status" title={fault}>not current</span>;
  return (
    <span
      class="live-sign"
      title={isHeld ? "Changes are shown when the form is closed" : "Changes are shown as they come"}
    >
      <span class="dot" aria-hidden="true" /> {isHeld ? "held" : "live"}
    </span>
  );
}
