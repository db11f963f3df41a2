/**
 * Statements that are sent for every merge. Parsing and planning one takes longer than running it, so they are prepared
 * once where the session is ours alone. Behind a pooler that changes backends between transactions they are sent in full.
 */
import type { Connection } from "./connection.ts";
import { literal } from "./names.ts";

export type Statement = {
  readonly name: string;
  /** The types of its values, as PostgreSQL names them. */
  readonly types: readonly string[];
  /** The full text, with the values or the places of parameters filled in. */
  readonly text: (...values: readonly string[]) => string;
};

export type Prepared = {
  /** The text that runs a statement with these values. */
  readonly say: (statement: Statement, ...values: readonly (bigint | string | null)[]) => string;
  /** The name under which the session may keep a statement that the driver sends apart from its values. */
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
 * Sent before such statements in their transaction: their plan is made once. It does not depend on the values, and it may
 * be made while the table is empty. So each of these statements is written for an index, whatever the values are: rows in
 * the order of their ids, and at most so many.
 */
export const PLANNED_ONCE = "SET LOCAL plan_cache_mode = force_generic_plan";

/**
 * Prepares statements, where the session keeps them. A pooler gives its clients other process ids than its backends have.
 * @param backend the process id of the backend that answered on this connection.
 */
export async function prepare(
  { read, processId }: Pick<Connection, "read" | "processId">,
  backend: string,
  statements: readonly Statement[],
): Promise<Prepared> {
  if (backend !== String(processId)) return IN_FULL;
  const prepared = statements.map(({ name, types, text }) => {
    const parameters = types.map((_, index) => `$${index + 1}`);
    return `PREPARE ${KEPT.name(name)} (${types.join(", ")}) AS ${text(...parameters)}`;
  });
  await read(prepared.join("; "));
  return KEPT;
}
