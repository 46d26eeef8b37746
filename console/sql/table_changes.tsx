/**
 * Renaming and dropping a table or a view: each says what happens, and shows the SQL and the command that do the same.
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ApiError } from "../api.ts";
import { curlOf, musterOf } from "../consul/commands.ts";
import { bodyOf, rowsOf, send } from "../database.ts";
import { Commands } from "../parts/commands.tsx";
import type { ForeignKey } from "../parts/diagram.tsx";
import { confirmed, tell } from "../parts/dialog.tsx";
import { messageOf } from "../parts/fault.ts";
import { FormDialog } from "../parts/form_dialog.tsx";
import { countText } from "../parts/format.ts";
import { Icon } from "../parts/icon.tsx";
import { TextField } from "../parts/text_field.tsx";
import { quoted } from "../parts/value.ts";
import { goTo } from "../router.ts";
import type { Table } from "../table.ts";
import { useUnlocked, WriteLock } from "./write_lock.tsx";

const PARTS =
  "SELECT type, name FROM sqlite_schema WHERE tbl_name = ? AND type IN ('index', 'trigger') AND sql IS NOT NULL";
/** A count that takes longer is left out. */
const COUNT_LIMIT = "1s";
const TYPED = "drop";

/** The commands that run a statement that writes. */
function commandsOf(sql: string): readonly string[] {
  return [curlOf("POST", "db/execute", { body: bodyOf([{ sql }]) }), musterOf("sql", sql)];
}

/** @throws {ApiError} */
async function write(sql: string): Promise<void> {
  const [{ error }] = await send([{ sql }], { writes: true });
  if (error !== "") throw new ApiError(200, error);
}

/** How many rows a table has; empty where that takes too long. */
async function countOf({ name, isView }: Table): Promise<string> {
  if (isView) return "";
  try {
    const [{ rows }] = await send([{ sql: `SELECT count(*) FROM ${quoted(name)}` }], { limit: COUNT_LIMIT });
    return rows.length === 0 ? "" : countText(Number(rows[0][0]), "row");
  } catch {
    return "";
  }
}

/** What goes with a table, in words. */
async function lossOf(table: Table, keys: readonly ForeignKey[]): Promise<string> {
  const [count, parts] = await Promise.all([countOf(table), rowsOf(PARTS, [table.name])]);
  if (table.isView) return `The view goes${partsText(parts)}; the rows that it shows stay.`;
  const others = [...new Set(keys.filter((key) => key.target === table.name).map((key) => key.table))]
    .filter((name) => name !== table.name);
  return [
    `The table goes with its ${count || "rows"}${partsText(parts)}, on all nodes. There is no way back but a backup.`,
    ...(others.length === 0 ? [] : [`Foreign keys of ${others.join(", ")} refer to it.`]),
    "Views and programs that read it fail from then on.",
  ].join(" ");
}

function partsText(parts: readonly (readonly unknown[])[]): string {
  return parts.length === 0 ? "" : ` and with ${parts.map(([type, name]) => `the ${type} ${name}`).join(", ")}`;
}

async function drop(table: Table, keys: readonly ForeignKey[], onChanged: () => void): Promise<void> {
  const kind = table.isView ? "view" : "table";
  const sql = `DROP ${kind.toUpperCase()} ${quoted(table.name)}`;
  try {
    const isSure = await confirmed({
      title: `Drop the ${kind} ${table.name}?`,
      text: `${await lossOf(table, keys)}\n\n${sql};`,
      action: `Drop the ${kind}`,
      commands: commandsOf(sql),
      typed: TYPED,
    });
    if (!isSure) return;
    await write(sql);
    tell(`${table.name} is dropped`);
    onChanged();
    goTo("data");
  } catch (error) {
    tell(messageOf(error), { isError: true });
  }
}

/** The buttons; nothing for who may not write, and the lock alone while it is closed. */
export function TableChanges(
  { table, keys, onChanged }: {
    readonly table: Table;
    readonly keys: readonly ForeignKey[];
    readonly onChanged: () => void;
  },
): JSX.Element {
  const isUnlocked = useUnlocked();
  const [isRenaming, setRenaming] = useState(false);
  return (
    <>
      {isUnlocked && (
        <>
          {!table.isView && <button type="button" onClick={() => setRenaming(true)}>Rename</button>}
          <button type="button" class="danger" onClick={() => drop(table, keys, onChanged)}>
            <Icon name="trash" /> Drop
          </button>
        </>
      )}
      <WriteLock />
      {isRenaming && <RenameDialog table={table} onChanged={onChanged} onClose={() => setRenaming(false)} />}
    </>
  );
}

function RenameDialog(
  { table: { name }, onChanged, onClose }: {
    readonly table: Table;
    readonly onChanged: () => void;
    readonly onClose: () => void;
  },
): JSX.Element {
  const [next, setNext] = useState(name);
  const sql = `ALTER TABLE ${quoted(name)} RENAME TO ${quoted(next)}`;
  const save = async () => {
    await write(sql);
    tell(`${name} is now ${next}`);
    onClose();
    onChanged();
    goTo("data", "table", next, "schema");
  };
  return (
    <FormDialog
      title={`Rename the table ${name}`}
      action="Rename the table"
      isDanger
      isDisabled={next === "" || next === name}
      onSave={save}
      onClose={onClose}
    >
      <TextField label="New name" name="table" required value={next} onInput={setNext} />
      <p class="pre">
        {"SQLite writes the new name into the table's indexes, triggers, foreign keys and views. Programs that use the old " +
          `name fail from then on.\n\n${sql};`}
      </p>
      <Commands commands={commandsOf(sql)} />
    </FormDialog>
  );
}
