/**
 * The fields of events: each names its type, and what the log prints of a value. Composite values are printed member by
 * member, because an Error that is reported as a failure carries row data and SQL.
 */
import { meaningOf } from "./meaning.ts";

/** What may be reported of a failure: nothing that carries row data, SQL or secrets. */
export type Failure = {
  /** SQLSTATE, an errno name such as ECONNREFUSED, or a word of ours. */
  readonly code: string;
  readonly message: string;
};

/** A session or prepared transaction whose open transaction or lock is in the way. */
export type Holder = {
  readonly pid: number | null;
  readonly application: string | null;
  readonly role: string | null;
  /** Seconds since its transaction began, or was prepared; null if our role may not know. */
  readonly seconds: number | null;
  /** The name of a prepared transaction, which has no session; else null. */
  readonly prepared: string | null;
};

/** A value that is printed as it is, as in `is<number>`. */
export function is<T>(value: T): T {
  return value;
}

/** A sentence of a library: some quote connection strings. */
export function sentence(text: string): string {
  return text.replace(/(\/\/[^\s/:@]*:)\S+@/g, "$1[redacted]@");
}

export function sentences(texts: readonly string[]): string[] {
  return texts.map(sentence);
}

export function failure({ code, message }: Failure): Failure {
  return { code, message: sentence(message) };
}

/** A failure of the database or the way to it, with what to do about it. */
export function databaseFailure(failed: Failure): Failure & { readonly advice: string } {
  return { ...failure(failed), advice: meaningOf(failed.code).advice };
}

export function holders(all: readonly Holder[]): Holder[] {
  return all.map(({ pid, application, role, seconds, prepared }) => ({
    pid,
    application,
    role,
    seconds,
    prepared,
  }));
}
