/** Places in the outbox: its ids, and its pages. A page is a number of rows, not of ids: ids may have gaps of any size. */
import { BEFORE_ALL, idOrNull } from "../core/event-id.ts";
import { literal, type Names, type Outbox } from "./names.ts";

/** The newest visible id; `BEFORE_ALL` for an empty outbox. */
export async function newest({ query, outbox }: Outbox): Promise<bigint> {
  const { rows } = await query(`SELECT max(id)::text AS newest FROM ${outbox}`);
  return BigInt(rows[0]?.["newest"] ?? BEFORE_ALL);
}

/** The smallest visible id after this one; null where there is none. */
export async function nextId({ query, outbox }: Outbox, after: bigint): Promise<bigint | null> {
  const { rows } = await query(`SELECT min(id)::text AS next FROM ${outbox} WHERE id > ${literal(after)}`);
  return idOrNull(rows[0]?.["next"]);
}

/** The id of the row `rows` rows after `after`, at most `upTo`: the end of a page. */
export async function pageEnd(
  { query, outbox }: Outbox,
  after: bigint,
  upTo: bigint,
  rows: number,
): Promise<bigint> {
  if (upTo - after <= BigInt(rows)) return upTo;
  const page = `SELECT e.id FROM ${outbox} e WHERE e.id > ${literal(after)} AND e.id <= ${literal(upTo)} ORDER BY e.id LIMIT ${literal(rows)}`;
  const found = await query(`SELECT max(page.id)::text AS last, count(*)::text AS size FROM (${page}) page`);
  const { last = null, size = null } = found.rows[0] ?? {};
  return last === null || Number(size) < rows ? upTo : BigInt(last);
}

/** The columns that statements read, with the alias `o`. By name: our role may read these alone. */
export const COLUMNS = "o.id, o.kind, o.work_item_id, o.payload, o.created_at";

/**
 * A page of the outbox as a table in a statement, with after < id ≤ upTo, in id order. Its rows are decided by ids alone:
 * no condition moves through the OFFSET 0.
 */
export function pageOf({ outbox }: Names, after: bigint, upTo: bigint): string {
  return `(SELECT ${COLUMNS} FROM ${outbox} o WHERE o.id > ${literal(after)} AND o.id <= ${literal(upTo)} ORDER BY o.id OFFSET 0)`;
}
