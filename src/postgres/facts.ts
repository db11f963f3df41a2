/**
 * The facts of all merges from the journal, as they arrive: one row of each merge, in columns. They are read by COPY,
 * because it streams, and page by page, so that no transaction is long. A page is a range of ids, read in the order of the
 * index.
 */
import { BEFORE_ALL } from "../core/event-id.ts";
import type { FactsSource, RawFactsRow } from "../core/fast-replay.ts";
import type { RawJournalRow } from "../core/journal-row.ts";
import { METRIC_NAMES } from "../core/metric.ts";
import { CROSSING_KIND, metricKind, SKIPPED_KIND } from "../core/metric-event.ts";
import type { CopyOut } from "./connection.ts";
import type { TakeFields } from "./copy-out.ts";
import { faultOf } from "./failure.ts";
import { nextId } from "./ids.ts";
import { JOURNAL_COLUMNS, journalRows, LARGEST_PAYLOAD } from "./journal.ts";
import { lookUp } from "./lookups.ts";
import { literal, literals, type Names, type Outbox } from "./names.ts";
import type { OutboxColumns } from "./outbox-columns.ts";

/** Ids in a page: a tenth of a second where no id is missing. */
const PAGE_IDS = 100_000n;
const LARGER_THAN_A_SET = 100;

/**
 * Reads the rows of facts with id ≤ upTo, and the others that `FastReplay` needs, in id order.
 * @returns false when not all could be read: a `json` column has a row that `->>` refuses, or the time was up.
 */
export async function facts(
  { copyOut, outbox }: { readonly copyOut: CopyOut; readonly outbox: Outbox },
  source: FactsSource,
  upTo: bigint,
  row: (row: RawFactsRow) => void,
  other: (row: RawJournalRow) => void,
): Promise<boolean> {
  let read = 0;
  let first: bigint | null = null;
  const take: TakeFields = (fields) => {
    read += 1;
    const [id, seq, project, attempts, lastVerdict, version, scope, kind, payload] = fields;
    if (typeof kind === "string") {
      other({ id: id ?? "", kind, payload: payload ?? null });
      return;
    }
    // Without them it is a row of others.
    if (version != null && seq != null) first ??= BigInt(id ?? "");
    row({
      id: id ?? "",
      seq: seq ?? null,
      project: project ?? null,
      attempts: attempts ?? null,
      lastVerdict: lastVerdict ?? null,
      version: version ?? null,
      scope: scope ?? null,
    });
  };
  try {
    // A page begins at the next row, because ids may have gaps of any size.
    for (let next = await nextId(outbox, BEFORE_ALL); next !== null && next <= upTo; ) {
      const end = next + PAGE_IDS < upTo ? next + PAGE_IDS : upTo;
      const before = read;
      await copyOut(factsStatement(outbox, source, next - 1n, end), take);
      next = read > before ? end + 1n : await nextId(outbox, end);
    }
    if (first !== null) for (const raw of await metricRowsBefore(outbox, first)) other(raw);
    return true;
  } catch (error) {
    if (["value", "time"].includes(faultOf(error))) return false;
    throw error;
  }
}

/** The newest metric rows below this id, as many as no set has. Rows of others, without a version, do not stand before them. */
function metricRowsBefore({ query, outbox }: Outbox, id: bigint): Promise<RawJournalRow[]> {
  return journalRows(
    query,
    `SELECT ${JOURNAL_COLUMNS} FROM ${outbox} e
      WHERE e.kind IN (${literals(METRIC_NAMES.map(metricKind))}) AND e.id < ${literal(id)}
        AND e.payload->>'schema_version' IS NOT NULL
      ORDER BY e.id DESC LIMIT ${LARGER_THAN_A_SET}`,
  );
}

function factsStatement({ outbox }: Names, source: FactsSource, after: bigint, upTo: bigint): string {
  const order = literal(metricKind(source.order));
  const globalOnly = source.globalOnly.map(metricKind);
  const others = literals([CROSSING_KIND, SKIPPED_KIND, ...globalOnly, ...source.unrecorded.map(metricKind)]);
  const scope = "e.payload->>'scope'";
  const wanted = [
    ...(source.inProjects ? [`WHEN e.kind = ${order} THEN ${scope} = 'global'`] : []),
    ...(globalOnly.length > 0
      ? [`WHEN e.kind IN (${literals(globalOnly)}) THEN ${scope} IS DISTINCT FROM 'global'`]
      : []),
  ];
  return `COPY (
    SELECT e.id, e.payload->>'seq', e.payload->'merge'->>'project', e.payload->'merge'->>'attempts',
           e.payload->'merge'->>'last_verdict', e.payload->>'schema_version', ${scope},
           CASE WHEN e.kind <> ${order} THEN e.kind END, CASE WHEN e.kind <> ${order} THEN e.payload END
      FROM ${outbox} e
     WHERE e.kind IN (${order}, ${others}) AND e.id > ${literal(after)} AND e.id <= ${literal(upTo)}
       AND pg_column_size(e.payload) <= ${literal(LARGEST_PAYLOAD)}
       ${wanted.length > 0 ? `AND CASE ${wanted.join(" ")} ELSE true END` : ""}
     ORDER BY e.id) TO STDOUT`;
}

/** The metric rows and crossings with id ≤ upTo of the work items that these rows belong to, found by the index, in no order. */
export function setsOf(
  { query, outbox }: Outbox,
  columns: OutboxColumns,
  rowIds: readonly number[],
  upTo: bigint,
): Promise<RawJournalRow[]> {
  const kinds = literals([...METRIC_NAMES.map(metricKind), CROSSING_KIND]);
  return lookUp(rowIds, columns, (some) =>
    journalRows(
      query,
      `SELECT ${JOURNAL_COLUMNS} FROM unnest(ARRAY[${literals(some.map(BigInt))}]::bigint[]) AS place (id)
         CROSS JOIN LATERAL (SELECT r.id, r.kind, r.payload FROM ${outbox} r
           WHERE r.work_item_id = ANY (ARRAY(SELECT o.work_item_id FROM ${outbox} o WHERE o.id = place.id))
             AND r.kind IN (${kinds}) AND r.id <= ${literal(upTo)} OFFSET 0) e`,
    ),
  );
}
