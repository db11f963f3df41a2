/**
 * Lookups of rows by their work item. The rows of an item may be in any partition, so each lookup visits all of them: 10,000 in one
 * statement took 1.3 s with 115 partitions and 107 s with 1,000. Such a statement outlasts METRICS_STATEMENT_TIMEOUT each time that it
 * is repeated, so fewer items are looked up at once the more partitions there are.
 */
import type { OutboxColumns } from "./outbox-columns.ts";

/** Partitions that the lookups of one statement visit at most: some tenths of a second. */
const VISITS = 100_000;

/** How many work items one statement looks up at most. */
export function lookupsAtOnce({ partitions }: OutboxColumns): number {
  return Math.max(1, Math.floor(VISITS / partitions));
}

/** What one statement after the other finds, for so many work items each. */
export async function lookUp<Item, Found>(
  items: readonly Item[],
  columns: OutboxColumns,
  find: (items: readonly Item[]) => Promise<readonly Found[]>,
): Promise<Found[]> {
  const atOnce = lookupsAtOnce(columns);
  const found: Found[] = [];
  for (let start = 0; start < items.length; start += atOnce)
    for (const one of await find(items.slice(start, start + atOnce))) found.push(one);
  return found;
}
