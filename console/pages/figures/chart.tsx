/**
 * A drawing with its title, of some figures with the same unit.
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { columnsOf, type Figures } from "../../consul/history.ts";
import { type Chart, drawChart } from "../../parts/chart.ts";
import { useStore } from "../../store.ts";
import { theme } from "../../theme.ts";

/** What a drawing shows. */
export interface Group {
  readonly title: string;
  readonly names: readonly (readonly [name: string, label: string])[];
}

const COLOURS = ["--accent", "--doubtful", "--bad", "--blob"];
const HEIGHT = 150;

/** A number that changes when the colours of the system do. */
function useSystemColours(): boolean {
  const query = matchMedia("(prefers-color-scheme: dark)");
  const [isDark, setDark] = useState(query.matches);
  useEffect(() => {
    const renew = () => setDark(query.matches);
    query.addEventListener("change", renew);
    return () => query.removeEventListener("change", renew);
  }, []);
  return isDark;
}

/** The drawing. */
export function ChartCard(
  { group: { title, names }, figures, spanMs }: {
    readonly group: Group;
    readonly figures: Figures;
    readonly spanMs: number;
  },
): JSX.Element | null {
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<Chart | undefined>(undefined);
  const [chosen, isDark] = [useStore(theme), useSystemColours()];
  const shown = names.filter(([name]) => figures.series.has(name));
  const key = shown.map(([name]) => name).join();
  const unit = figures.series.get(shown[0]?.[0] ?? "")?.unit ?? "1";
  useEffect(() => {
    if (!host.current || shown.length === 0) return;
    const lines = shown.map(([, label], at) => ({ label, colour: COLOURS[at % COLOURS.length] }));
    const drawn = drawChart({ host: host.current, lines, unit, height: HEIGHT });
    chart.current = drawn;
    return () => {
      chart.current = undefined;
      drawn.close();
    };
  }, [key, chosen, isDark]);
  useEffect(() => {
    const to = figures.nowMs / 1000;
    chart.current?.set(columnsOf(figures, shown.map(([name]) => name)), [to - spanMs / 1000, to]);
  }, [key, chosen, isDark, figures, spanMs]);
  if (shown.length === 0) return null;
  return (
    <figure class="card chart">
      <figcaption>{title}</figcaption>
      <div ref={host} class="chart-host" role="img" aria-label={`${title} over time`} />
    </figure>
  );
}
