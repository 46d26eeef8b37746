/**
 * The state of a check in a word and a colour.
 * @module
 */
import type { JSX } from "preact";

/** States of checks, the worst first; `none` is that of something without checks. */
export const STATES = ["critical", "warning", "passing", "none"] as const;

/** A state. */
export type State = (typeof STATES)[number];

/** The state that a text from outside names. */
export function stateOf(text: string): State {
  return STATES.find((one) => one === text) ?? "critical";
}

/** The worst of some states. */
export function worstOf(states: readonly State[]): State {
  return STATES.find((one) => states.includes(one)) ?? "none";
}

/** Sorts by state, the worst first. */
export function byState(a: State, b: State): number {
  return STATES.indexOf(a) - STATES.indexOf(b);
}

const WORDS: Readonly<Record<State, string>> = {
  critical: "critical",
  warning: "warning",
  passing: "passing",
  none: "no checks",
};

/** The state. @param text Another word for it. */
export function Status({ state, text }: { readonly state: State; readonly text?: string }): JSX.Element {
  return <span class={`health state-${state}`}>{text ?? WORDS[state]}</span>;
}
