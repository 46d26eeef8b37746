/**
 * The lock that keeps statements from writing until somebody opens it: one for the page SQL and for changes of tables.
 * @module
 */
import type { JSX } from "preact";
import { Icon } from "../parts/icon.tsx";
import { may } from "../session.ts";
import { settings } from "../sql_run.ts";
import { useStore } from "../store.ts";

/** Whether the caller may write, and the lock is open. */
export function useUnlocked(): boolean {
  return useStore(settings).isUnlocked && may("execute");
}

/** The lock; nothing for who may not write. */
export function WriteLock(): JSX.Element | null {
  const { isUnlocked } = useStore(settings);
  if (!may("execute")) return null;
  return (
    <button
      type="button"
      class={isUnlocked ? "danger" : ""}
      aria-pressed={isUnlocked}
      onClick={() => settings.value = { ...settings.value, isUnlocked: !isUnlocked }}
      title={isUnlocked ? "Statements may write; press to lock" : "Statements may not write; press to unlock"}
    >
      <Icon name={isUnlocked ? "unlock" : "lock"} /> {isUnlocked ? "Writes allowed" : "Read-only"}
    </button>
  );
}
