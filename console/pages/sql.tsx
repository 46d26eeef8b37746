/** @module */
import type { JSX } from "preact";
/** */
export function SqlPage(): JSX.Element {
  return <p>SQL</p>;
}
