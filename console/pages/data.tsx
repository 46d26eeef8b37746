/** @module */
import type { JSX } from "preact";
/** */
export function DataPage(): JSX.Element {
  return <p>SQL</p>;
}
