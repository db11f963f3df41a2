/**
 * The only place where a name or a value becomes SQL text. Every object is written with its schema, because a `search_path` can
 * put somebody else's table or function before the one that was meant (CVE-2018-1058).
 */

/** Names of schemas and channels, always quoted where they are used. PostgreSQL would cut a longer one silently. */
export const NAME = /^[A-Za-z_][A-Za-z0-9_$.:-]{0,62}$/;

/** The names of the orchestrator's tables in one schema, quoted. */
export type Names = {
  readonly schema: string;
  readonly quotedSchema: string;
  /** The schema as the statements that messages suggest name it: in quotes, as it may be any word. */
  readonly written: string;
  readonly outbox: string;
  readonly workItems: string;
};

/** @throws Error for what is not a name; configuration has refused it before. */
export function namesIn(schema: string): Names {
  const quoted = quote(schema);
  return {
    schema,
    quotedSchema: quoted,
    written: schema === "public" ? schema : quoted,
    outbox: `${quoted}."events_outbox"`,
    workItems: `${quoted}."work_items"`,
  };
}

/** A schema or a channel as a statement names it. @throws Error for what is not a name. */
export function quote(identifier: string): string {
  if (!NAME.test(identifier)) throw new Error(`not a name: ${JSON.stringify(identifier)}`);
  return `"${identifier}"`;
}

/**
 * A value in SQL text. Reading statements travel without parameters, so that their transaction's settings, the statement
 * and COMMIT go in one message; so a value is a number, or a word of harmless characters, or an error.
 */
export function literal(value: bigint | number | string | null): string {
  if (value === null) return "NULL";
  if (typeof value !== "string") return String(value);
  if (!WORD.test(value)) throw new Error(`not a plain word: ${JSON.stringify(value)}`);
  return `'${value}'`;
}

/** What a kind or a target of the outbox may consist of, and every name. */
export const WORD = /^[A-Za-z0-9_.:/$-]{1,255}$/;

export function literals(values: Iterable<string>): string {
  return [...values].map(literal).join(", ");
}
