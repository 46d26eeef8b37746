/**
 * A table: its rows, the newest first, to be filtered and changed; and its schema.
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "../api.ts";
import {
  type Changes,
  countOf,
  keyOf,
  keyText,
  NO_CHANGES,
  type Row,
  statementsOf,
  withEdit,
  withRemoval,
} from "../data_changes.ts";
import type { Filter } from "../data_filter.ts";
import { type Order, PAGE_ROWS, readRows, readValue } from "../data_rows.ts";
import { send } from "../database.ts";
import type { Table } from "../table.ts";
import { CellDialog } from "../parts/cell_dialog.tsx";
import type { ForeignKey } from "../parts/diagram.tsx";
import { Dialog, tell } from "../parts/dialog.tsx";
import { countText } from "../parts/format.ts";
import { ExportMenu } from "../parts/export_menu.tsx";
import { Grid } from "../parts/grid.tsx";
import { Icon } from "../parts/icon.tsx";
import type { Value } from "../parts/value.ts";
import { linkTo } from "../router.ts";
import { may } from "../session.ts";
import { TableChanges } from "../sql/table_changes.tsx";
import { FilterBar } from "./data_filter.tsx";
import { RowDialog } from "./data_row.tsx";
import { Schema } from "./data_schema.tsx";

const NEWEST: Order = { column: -1, isDescending: true };

/** The table. */
export function TableView(
  { table, keys, tab, onChanged }: {
    readonly table: Table;
    readonly keys: readonly ForeignKey[];
    readonly tab: string;
    readonly onChanged: () => void;
  },
): JSX.Element {
  const isSchema = tab === "schema";
  return (
    <>
      <div class="toolbar table-head">
        <h1>
          <bdi>{table.name}</bdi>
        </h1>
        <div class="tabs" role="group" aria-label="Parts of the table">
          <a class="tab" href={linkTo("data", "table", table.name)} aria-current={isSchema ? undefined : "page"}>
            Rows
          </a>
          <a
            class="tab"
            href={linkTo("data", "table", table.name, "schema")}
            aria-current={isSchema ? "page" : undefined}
          >
            Schema
          </a>
        </div>
        {isSchema && (
          <>
            <span class="spacer" />
            <TableChanges table={table} keys={keys} onChanged={onChanged} />
          </>
        )}
      </div>
      {table.fault !== "" && <p class="note error" role="alert">{table.fault}</p>}
      {table.fault !== "" && !isSchema
        ? null
        : isSchema
        ? <Schema table={table} keys={keys} />
        : <Rows table={table} onChanged={onChanged} />}
    </>
  );
}

function Rows({ table, onChanged }: { readonly table: Table; readonly onChanged: () => void }): JSX.Element {
  const key = keyOf(table);
  const [rows, setRows] = useState<readonly Row[]>([]);
  const [isAll, setAll] = useState(false);
  const [isReading, setReading] = useState(true);
  const [fault, setFault] = useState("");
  const [filters, setFilters] = useState<readonly Filter[]>([]);
  const [order, setOrder] = useState<Order>(NEWEST);
  const [changes, setChanges] = useState<Changes>(NO_CHANGES);
  const [open, setOpen] = useState<readonly [row: number, column: number] | undefined>();
  const [isAdding, setAdding] = useState(false);
  const canWrite = may("execute") && key.length > 0;

  // A page that was asked for before the filter changed must not come behind the new one.
  const turn = useRef(0);
  const read = async (before: readonly Row[]) => {
    const own = before.length === 0 ? ++turn.current : turn.current;
    setReading(true);
    try {
      const found = await readRows(table, { filters, order, offset: before.length });
      if (own !== turn.current) return;
      setRows([...before, ...found]);
      setAll(found.length < PAGE_ROWS);
      setFault("");
    } catch (error) {
      if (own !== turn.current) return;
      setFault(error instanceof Error ? error.message : String(error));
      setAll(true);
    }
    setReading(false);
  };
  useEffect(() => {
    read([]);
  }, [filters, order]);

  const added = changes.added.map((values) => table.columns.map((_, at) => values.get(at) ?? null));
  const shown = [...added, ...rows.map((row) => valuesOf(row, changes))];
  const rowAt = (at: number): Row | undefined => rows[at - added.length];
  const sort = (column: number) =>
    setOrder(
      order.column !== column
        ? { column, isDescending: false }
        : order.isDescending
        ? NEWEST
        : { column, isDescending: true },
    );
  const applied = () => {
    setChanges(NO_CHANGES);
    read([]);
    onChanged();
  };
  return (
    <>
      <div class="toolbar">
        <FilterBar table={table} filters={filters} onChange={setFilters} />
        <span class="spacer" />
        {canWrite && (
          <button type="button" onClick={() => setAdding(true)}>
            <Icon name="plus" /> New row
          </button>
        )}
      </div>
      {fault !== "" && <p class="note error" role="alert">{fault}</p>}
      <div class="toolbar rows-line">
        <span class="muted" role="status">
          {isReading ? "Reading…" : `${countText(rows.length, "row")}${isAll ? "" : ", more when you scroll"}`}
          {order.column < 0 && key.length > 0 ? " · newest first" : ""}
          {canWrite ? " · double click to edit" : ""}
        </span>
        <span class="spacer" />
        <ExportMenu
          columns={table.columns.map(({ name }) => name)}
          rows={async () => {
            const isCut = rows.some(({ cut }) => cut !== undefined);
            const whole = isCut
              ? await readRows(table, { filters, order, offset: 0, limit: rows.length, isWhole: true })
              : rows;
            return whole.map(({ values }) => values);
          }}
          table={table.name}
        />
      </div>
      <Grid
        label={`Rows of ${table.name}`}
        columns={table.columns.map(({ name }) => name)}
        rows={shown}
        sorted={order.column < 0 ? undefined : order}
        onSort={sort}
        onOpen={(row, column) => setOpen([row, column])}
        onEnd={() => !isAll && !isReading && read(rows)}
        rowClass={(at) => {
          const row = rowAt(at);
          return row === undefined ? "added" : changes.removed.has(keyText(row)) ? "removed" : "";
        }}
        cellClass={(at, column) => {
          const row = rowAt(at);
          return row && changes.edited.get(keyText(row))?.values.has(column) ? "changed" : "";
        }}
      />
      {countOf(changes) > 0 && (
        <PendingBar
          table={table}
          changes={changes}
          onDiscard={() => setChanges(NO_CHANGES)}
          onApplied={applied}
        />
      )}
      {open && (
        <OpenCell
          table={table}
          at={open}
          row={rowAt(open[0])}
          value={shown[open[0]]?.[open[1]] ?? null}
          changes={canWrite ? changes : undefined}
          onChanges={setChanges}
          onClose={() => setOpen(undefined)}
        />
      )}
      {isAdding && (
        <RowDialog
          table={table}
          onClose={() => setAdding(false)}
          onSave={(values) => {
            setChanges({ ...changes, added: [...changes.added, values] });
            setAdding(false);
          }}
        />
      )}
    </>
  );
}

