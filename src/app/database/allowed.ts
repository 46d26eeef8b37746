/**
 * The rules for statements of clients: which are refused, and the names that tables have for them. Pure.
 * @module
 */
import { mayNeedNames, withStoredNames } from "../../core/catalog/names.ts";
import { type BoundStatement, isEncoded, type Statements } from "../../core/sql/command.ts";
import { isDisallowedPragma, mayRead } from "../../core/sql/statement.ts";
import { RequestError } from "./errors.ts";

/**
 * The statements, where nothing forbids them.
 * @throws {RequestError} When a pragma is not for clients.
 */
export function checkStatements(statements: readonly BoundStatement[]): readonly BoundStatement[] {
  allowedStatements(statements);
  return statements;
}

/**
 * Statements as they are run: with the names that the database has. Those that were encoded elsewhere are so already.
 * @throws {RequestError} When a pragma is not for clients.
 */
export function allowed(statements: Statements): Statements {
  return isEncoded(statements) ? statements : allowedStatements(statements);
}

/** The same for statements that were not encoded. @throws {RequestError} When a pragma is not for clients. */
export function allowedStatements(statements: readonly BoundStatement[]): readonly BoundStatement[] {
  if (statements.every(({ parts }) => allowedParts(parts) === parts)) return statements;
  return statements.map((statement) => ({ ...statement, parts: allowedParts(statement.parts) }));
}

/** Whether each statement may be a read. */
export function mayAllRead(statements: Statements): boolean {
  return isEncoded(statements) ? statements.mayBeRead : statements.every(({ parts }) => parts.every(mayRead));
}

/** Parts as they are run, for as long as what split them remembers them. */
const knownParts = new WeakMap<BoundStatement["parts"], BoundStatement["parts"]>();

/** @throws {RequestError} When a pragma is not for clients. */
function allowedParts(parts: BoundStatement["parts"]): BoundStatement["parts"] {
  const known = knownParts.get(parts);
  if (known !== undefined) return known;
  if (parts.some(({ verb, sql }) => verb === "PRAGMA" && isDisallowedPragma(sql))) {
    throw new RequestError("disallowed pragma");
  }
  const resolved = parts.some(({ sql }) => mayNeedNames(sql)) ? parts.map(withStoredNames) : parts;
  knownParts.set(parts, resolved);
  return resolved;
}
