/** What a failed statement or connection was: kinds that the conversations tell apart, and what may be told of it. */
import pg from "pg";
import type { Failure } from "../events/fields.ts";
import { AppendRefused, DatabaseFailure } from "../outbox-log.ts";

/** Class 22: a value that a statement could not take in. The reader narrows it down to the row. */
export function isBadData(error: unknown): boolean {
  return /^22[0-9A-Z]{3}$/.test(failureOf(error).code);
}

/** SQLSTATE XX001 or XX002: a row or an index on the server's disk is damaged. Rows beside it can be read. */
export function isDamaged(error: unknown): boolean {
  return /^XX00[12]$/.test(failureOf(error).code);
}

/** SQLSTATE 57014: the statement took longer than `statement_timeout`, or somebody cancelled it. */
export function isOverdue(error: unknown): boolean {
  return failureOf(error).code === "57014";
}

/** SQLSTATE 55P03: a lock was not granted within `lock_timeout`. */
export function isLockTimeout(error: unknown): error is DatabaseFailure {
  return failureOf(error).code === "55P03";
}

/**
 * Whether the table did not take rows because of what they say, or because of another row that is locked. The server names
 * a context where a row is the reason: the check of a foreign key, or a function that a trigger runs. What is locked without
 * one is the whole table.
 */
export function isRefusal(error: unknown): boolean {
  if (error instanceof AppendRefused) return true;
  if (!(error instanceof pg.DatabaseError)) return false;
  const { code = "", where } = error;
  // 54000: a row too large for an index.
  if (/^(23|27|44|54000|P0)/.test(code)) return true;
  return where !== undefined && /^(0A|21|22|2F|38|39|42|54|55P03|40P01)/.test(code);
}

/** Whether the server said no to what was asked and is well: the connection serves on once its transaction is rolled back. */
export function leavesConnection(error: unknown): boolean {
  return isRefusal(error) || isBadData(error) || isLockTimeout(error) || isDamaged(error);
}

/** What may be told of an error: never `detail`, `where` or the statement, which carry row data. */
export function failureOf(error: unknown): Failure {
  if (error instanceof DatabaseFailure) return error.failure;
  if (error instanceof AggregateError && error.errors.length > 0) return failureOf(error.errors[0]);
  if (!(error instanceof Error)) return { code: "UNKNOWN", message: String(error) };
  const code = "code" in error && typeof error.code === "string" ? error.code : codeFor(error.message);
  return { code, message: error.message + whereIn(error) };
}

/** The constraint, or the function of a trigger, that refused: from fields of which the rest carries row data. */
function whereIn(error: Error): string {
  const constraint = "constraint" in error && typeof error.constraint === "string" ? error.constraint : "";
  const context = "where" in error && typeof error.where === "string" ? error.where : "";
  const routine = /PL\/pgSQL function ([^\s(]+)\(/.exec(context)?.[1] ?? "";
  return [
    constraint === "" || error.message.includes(constraint) ? "" : ` (constraint ${constraint})`,
    routine === "" || error.message.includes(routine) ? "" : ` (function ${routine})`,
  ].join("");
}

/** What `pg` says without a code, and is not simply that the connection is gone: what to do about it is something else. */
const WITHOUT_CODE: Readonly<Record<string, string>> = {
  "timeout expired": "CONNECT_TIMEOUT",
  "Query read timeout": "ANSWER_TIMEOUT",
  "The server does not support SSL connections": "NO_TLS",
};

function codeFor(message: string): string {
  return WITHOUT_CODE[message] ?? "CONNECTION";
}
