/**
 * A table of values that may have very many rows: only those that are seen are there. The keyboard moves from cell to cell.
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { tell } from "./dialog.tsx";
import { copyText } from "./clipboard.ts";
import { cellText, fullText, kindOf, type Value } from "./value.ts";

/** What a grid shows. */
export interface GridProps {
  /** What it is of, for people who do not see it. */
  readonly label: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Value[])[];
  /** Class of a row, such as `removed`. */
  rowClass?(row: number): string;
  /** Class of a cell, such as `changed`. */
  cellClass?(row: number, column: number): string;
  /** A cell is opened. */
  onOpen?(row: number, column: number): void;
  /** The heading of a column is pressed. */
  onSort?(column: number): void;
  /** The column that the rows are sorted by. */
  readonly sorted?: { readonly column: number; readonly isDescending: boolean } | undefined;
  /** The end of the rows is near. */
  onEnd?(): void;
}

const ROW_HEIGHT = 28;
/** Rows that are there beyond those that are seen. */
const BEYOND = 12;
/** Rows whose texts decide how wide columns are. */
const MEASURED_ROWS = 200;
const [WIDTH_MIN, WIDTH_MAX, CHARACTER_WIDTH] = [64, 380, 7.8];

/** Widths of columns in pixels, by the texts of the first rows. */
function widthsOf(columns: readonly string[], rows: readonly (readonly Value[])[]): readonly number[] {
  return columns.map((name, at) => {
    const longest = rows.slice(0, MEASURED_ROWS).reduce(
      (most, row) => Math.max(most, cellText(row[at] ?? null).length),
      name.length + 2,
    );
    return Math.min(WIDTH_MAX, Math.max(WIDTH_MIN, Math.round(longest * CHARACTER_WIDTH) + 24));
  });
}

/** The grid. */
export function Grid(props: GridProps): JSX.Element {
  const { label, columns, rows, onOpen, onEnd } = props;
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 400 });
  const [cell, showCell] = useState<readonly [row: number, column: number]>([0, 0]);
  // A key may come before the last one is drawn.
  const latest = useRef(cell);
  const setCell = (next: readonly [row: number, column: number]) => {
    latest.current = next;
    showCell(next);
  };
  // More rows that come later must not move the columns.
  const measured = rows.length > 0;
  const widths = useMemo(() => widthsOf(columns, rows), [columns.join("\0"), measured]);
  const template = `${numberWidth(rows.length)}px ${widths.map((width) => `${width}px`).join(" ")}`;
  const first = Math.max(0, Math.floor(view.top / ROW_HEIGHT) - BEYOND);
  const last = Math.min(rows.length, Math.ceil((view.top + view.height) / ROW_HEIGHT) + BEYOND);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const look = () => setView({ top: element.scrollTop, height: element.clientHeight });
    const observer = new ResizeObserver(look);
    observer.observe(element);
    look();
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    if (last >= rows.length) onEnd?.();
  }, [last, rows.length]);
  const onScroll = () => {
    const element = box.current;
    if (element) setView({ top: element.scrollTop, height: element.clientHeight });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const next = moved(event.ctrlKey ? `Ctrl ${event.key}` : event.key, latest.current, {
      rows: rows.length,
      columns: columns.length,
      page: pageOf(view.height),
    });
    if (next) {
      event.preventDefault();
      setCell(next);
      if (box.current) show(box.current, next, widths);
    } else if (event.key === "Enter" && rows.length > 0) {
      event.preventDefault();
      onOpen?.(...latest.current);
    } else if (event.key === "c" && (event.ctrlKey || event.metaKey) && getSelection()?.isCollapsed !== false) {
      const [row, column] = latest.current;
      const value = rows[row]?.[column];
      if (value !== undefined) copyText(fullText(value)).then((isDone) => tell(isDone ? "Copied" : "Cannot copy"));
    }
  };
  return (
    <div
      class="grid"
      role="grid"
      aria-label={label}
      aria-rowcount={rows.length + 1}
      aria-colcount={columns.length}
      tabIndex={0}
      ref={box}
      onScroll={onScroll}
      onKeyDown={onKeyDown}
    >
      <div class="grid-head" role="row" aria-rowindex={1} style={{ gridTemplateColumns: template }}>
        <span role="columnheader" class="grid-number" aria-label="Row">#</span>
        {columns.map((name, at) => <Heading key={at} name={name} at={at} props={props} />)}
      </div>
      {rows.length === 0 && <p class="muted grid-empty">No rows</p>}
      <div class="grid-body" role="rowgroup" style={{ height: `${rows.length * ROW_HEIGHT}px` }}>
        {rows.slice(first, last).map((row, offset) => (
          <Row
            key={first + offset}
            row={row}
            at={first + offset}
            template={template}
            current={cell[0] === first + offset ? cell[1] : -1}
            props={props}
            onCell={setCell}
          />
        ))}
      </div>
    </div>
  );
}

