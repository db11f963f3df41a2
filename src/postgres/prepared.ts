/**
 * Statements that are said for every merge. To parse and plan one takes longer than to run it, so where the session is
 * ours alone they are prepared once. Behind a pooler that changes backends between transactions they are said in full.
 */
import type { Connection } from "./connection.ts";
import { literal } from "./names.ts";

export type Statement = {
  readonly name: string;
  /** Of its values, as PostgreSQL names them. */
  readonly types: readonly string[];
  /** In full, with the values, or the places of parameters, where they belong. */
  readonly text: (...values: readonly string[]) => string;
};

export type Prepared = {
  /** The text that runs a statement with these values. */
  readonly say: (statement: Statement, ...values: readonly (bigint | string | null)[]) => string;
  /** The name under which the session may keep a statement that the driver sends with its values apart. */
  readonly name: (name: string) => string | undefined;
};

/** Nothing is prepared. */
export const IN_FULL: Prepared = {
  say: (statement, ...values) => statement.text(...values.map(literal)),
  name: () => undefined,
};

const KEPT: Prepared = {
  say: ({ name }, ...values) => `EXECUTE metrics_${name} (${values.map(literal).join(", ")})`,
  name: (name) => `metrics_${name}`,
};

/**
 * Sent before such statements in their transaction: a plan that is made once. It does not know the values, and may have
 * been made when the table was empty, so each of them is written such that an index serves whatever they are: rows by
 * ids in their order, and at most so many.
 */
export const PLANNED_ONCE = "SET LOCAL plan_cache_mode = force_generic_plan";

/**
 * Prepares statements where a session keeps them. A pooler gives its clients other process ids than its backends have.
 * @param backend the process id of the backend that answered this connection.
 */
export async function prepare(
  { read, processId }: Pick<Connection, "read" | "processId">,
  backend: string,
  statements: readonly Statement[],
): Promise<Prepared> {
  if (backend !== String(processId)) return IN_FULL;
  const prepared = statements.map((statement) => {
    const parameters = statement.types.map((_, index) => `$${index + 1}`);
    return `PREPARE ${KEPT.name(statement.name)} (${statement.types.join(", ")}) AS ${statement.text(...parameters)}`;
  });
  await read(prepared.join("; "));
  return KEPT;
}
