/**
 * A drawing of figures over time by uPlot, in the colours of the page. uPlot sets styles by the object model, which the page's
 * policy allows; its style sheet is console/uplot.css.
 * @module
 */
import uPlot from "uplot";
import { valueText } from "../consul/history.ts";

/** A line. */
export interface Line {
  readonly label: string;
  /** Name of a colour of the style sheet, such as `--accent`. */
  readonly colour: string;
}

/** What is drawn. */
export interface ChartOptions {
  readonly host: HTMLElement;
  readonly lines: readonly Line[];
  readonly unit: string;
  readonly height: number;
}

/** A drawing. */
export interface Chart {
  /** Draws other values: times in seconds, then a column for each line. */
  set(columns: readonly (readonly (number | null)[])[], range: readonly [from: number, to: number]): void;
  close(): void;
}

/** All drawings show the same time under the cursor. */
const SYNC = "figures";
/** Steps of an axis of bytes are powers of two. */
const BYTE_STEPS = Array.from({ length: 45 }, (_, at) => 2 ** at);
const FONT = "11px system-ui, sans-serif";

/** A colour as it is now: dark and light have different ones. */
function colourOf(host: HTMLElement, name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  host.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** A value between two gaps is no line: it is drawn as a point. */
function alone({ data }: uPlot, of: number): number[] {
  const column = data[of];
  const isThere = (at: number) => column[at] !== null && column[at] !== undefined;
  return Array.from(column.keys()).filter((at) => isThere(at) && !isThere(at - 1) && !isThere(at + 1));
}

/** Draws. */
export function drawChart({ host, lines, unit, height }: ChartOptions): Chart {
  const [text, grid] = [colourOf(host, "--muted"), colourOf(host, "--line")];
  const axis = {
    stroke: text,
    font: FONT,
    grid: { stroke: grid, width: 1 },
    ticks: { stroke: grid, width: 1, size: 4 },
  };
  let range: readonly [number, number] = [0, 1];
  const plot = new uPlot(
    {
      width: host.clientWidth || 300,
      height,
      cursor: { sync: { key: SYNC }, points: { size: 6 }, drag: { x: false, y: false } },
      padding: [6, 10, 0, 0],
      legend: { live: true },
      hooks: { setCursor: [() => showLatest()] },
      scales: {
        x: { range: () => [range[0], range[1]] },
        y: { range: (_, least, most) => [Math.min(0, least ?? 0), most > 0 ? most * 1.1 : 1] },
      },
      axes: [
        { ...axis, size: 26, values: (_, splits) => splits.map((one) => clockText(one)), space: 64 },
        {
          ...axis,
          size: 62,
          values: (_, splits) => splits.map((one) => valueText(one, unit)),
          space: 28,
          ...(unit === "By" ? { incrs: BYTE_STEPS } : {}),
        },
      ],
      series: [
        { label: "At", value: (_, seconds) => seconds === null ? "–" : clockText(seconds, true) },
        ...lines.map(({ label, colour }): uPlot.Series => ({
          label,
          stroke: colourOf(host, colour),
          width: 1.5,
          points: { show: true, size: 4, filter: alone },
          value: (_, value) => valueText(value, unit),
        })),
      ],
    },
    [[], ...lines.map(() => [])],
    host,
  );
  // Without a cursor the legend has the latest values.
  const showLatest = () => {
    const { data, cursor } = plot;
    if ((cursor.left ?? -1) >= 0) return;
    const idxs = data.map((column) => column.findLastIndex((one) => one !== null && one !== undefined));
    plot.setLegend({ idxs: idxs.map((at) => at < 0 ? null : at) }, false);
  };
  const resizing = new ResizeObserver(() => {
    if (host.clientWidth > 0 && host.clientWidth !== plot.width) plot.setSize({ width: host.clientWidth, height });
  });
  resizing.observe(host);
  return {
    set([times, ...columns], shown) {
      range = shown;
      plot.setData([times.map((one) => one ?? 0), ...columns.map((column) => [...column])]);
      showLatest();
    },
    close() {
      resizing.disconnect();
      plot.destroy();
    },
  };
}

function clockText(seconds: number, withSeconds = false): string {
  return new Date(seconds * 1000).toLocaleTimeString([], {
    hour: "2-digit",
    minute: "2-digit",
    ...(withSeconds ? { second: "2-digit" } : {}),
  });
}
