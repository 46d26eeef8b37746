/**
 * The pictograms: lines on a field of 16 by 16, in the colour of the text.
 * @module
 */
import type { JSX } from "preact";

const PATHS = {
  overview: "M8 2.2v3M3.4 12.4 6 8.8M12.6 12.4 10 8.8M8 5.2a2.4 2.4 0 1 0 0 4.8 2.4 2.4 0 0 0 0-4.8M1.8 14h3M11.2 14h3",
  sql: "m2 4 4 4-4 4M8 12.5h6",
  data: "M2 3h12v10H2zM2 6.3h12M2 9.7h12M6 6.3V13",
  play: "M4.5 2.8 12.5 8l-8 5.2z",
  stop: "M4 4h8v8H4z",
  lock: "M4 7.2h8v6H4zM5.7 7V5a2.3 2.3 0 0 1 4.6 0v2",
  unlock: "M4 7.2h8v6H4zM5.7 7V5a2.3 2.3 0 0 1 4.4-1",
  plan: "M3 3h4M5 3v10M5 8h4M5 13h4M11 8h2M11 13h2",
  live: "M1.5 8h3l2-5 3 10 2-5h3",
  copy: "M5.5 5.5h8v8h-8zM3 10.5H2.5v-8h8V3",
  save: "M8 2v8M5 7l3 3 3-3M2.5 13.5h11",
  folder: "M2 4h4.5L8 5.7h6v7.3H2z",
  open: "M8 10V2M5 5l3-3 3 3M2.5 13.5h11",
  plus: "M8 3v10M3 8h10",
  close: "m4 4 8 8M12 4l-8 8",
  trash: "M3 4.5h10M6 4V2.5h4V4M4.5 4.5l.6 9h5.8l.6-9",
  star: "m8 2 1.8 3.9 4.2.5-3.1 2.9.8 4.2L8 11.4l-3.7 2.1.8-4.2L2 6.4l4.2-.5z",
  history: "M2.5 8a5.5 5.5 0 1 0 1.6-3.9L2.5 5.7M2.5 2.5v3.2h3.2M8 5v3.2l2.2 1.3",
  warning: "M8 2 14.5 13.5h-13zM8 6.5v3.2M8 11.4v.4",
  good: "m3 8.5 3.2 3.2L13 5",
  user: "M8 2.5a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6M2.8 13.8c.6-2.6 2.7-3.8 5.2-3.8s4.6 1.2 5.2 3.8",
  theme: "M8 2.2a5.8 5.8 0 1 0 0 11.6zM8 2.2a5.8 5.8 0 0 1 0 11.6",
  link: "M6.5 3H3v10h10V9.5M9 2.5h4.5V7M13.2 2.8 7.5 8.5",
  menu: "M2 4h12M2 8h12M2 12h12",
  key: "M10.2 2.5a3.3 3.3 0 1 0 0 6.6 3.3 3.3 0 0 0 0-6.6M7.8 8.2 2.5 13.5M4 12l1.5 1.5",
  refresh: "M13.5 8A5.5 5.5 0 1 1 12 4.2L13.5 5.7M13.5 2.5v3.2h-3.2",
  filter: "M2 3.5h12L9.5 9v4.5l-3-1.5V9z",
  services: "M2.5 3h11v3.5h-11zM2.5 9.5h11V13h-11zM5 4.7h.1M5 11.2h.1",
  check: "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8M5 8.2l2.1 2.1L11 6",
  tree: "M3 2.5v9h4M3 5.5h4M9 4h4.5v3H9zM9 10h4.5v3H9z",
  tools: "M9.8 6.2 3 13M12.9 5.4A3.2 3.2 0 0 1 8.6 3l1.8 1.8 1.8-.4.4-1.8L14 4a3.2 3.2 0 0 1-1.1 1.4",
  document: "M3.5 2h6L13 5.5V14H3.5zM9.5 2v3.5H13M6 8.5h4.5M6 11h4.5",
  event: "M8.8 1.8 3.5 9h4l-.6 5.2L12.5 7H8.3z",
  figures: "M2 13.5h12M3.5 11V8M7 11V4M10.5 11V6.5M13.5 11V2.5",
  shield: "M8 1.8 13 3.6v4c0 3.2-2 5.4-5 6.6-3-1.2-5-3.4-5-6.6v-4z",
} as const;

/** Name of a pictogram. */
export type IconName = keyof typeof PATHS;

/** A pictogram beside a text that says the same. */
export function Icon({ name }: { readonly name: IconName }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