function numberWidth(rows: number): number {
  return Math.max(40, String(rows).length * 8 + 20);
}

function pageOf(height: number): number {
  return Math.max(1, Math.floor(height / ROW_HEIGHT) - 2);
}

/** Where a key leads from a cell; undefined where it leads nowhere. */
function moved(
  key: string,
  [row, column]: readonly [number, number],
  { rows, columns, page }: { readonly rows: number; readonly columns: number; readonly page: number },
): readonly [number, number] | undefined {
  const steps: Readonly<Record<string, readonly [number, number]>> = {
    ArrowUp: [-1, 0],
    ArrowDown: [1, 0],
    ArrowLeft: [0, -1],
    ArrowRight: [0, 1],
    PageUp: [-page, 0],
    PageDown: [page, 0],
    Home: [0, -columns],
    End: [0, columns],
    "Ctrl Home": [-rows, -columns],
    "Ctrl End": [rows, columns],
  };
  const step = steps[key];
  if (!step || rows === 0) return undefined;
  const within = (at: number, count: number) => Math.min(count - 1, Math.max(0, at));
  return [within(row + step[0], rows), within(column + step[1], columns)];
}

/** Moves the view so that a cell is in it. */
function show(box: HTMLElement, [row, column]: readonly [number, number], widths: readonly number[]): void {
  const top = row * ROW_HEIGHT;
  const seen = box.clientHeight - 2 * ROW_HEIGHT;
  if (top < box.scrollTop) box.scrollTop = top;
  else if (top > box.scrollTop + seen) box.scrollTop = top - seen;
  const left = widths.slice(0, column).reduce((sum, width) => sum + width, 0);
  if (left < box.scrollLeft) box.scrollLeft = left;
  else if (left + widths[column] > box.scrollLeft + box.clientWidth - 60) {
    box.scrollLeft = left + widths[column] - box.clientWidth + 60;
  }
}

function Heading(
  { name, at, props: { onSort, sorted } }: {
    readonly name: string;
    readonly at: number;
    readonly props: GridProps;
  },
): JSX.Element {
  const isSorted = sorted?.column === at;
  const order = !isSorted ? undefined : sorted.isDescending ? "descending" : "ascending";
  return (
    <span role="columnheader" aria-colindex={at + 1} aria-sort={order} title={name}>
      {onSort
        ? (
          <button type="button" tabIndex={-1} onClick={() => onSort(at)}>
            <bdi>{name}</bdi> {isSorted && <span aria-hidden="true">{sorted.isDescending ? "↓" : "↑"}</span>}
          </button>
        )
        : <bdi>{name}</bdi>}
    </span>
  );
}

function Row(
  { row, at, template, current, props: { columns, rowClass, cellClass, onOpen }, onCell }: {
    readonly row: readonly Value[];
    readonly at: number;
    readonly template: string;
    /** The column that the keyboard is at; -1: none of this row. */
    readonly current: number;
    readonly props: GridProps;
    readonly onCell: (cell: readonly [number, number]) => void;
  },
): JSX.Element {
  return (
    <div
      class={`grid-row ${rowClass?.(at) ?? ""}`}
      role="row"
      aria-rowindex={at + 2}
      style={{ gridTemplateColumns: template, transform: `translateY(${at * ROW_HEIGHT}px)` }}
    >
      <span role="rowheader" class="grid-number">{at + 1}</span>
      {columns.map((_, column) => {
        const value = row[column] ?? null;
        return (
          <span
            key={column}
            role="gridcell"
            aria-colindex={column + 1}
            aria-selected={column === current}
            class={`${kindOf(value)} ${column === current ? "current" : ""} ${cellClass?.(at, column) ?? ""}`}
            onClick={() => onCell([at, column])}
            onDblClick={() => onOpen?.(at, column)}
          >
            <bdi>{cellText(value)}</bdi>
          </span>
        );
      })}
    </div>
  );
}