/** The values of a row with what is changed of them. */
function valuesOf(row: Row, changes: Changes): readonly Value[] {
  const edited = changes.edited.get(keyText(row));
  if (!edited) return row.values;
  return row.values.map((value, at) => edited.values.has(at) ? edited.values.get(at) ?? null : value);
}

function OpenCell(
  { table, at: [, column], row, value, changes, onChanges, onClose }: {
    readonly table: Table;
    readonly at: readonly [row: number, column: number];
    /** Undefined for a row that is not there yet. */
    readonly row: Row | undefined;
    readonly value: Value;
    /** Undefined where nothing may be changed. */
    readonly changes: Changes | undefined;
    readonly onChanges: (changes: Changes) => void;
    readonly onClose: () => void;
  },
): JSX.Element {
  const { name, isGenerated } = table.columns[column];
  const isEdited = row !== undefined && changes?.edited.get(keyText(row))?.values.has(column);
  const [whole, setWhole] = useState<{ readonly value: Value } | undefined>(
    row?.cut?.[column] && !isEdited ? undefined : { value },
  );
  useEffect(() => {
    if (whole || !row) return;
    readValue(table, row, column).then((found) => setWhole({ value: found }), (error) => {
      tell(error instanceof Error ? error.message : String(error), { isError: true });
      onClose();
    });
  }, []);
  if (!whole) return <Dialog title={name} onClose={onClose}>Reading all of it…</Dialog>;
  if (!changes || !row) return <CellDialog title={name} value={whole.value} onClose={onClose} />;
  return (
    <CellDialog
      title={name}
      value={whole.value}
      onClose={onClose}
      onSave={isGenerated ? undefined : (next) => {
        onChanges(withEdit(changes, { row, column, value: next }));
        onClose();
      }}
      onRemove={() => {
        onChanges(withRemoval(changes, row));
        onClose();
      }}
      isRemoved={changes.removed.has(keyText(row))}
    />
  );
}

/** What is to be changed, and the way to do so. */
function PendingBar(
  { table, changes, onDiscard, onApplied }: {
    readonly table: Table;
    readonly changes: Changes;
    readonly onDiscard: () => void;
    readonly onApplied: () => void;
  },
): JSX.Element {
  const [isShown, setShown] = useState(false);
  const [fault, setFault] = useState("");
  const [isRunning, setRunning] = useState(false);
  const statements = statementsOf(table, changes);
  const apply = async () => {
    setRunning(true);
    try {
      const results = await send(statements.map(({ sql }) => ({ sql })), { writes: true, isTransaction: true });
      const failed = results.find(({ error }) => error !== "");
      if (failed) throw new ApiError(200, failed.error);
      const missed = results.filter(({ rowsAffected }, at) => statements[at]?.isOfOneRow && rowsAffected === 0).length;
      if (missed === 0) tell(`${countText(statements.length, "change")} made`);
      else {tell(`${countText(missed, "row")} had been changed by somebody else meanwhile, and stayed so`, {
          isError: true,
        });}
      onApplied();
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
    }
    setRunning(false);
  };
  return (
    <div class="pending" role="region" aria-label="Changes that are not made yet">
      <strong>{countText(statements.length, "change")}</strong>
      <span class="muted">
        {[
          changes.edited.size > 0 ? `${changes.edited.size} edited` : "",
          changes.added.length > 0 ? `${changes.added.length} new` : "",
          changes.removed.size > 0 ? `${changes.removed.size} to be deleted` : "",
        ].filter((text) => text !== "").join(", ")}
      </span>
      {fault !== "" && <span class="fault" role="alert">{fault}</span>}
      <span class="spacer" />
      <button type="button" onClick={() => setShown(true)}>Preview SQL</button>
      <button type="button" onClick={onDiscard}>Discard</button>
      <button type="button" class="primary" disabled={isRunning} onClick={apply}>Apply</button>
      {isShown && (
        <Dialog title="What Apply runs, in one transaction" onClose={() => setShown(false)} isWide>
          <pre class="code">{statements.map(({ sql }) => `${sql};`).join("\n")}</pre>
        </Dialog>
      )}
    </div>
  );
}
