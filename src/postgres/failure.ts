/** What failed, as it may be reported, and what remains after it. The meaning of each code is in `meaning.ts`. */
import pg from "pg";
import type { Failure } from "../events/fields.ts";
import { type Fault, isLocked, meaningOf } from "../events/meaning.ts";
import { AppendRefused, DatabaseFailure } from "../outbox/outbox-log.ts";

/** What an error shows, by its code. */
export function faultOf(error: unknown): Fault {
  return meaningOf(failureOf(error).code).fault;
}

/** Whether the statement gave up waiting for another session's lock. */
export function isLockTimeout(error: unknown): error is DatabaseFailure {
  return isLocked(failureOf(error));
}

/**
 * Whether the table refused rows because of their content, or because another transaction has locked a row. The server
 * names a context (`where`) where a row is the reason: the check of a foreign key, or a function that a trigger runs. A
 * lock without a context is on the whole table.
 */
export function isRefusal(error: unknown): boolean {
  if (error instanceof AppendRefused) return true;
  if (!(error instanceof pg.DatabaseError)) return false;
  const fault = faultOf(error);
  return fault === "rows" || (error.where !== undefined && ["value", "statement", "lock"].includes(fault));
}

/** Whether the connection is usable once its transaction is rolled back. */
export function leavesConnection(error: unknown): boolean {
  return isRefusal(error) || ["value", "lock", "time", "storage"].includes(faultOf(error));
}

/** What may be reported of an error: never `detail`, `where` or the statement, because they carry row data. */
export function failureOf(error: unknown): Failure {
  if (error instanceof DatabaseFailure) return error.failure;
  if (error instanceof AggregateError && error.errors.length > 0) return failureOf(error.errors[0]);
  if (!(error instanceof Error)) return { code: "UNKNOWN", message: String(error) };
  const { message } = error;
  const code = "code" in error && typeof error.code === "string" ? error.code : null;
  return { code: code ?? WITHOUT_CODE[message] ?? "CONNECTION", message: message + refuserIn(error) };
}

/** The constraint or the trigger's function that refused: the only parts of these fields without row data. */
function refuserIn(error: Error): string {
  if (!(error instanceof pg.DatabaseError)) return "";
  const { message, constraint, where = "" } = error;
  const routine = /PL\/pgSQL function ([^\s(]+)\(/.exec(where)?.[1];
  const named = (sort: string, name: string | undefined): string =>
    name === undefined || message.includes(name) ? "" : ` (${sort} ${name})`;
  return named("constraint", constraint) + named("function", routine);
}

/** Errors of `pg` without a code that need another advice than a lost connection. */
const WITHOUT_CODE: Readonly<Record<string, string>> = {
  "timeout expired": "CONNECT_TIMEOUT",
  "Query read timeout": "ANSWER_TIMEOUT",
  "The server does not support SSL connections": "NO_TLS",
};
