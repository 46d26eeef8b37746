/**
 * Dark or light: as the system has it, unless somebody has chosen.
 * @module
 */
import { Store } from "./store.ts";

const THEMES = ["as the system", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];
const KEPT = "muster.theme";

function kept(): Theme {
  try {
    return THEMES.find((one) => one === localStorage.getItem(KEPT)) ?? "as the system";
  } catch {
    return "as the system";
  }
}

/** The chosen one. */
export const theme = new Store<Theme>(kept());

function show(chosen: Theme): void {
  if (chosen === "as the system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}

/** Takes the next one. */
export function nextTheme(): void {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length];
  show(theme.value);
  try {
    localStorage.setItem(KEPT, theme.value);
  } catch {
    // a browser that keeps nothing
  }
}

show(theme.value);
