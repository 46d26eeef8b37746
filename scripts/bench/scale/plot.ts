/**
 * Draws series as SVG, without a browser, by Apache ECharts.
 * @module
 */
// deno-lint-ignore no-import-prefix -- a tool alone needs it: deno.json would have every task fetch it
import * as echarts from "npm:echarts@6.1.0";
import type { Series } from "./series.ts";

const WIDTH = 640;
const HEIGHT = 320;

/** An SVG file with the lines of a series; both axes are logarithmic. */
export function plot({ title, size, figure, lines }: Series): string {
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height: HEIGHT });
  try {
    chart.setOption({
      animation: false,
      backgroundColor: "#ffffff",
      title: { text: title, left: 12, top: 8, textStyle: { fontSize: 14 } },
      legend: { top: 8, right: 12 },
      grid: { left: 76, right: 24, top: 56, bottom: 52 },
      xAxis: { type: "log", name: size, nameLocation: "middle", nameGap: 30 },
      yAxis: { type: "log", name: figure, nameLocation: "middle", nameGap: 56 },
      series: lines.map(({ name, points }) => ({
        name,
        type: "line",
        symbolSize: 7,
        data: points.filter(({ y }) => y > 0).map(({ x, y }) => [x, y]),
      })),
    });
    return `${chart.renderToSVGString()}\n`;
  } finally {
    chart.dispose();
  }
}
