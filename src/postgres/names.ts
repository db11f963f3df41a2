/**
 * The only place where a name or a text becomes SQL. Every object is written with its schema, because a `search_path` can put
 * a table or function of another owner before the intended one (CVE-2018-1058).
 */

import type { Query } from "./connection.ts";
import type { LeaveOut } from "./unreadable.ts";

/** Names of schemas and channels, always quoted where they are used. PostgreSQL would silently cut a longer one. */
export const NAME = /^[A-Za-z_][A-Za-z0-9_$.:-]{0,62}$/;

/** The names of the orchestrator's tables in one schema, quoted. */
export type Names = {
  readonly schema: string;
  /** The schema in statements that a message suggests: quoted unless it is `public`, as it may be any word. */
  readonly written: string;
  readonly outbox: string;
  readonly workItems: string;
};

/** The orchestrator's tables, and how a conversation asks about them. */
export type Outbox = Names & {
  readonly query: Query;
  /** Called with each row that the server cannot read, each time it is met. Without it, such a row is a failure. */
  readonly unreadable?: LeaveOut;
};

/** @throws Error for a schema that is not a name; configuration has refused it before. */
export function namesIn(schema: string): Names {
  const quoted = quote(schema);
  return {
    schema,
    written: schema === "public" ? schema : quoted,
    outbox: `${quoted}."events_outbox"`,
    workItems: `${quoted}."work_items"`,
  };
}

/** A schema or a channel in a statement. @throws Error for anything else than a name. */
export function quote(identifier: string): string {
  if (!NAME.test(identifier)) throw new Error(`not a name: ${JSON.stringify(identifier)}`);
  return `"${identifier}"`;
}

/**
 * A value in SQL text. Reading statements have no parameters, so that the transaction's settings, the statement and
 * COMMIT travel in one message. So a value is a number, or a word of harmless characters.
 * @throws Error for any other text.
 */
export function literal(value: bigint | number | string | null): string {
  if (value === null) return "NULL";
  if (typeof value !== "string") return String(value);
  if (!WORD.test(value)) throw new Error(`not a plain word: ${JSON.stringify(value)}`);
  return `'${value}'`;
}

/** What a kind or a target of the outbox may consist of, and every name. */
export const WORD = /^[A-Za-z0-9_.:/$-]{1,255}$/;

/** Values as a list for IN or ARRAY. @throws Error as `literal` does. */
export function literals(values: Iterable<bigint | string>): string {
  return [...values].map(literal).join(", ");
}
