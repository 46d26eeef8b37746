/**
 * The schema of a table: columns, keys, indexes, triggers, and the statements that made them.
 * @module
 */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { rowsOf } from "../database.ts";
import type { Table } from "../table.ts";
import type { ForeignKey } from "../parts/diagram.tsx";
import type { Value } from "../parts/value.ts";
import { linkTo } from "../router.ts";

const INDEXES = `SELECT i.name, i."unique", i.origin, i.partial,
(SELECT group_concat(coalesce(c.name, '(expression)'), ', ') FROM pragma_index_info(i.name) c) FROM pragma_index_list(?) i`;
const STATEMENTS = `SELECT type, name, sql FROM sqlite_schema WHERE tbl_name = ? AND sql IS NOT NULL
ORDER BY type <> 'table' AND type <> 'view', type, name`;

/** The schema. */
export function Schema({ table, keys }: { readonly table: Table; readonly keys: readonly ForeignKey[] }): JSX.Element {
  const [indexes, setIndexes] = useState<readonly (readonly Value[])[]>([]);
  const [statements, setStatements] = useState<readonly (readonly Value[])[]>([]);
  const [fault, setFault] = useState("");
  useEffect(() => {
    Promise.all([rowsOf(INDEXES, [table.name]), rowsOf(STATEMENTS, [table.name])]).then(([found, made]) => {
      setIndexes(found);
      setStatements(made);
    }, (error) => setFault(String(error.message)));
  }, [table]);
  const own = keys.filter((key) => key.table === table.name);
  const others = keys.filter((key) => key.target === table.name && key.table !== table.name);
  return (
    <div class="schema">
      {fault !== "" && <p class="note error" role="alert">{fault}</p>}
      <Part title="Columns" heads={["Name", "Type", "NULL", "Default", "Key"]}>
        {table.columns.map(({ name, type, isRequired, standard, keyPlace, isGenerated }) => (
          <tr key={name}>
            <th scope="row">
              <bdi>{name}</bdi>
            </th>
            <td>{type || "any"}</td>
            <td>{isRequired ? "no" : "yes"}</td>
            <td>
              <code>{isGenerated ? "generated" : standard}</code>
            </td>
            <td>{keyPlace > 0 ? `primary${keyPlace > 1 ? `, ${keyPlace}` : ""}` : ""}</td>
          </tr>
        ))}
      </Part>
      {own.length + others.length > 0 && (
        <Part title="Foreign keys" heads={["Column", "Refers to"]}>
          {[...own, ...others].map(({ table: from, column, target, targetColumn }) => (
            <tr key={`${from} ${column} ${target}`}>
              <th scope="row">
                {from === table.name ? column : (
                  <>
                    <a href={linkTo("data", "table", from, "schema")}>{from}</a>.{column}
                  </>
                )}
              </th>
              <td>
                <a href={linkTo("data", "table", target, "schema")}>{target}</a>
                {targetColumn === "" ? "" : `.${targetColumn}`}
              </td>
            </tr>
          ))}
        </Part>
      )}
      {indexes.length > 0 && (
        <Part title="Indexes" heads={["Name", "Columns", "Unique", "Made by"]}>
          {indexes.map(([name, unique, origin, partial, columns]) => (
            <tr key={String(name)}>
              <th scope="row">{String(name)}</th>
              <td>{String(columns)}{partial === 1 ? " (partial)" : ""}</td>
              <td>{unique === 1 ? "yes" : "no"}</td>
              <td>{origin === "pk" ? "primary key" : origin === "u" ? "UNIQUE" : "CREATE INDEX"}</td>
            </tr>
          ))}
        </Part>
      )}
      <section class="card" aria-label="Statements">
        <h2>SQL</h2>
        {statements.map(([type, name, sql]) => (
          <pre key={`${type} ${name}`} class="code" tabIndex={0} aria-label={`${type} ${name}`}>{String(sql)};</pre>
        ))}
      </section>
    </div>
  );
}

function Part(
  { title, heads, children }: {
    readonly title: string;
    readonly heads: readonly string[];
    readonly children: ComponentChildren;
  },
): JSX.Element {
  return (
    <section class="card" aria-label={title}>
      <h2>{title}</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label={`${title}, scrollable`}>
        <table class="plain-table">
          <thead>
            <tr>{heads.map((head) => <th key={head} scope="col">{head}</th>)}</tr>
          </thead>
          <tbody>{children}</tbody>
        </table>
      </div>
    </section>
  );
}
