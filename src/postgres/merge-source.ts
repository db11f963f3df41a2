/**
 * Merges in a range of the outbox, with the facts of their work items and whether they are recorded. Only scalars are selected,
 * as text, and no payload field is cast. A statement can still fail on a row: a `json` column accepts escapes that `->>` refuses
 * later. Then the range is halved down to that row, and the row is read as text and decided here.
 */
import { eventOf, parseJournalRow } from "../core/journal-row.ts";
import { parseObject } from "../core/json.ts";
import type { RawFacts } from "../core/merge.ts";
import { METRIC_NAMES } from "../core/metric.ts";
import { metricKind, SKIPPED_KIND } from "../core/metric-event.ts";
import { type FoundMerge, type JournalReader, PAGE_ROWS } from "../outbox/outbox-log.ts";
import type { TextRow } from "./connection.ts";
import { faultOf } from "./failure.ts";
import { journal, journalRows, LARGEST_PAYLOAD } from "./journal.ts";
import { lookUp, lookupsAtOnce } from "./lookups.ts";
import { literal, literals, type Outbox } from "./names.ts";
import type { OutboxColumns } from "./outbox-columns.ts";
import type { Statement } from "./prepared.ts";
import { aroundDamage, readAround } from "./unreadable.ts";

/** Which rows of the outbox are merges: kind, and the payload's target. */
export type MergeRule = { readonly kind: string; readonly target: string };

/** The kinds of which one row shows that its work item is recorded. */
const RECORDING_KINDS = literals([...METRIC_NAMES.map(metricKind), SKIPPED_KIND]);

/** Characters. Longer texts are cut: a project of 513 characters is refused, a verdict is compared by its first 512. */
const LONGEST_TEXT = 512;
/** Characters of a row that can only be read as text. */
const LONGEST_PAYLOAD = 1_000_000;

/** A column without a time zone holds the server's local time. */
export const CREATED_AT = "e.created_at::timestamptz";
/** Years 1 to 9999 in UTC. A date far beyond them cannot even be converted. */
export const IS_DATE = `CASE WHEN e.created_at > '0002-01-01 BC' AND e.created_at < '20000-01-01'
  THEN ${CREATED_AT} AT TIME ZONE 'UTC' >= '0001-01-01' AND ${CREATED_AT} AT TIME ZONE 'UTC' < '10000-01-01' END`;

/** The facts of a work item `i`, as text. */
export const FACTS_COLUMNS = `left(i.project::text, ${LONGEST_TEXT + 1}) AS project,
  left(i.attempts::text, 20) AS attempts, left(i.last_verdict::text, ${LONGEST_TEXT}) AS last_verdict`;

const MERGE_COLUMNS = `
  e.id::text AS event_id, e.work_item_id::text AS work_item_id,
  CASE WHEN ${IS_DATE} THEN to_char(${CREATED_AT} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') END AS merged_at,
  CASE WHEN ${IS_DATE} THEN (extract(epoch FROM clock_timestamp() - ${CREATED_AT}) * 1000)::text END AS age_ms,
  (i.id IS NOT NULL)::text AS has_item, ${FACTS_COLUMNS}`;

const EVENT = "r.payload->'merge'->>'event_id'";

const isCount = (field: string): string => `(r.payload->'${field}')::text ~ '^[1-9][0-9]{0,15}([.]0+)?$'`;

/**
 * Whether a row `r` records a merge: decided by its marker, exactly as `parseJournalRow` decides it. If one of the two
 * took a row for ours and the other did not, its merge would be lost, or recorded again by every reconciliation.
 */
function isMarked({ payload }: OutboxColumns): string {
  const type = (field: string): string => `${payload}_typeof(r.payload->${field})`;
  return `
    pg_column_size(r.payload) <= ${LARGEST_PAYLOAD}
    AND ${isCount("schema_version")} AND ${type("'key'")} = 'string' AND r.payload->>'key' <> ''
    AND CASE WHEN r.kind = '${SKIPPED_KIND}'
             THEN ${type("'merge'->'event_id'")} = 'string' AND ${EVENT} ~ '^-?[0-9]{1,19}$'
              AND ${type("'merge'->'work_item_id'")} IN ('string', 'null')
             ELSE ${isCount("seq")} END`;
}

export type MergeSource = Pick<JournalReader, "merges" | "recordedEvents" | "otherMerges"> & {
  /** The first merges of a range, at most `FIRST_MERGES`. Fails where the statement cannot take in a row. */
  readonly first: Statement;
};

export const FIRST_MERGES = 100;

/**
 * @param log runs the statements that are not sent together with others.
 * @param asked whether the merges say under which event their work item is recorded.
 */
