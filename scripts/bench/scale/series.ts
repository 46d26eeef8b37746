/**
 * Series of the growth benchmark: what something costs at each size, and where it bends. Pure.
 * @module
 */

/** One measured point. */
export interface Point {
  /** The size. */
  readonly x: number;
  /** The figure. */
  readonly y: number;
}

/** A line: one kind of work over sizes. */
export interface Line {
  readonly name: string;
  readonly points: readonly Point[];
}

/** Lines over the same sizes. */
export interface Series {
  /** For files and `--only`. */
  readonly id: string;
  readonly title: string;
  /** What the sizes are. */
  readonly size: string;
  /** What the figures are, with their unit. */
  readonly figure: string;
  /** Whether more is better. */
  readonly isRate: boolean;
  readonly lines: readonly Line[];
}

/** A rate has bent where it falls below this share of its best, a time where it grows so much faster than its size. */
const RATE_SHARE = 0.8;
const STEEP = 1.3;

/** Says where a line bends, in words for the page. */
export function bendOf({ points }: Line, isRate: boolean): string {
  const known = points.filter(({ y }) => Number.isFinite(y) && y > 0);
  if (known.length < 2) return "too few points";
  return isRate ? bendOfRate(known) : bendOfTime(known);
}

function bendOfRate(points: readonly Point[]): string {
  const best = Math.max(...points.map(({ y }) => y));
  const grown = points.findIndex(({ y }) => y >= best * RATE_SHARE);
  const falling = points.findIndex(({ y }, at) => at > grown && y < best * RATE_SHARE);
  if (grown === points.length - 1) return "grows to the end";
  const until = grown === 0 ? "level" : `grows until ${sizeText(points[grown].x)}, then level`;
  return falling < 0 ? until : `${until}, below 80 % of its best from ${sizeText(points[falling].x)} on`;
}

/** The slope on logarithmic axes: 1 is as fast as the size. */
function bendOfTime(points: readonly Point[]): string {
  const slopes = points.slice(1).map(({ x, y }, at) => Math.log(y / points[at].y) / Math.log(x / points[at].x));
  const steep = slopes.findIndex((slope) => slope > STEEP);
  const total = Math.log(points[points.length - 1].y / points[0].y) /
    Math.log(points[points.length - 1].x / points[0].x);
  const overall = `exponent ${total.toFixed(2)} over all`;
  if (steep < 0) return `${overall}, never faster than the size`;
  return `${overall}, faster than the size from ${sizeText(points[steep].x)} on`;
}

/** A size as people write it. */
export function sizeText(size: number): string {
  return size.toLocaleString("en-US");
}
