/**
 * Tables and their foreign keys as a picture: a table stands to the right of those that it refers to.
 * @module
 */
import type { JSX } from "preact";
import type { Table } from "../table.ts";
import { goTo } from "../router.ts";

/** A foreign key. */
export interface ForeignKey {
  readonly table: string;
  readonly column: string;
  readonly target: string;
  readonly targetColumn: string;
}

const [WIDTH, GAP_X, GAP_Y, LINE, HEAD] = [200, 62, 28, 20, 28];
/** Columns of a table that are shown. */
const COLUMNS_MAX = 14;

interface Box {
  readonly table: Table;
  readonly x: number;
  readonly y: number;
  readonly height: number;
}

function heightOf({ columns }: Table): number {
  const more = columns.length > COLUMNS_MAX ? 1 : 0;
  return HEAD + (Math.min(columns.length, COLUMNS_MAX) + more) * LINE + 8;
}

/** Levels of the tables: one more than those that they refer to. A circle ends where it began. */
function levelsOf(tables: readonly Table[], keys: readonly ForeignKey[]): ReadonlyMap<string, number> {
  const levels = new Map<string, number>();
  const levelOf = (name: string, path: readonly string[]): number => {
    const known = levels.get(name);
    if (known !== undefined) return known;
    const targets = keys.filter((key) => key.table === name && key.target !== name && !path.includes(key.target));
    const level = Math.max(0, ...targets.map(({ target }) => levelOf(target, [...path, name]) + 1));
    levels.set(name, level);
    return level;
  };
  for (const { name } of tables) levelOf(name, []);
  return levels;
}

/** Places tables: those that are connected in columns by level, the others below, in rows. */
function placed(tables: readonly Table[], keys: readonly ForeignKey[]): readonly Box[] {
  const isConnected = ({ name }: Table) => keys.some(({ table, target }) => table === name || target === name);
  const levels = levelsOf(tables, keys);
  const bottoms: number[] = [];
  const boxes = tables.filter(isConnected).map((table): Box => {
    const level = levels.get(table.name) ?? 0;
    const y = bottoms[level] ?? 0;
    bottoms[level] = y + heightOf(table) + GAP_Y;
    return { table, x: level * (WIDTH + GAP_X), y, height: heightOf(table) };
  });
  const perRow = Math.max(3, bottoms.length);
  let [x, y, rowHeight] = [0, Math.max(0, ...bottoms.filter(Number.isFinite)), 0];
  for (const table of tables.filter((one) => !isConnected(one))) {
    if (x >= perRow) [x, y, rowHeight] = [0, y + rowHeight + GAP_Y, 0];
    boxes.push({ table, x: x * (WIDTH + GAP_X), y, height: heightOf(table) });
    rowHeight = Math.max(rowHeight, heightOf(table));
    x++;
  }
  return boxes;
}

/** The picture. */
export function Diagram(
  { tables, keys }: { readonly tables: readonly Table[]; readonly keys: readonly ForeignKey[] },
): JSX.Element {
  const boxes = placed(tables, keys);
  const width = Math.max(0, ...boxes.map(({ x }) => x + WIDTH)) + 60;
  const height = Math.max(0, ...boxes.map((box) => box.y + box.height)) + 20;
  const label = keys.length === 0
    ? "Tables without foreign keys"
    : keys.map((key) => `${key.table}.${key.column} refers to ${key.target}`).join(". ");
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Diagram, scrollable">
      <svg
        class="diagram"
        width={width}
        height={height}
        viewBox={`-10 -10 ${width} ${height}`}
        role="img"
        aria-label={label}
      >
        {keys.map((key, at) => <Reference key={at} foreignKey={key} boxes={boxes} />)}
        {boxes.map((box) => <TableBox key={box.table.name} box={box} keys={keys} />)}
      </svg>
    </div>
  );
}

function rowY({ table, y }: Box, column: string): number {
  const at = table.columns.findIndex(({ name }) => name === column);
  return at < 0 ? y + HEAD / 2 : y + HEAD + Math.min(at, COLUMNS_MAX) * LINE + LINE / 2 + 2;
}

function Reference(
  { foreignKey: { table, column, target, targetColumn }, boxes }: {
    readonly foreignKey: ForeignKey;
    readonly boxes: readonly Box[];
  },
): JSX.Element | null {
  const from = boxes.find((box) => box.table.name === table);
  const to = boxes.find((box) => box.table.name === target);
  if (!from || !to) return null;
  const key = targetColumn || to.table.columns.find(({ keyPlace }) => keyPlace > 0)?.name || "";
  const [y1, y2] = [rowY(from, column), rowY(to, key)];
  const [x1, x2] = [from.x, to.x + WIDTH];
  const bend = from === to || x1 < x2 ? 50 : Math.max(30, (x1 - x2) / 2);
  const end = from === to || x1 < x2 ? to.x + WIDTH : x2;
  const begin = from === to ? from.x + WIDTH : x1;
  const direction = from === to ? 1 : -1;
  return (
    <g class="reference">
      <path d={`M${begin} ${y1} C${begin + direction * bend} ${y1} ${end + bend} ${y2} ${end} ${y2}`} />
      <circle cx={end} cy={y2} r={3.5} />
    </g>
  );
}

function TableBox(
  { box: { table, x, y, height }, keys }: { readonly box: Box; readonly keys: readonly ForeignKey[] },
): JSX.Element {
  const isForeign = (column: string) => keys.some((key) => key.table === table.name && key.column === column);
  return (
    <g class="table-box" transform={`translate(${x} ${y})`} onClick={() => goTo("data", "table", table.name)}>
      <rect width={WIDTH} height={height} rx={6} />
      <text x={10} y={19} class="table-name">{short(table.name, 21)}</text>
      <line x1={0} x2={WIDTH} y1={HEAD} y2={HEAD} />
      {table.columns.slice(0, COLUMNS_MAX).map(({ name, type, keyPlace }, at) => (
        <g key={name} transform={`translate(0 ${HEAD + at * LINE + 16})`}>
          <text x={10} class={keyPlace > 0 ? "key" : isForeign(name) ? "foreign" : ""}>{short(name, 18)}</text>
          <text x={WIDTH - 10} text-anchor="end" class="type">{short(type.toLowerCase(), 9)}</text>
        </g>
      ))}
      {table.columns.length > COLUMNS_MAX && (
        <text x={10} y={HEAD + COLUMNS_MAX * LINE + 16} class="type">{table.columns.length - COLUMNS_MAX} more</text>
      )}
    </g>
  );
}

function short(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