export function mergeSource(
  log: Outbox,
  rule: MergeRule,
  columns: OutboxColumns,
  asked: "whether recorded" | "facts alone" = "whether recorded",
): MergeSource {
  const { query, outbox, workItems } = log;
  // Each work item by its index: the planner expects every second row to be a merge, and without OFFSET 0 reads all items.
  const from = `FROM ${outbox} e LEFT JOIN LATERAL
    (SELECT i.id, i.project, i.attempts, i.last_verdict FROM ${workItems} i WHERE i.id = e.work_item_id OFFSET 0) i ON true`;
  const recordedAs = `(SELECT ${EVENT} FROM ${outbox} r
    WHERE r.work_item_id = e.work_item_id AND r.kind IN (${RECORDING_KINDS}) AND ${isMarked(columns)} LIMIT 1)`;
  const select = `SELECT ${MERGE_COLUMNS}, ${asked === "facts alone" ? "NULL" : recordedAs} AS recorded_as ${from}`;
  const isTarget = `e.payload->>'target' = ${literal(rule.target)}`;
  const isMerge = `CASE WHEN e.kind = ${literal(rule.kind)} THEN ${isTarget} ELSE false END`;
  const statement = (after: string, upTo: string, limit: number): string =>
    `${select} WHERE e.id > ${after} AND e.id <= ${upTo} AND ${isMerge} ORDER BY e.id LIMIT ${literal(limit)}`;
  const atOnce = asked === "facts alone" ? PAGE_ROWS : lookupsAtOnce(columns);

  const page = async (after: bigint, upTo: bigint): Promise<FoundMerge[]> => {
    const found: FoundMerge[] = [];
    for (let start = after; ; ) {
      const { rows } = await query(statement(literal(start), literal(upTo), atOnce));
      for (const row of rows) found.push(foundMerge(row));
      const last = found.at(-1);
      if (last === undefined || rows.length < atOnce) return found;
      start = BigInt(last.eventId);
    }
  };

  /** A row that the statement cannot take in, read as text and decided here. */
  async function oddRow(id: string): Promise<FoundMerge[]> {
    const { rows } = await query(
      `SELECT ${MERGE_COLUMNS}, left(e.payload::text, ${LONGEST_PAYLOAD}) AS payload ${from}
        WHERE e.id = ${id} AND e.kind = ${literal(rule.kind)}`,
    );
    const row = rows[0];
    if (row === undefined || parseObject(row["payload"] ?? null)?.["target"] !== rule.target) return [];
    const recording = await journalRows(
      query,
      `SELECT r.id::text AS row_id, r.kind, left(r.payload::text, ${LONGEST_PAYLOAD}) AS payload FROM ${outbox} r
        WHERE r.work_item_id = ANY (ARRAY(SELECT e.work_item_id FROM ${outbox} e WHERE e.id = ${id}))
          AND r.kind IN (${RECORDING_KINDS})`,
    );
    const [event] = recording.flatMap((one) => eventOf(parseJournalRow(one)) ?? []);
    return [foundMerge({ ...row, recorded_as: event ?? null })];
  }

  return {
    first: {
      name: "first_merges",
      types: ["bigint", "bigint"],
      text: (after, upTo) => statement(after, upTo, FIRST_MERGES),
    },
    merges: (after, upTo) =>
      aroundDamage(log, after, upTo, (first, last) =>
        readAround(first, last, page, ({ id }) => oddRow(id), "value"),
      ),
    // By the index of work items: retention may leave transitions whose record is gone.
    otherMerges: async (found) => {
      const others = new Map<string, bigint[]>();
      const events = found.flatMap(({ eventId, workItemId }) =>
        workItemId === null ? [] : [BigInt(eventId)],
      );
      const rows = await lookUp(events, columns, async (some) => {
        const answer = await query(
          `SELECT o.id::text AS event_id, e.id::text AS other_id
             FROM unnest(ARRAY[${literals(some)}]::bigint[]) AS place (id)
            CROSS JOIN LATERAL (SELECT m.id, m.work_item_id FROM ${outbox} m WHERE m.id = place.id OFFSET 0) o
            CROSS JOIN LATERAL (SELECT t.id, t.kind, t.payload FROM ${outbox} t
              WHERE t.work_item_id = o.work_item_id AND t.kind = ${literal(rule.kind)} AND t.id <> o.id OFFSET 0) e
            WHERE ${isMerge}`,
        );
        return answer.rows;
      });
      for (const { event_id: event, other_id: other } of rows)
        others.set(event ?? "", [...(others.get(event ?? "") ?? []), BigInt(other ?? 0)]);
      return others;
    },
    recordedEvents: async (after, upTo) => {
      try {
        const { rows } = await query(
          `SELECT DISTINCT ${EVENT} AS event FROM ${outbox} r
            WHERE r.id > ${literal(after)} AND r.id <= ${literal(upTo)} AND r.kind IN (${RECORDING_KINDS})
              AND ${isMarked(columns)}`,
        );
        return rows.map((row) => row["event"] ?? "");
      } catch (error) {
        if (faultOf(error) !== "value") throw error;
        const rows = await journal(log, after, upTo);
        return rows.flatMap((row) => eventOf(parseJournalRow(row)) ?? []);
      }
    },
  };
}

/** The merge in a row of a statement of a `MergeSource`. */
export function foundMerge(row: TextRow): FoundMerge {
  return {
    eventId: row["event_id"] ?? "",
    workItemId: row["work_item_id"] ?? null,
    mergedAt: row["merged_at"] ?? null,
    ageMs: row["age_ms"] == null ? null : Number(row["age_ms"]),
    facts: row["has_item"] === "true" ? factsIn(row) : null,
    recordedAs: row["recorded_as"] ?? null,
  };
}

/** The facts in a row of a statement that selects `FACTS_COLUMNS`. */
export function factsIn(row: TextRow): RawFacts {
  return {
    project: row["project"] ?? null,
    attempts: row["attempts"] ?? null,
    lastVerdict: row["last_verdict"] ?? null,
  };
}
