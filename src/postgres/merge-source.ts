/**
 * Merges in a range of the outbox, with their work items' facts and whether they are recorded.
 *
 * Only scalars are selected, as text; no payload field is cast. Still a statement can fail on a row: a `json` column
 * takes escapes at its insert that `->>` refuses later. Then the range is halved down to that row, and the row is read
 * as text and decided here.
 */
import { eventOf, parseJournalRow } from "../core/journal-row.ts";
import type { Identified } from "../core/merge.ts";
import { METRIC_NAMES } from "../core/metric.ts";
import { metricKind, SKIPPED_KIND } from "../core/metric-event.ts";
import type { FoundMerge } from "../outbox-log.ts";
import type { Query, TextRow } from "./connection.ts";
import { isBadData } from "./failure.ts";
import { journal, LARGEST_PAYLOAD, rawRow } from "./journal.ts";
import { literal, literals, type Names } from "./names.ts";
import type { OutboxColumns } from "./outbox-columns.ts";
import type { Statement } from "./prepared.ts";

/** Which rows of the outbox are merges: kind, and the payload's target. */
export type MergeRule = { readonly kind: string; readonly target: string };

/** Kinds of which one row means that its work item is recorded. */
const RECORDING_KINDS = [...METRIC_NAMES.map(metricKind), SKIPPED_KIND];

/** Longer texts are cut: a project of 513 characters is refused, a verdict is compared by its first 512. */
const LONGEST_TEXT = 512;
/** A row that can only be read as text is read up to here. */
const LONGEST_PAYLOAD = 1_000_000;

/** A column without a time zone holds the server's local time. */
export const CREATED_AT = "e.created_at::timestamptz";
/** Years 1 to 9999 in UTC. What is far beyond cannot even be converted. */
export const IS_DATE = `CASE WHEN e.created_at > '0002-01-01 BC' AND e.created_at < '20000-01-01'
  THEN ${CREATED_AT} AT TIME ZONE 'UTC' >= '0001-01-01' AND ${CREATED_AT} AT TIME ZONE 'UTC' < '10000-01-01' END`;

const MERGE_COLUMNS = `
  e.id::text AS event_id, e.work_item_id::text AS work_item_id,
  CASE WHEN ${IS_DATE} THEN to_char(${CREATED_AT} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') END AS merged_at,
  CASE WHEN ${IS_DATE} THEN (extract(epoch FROM clock_timestamp() - ${CREATED_AT}) * 1000)::text END AS age_ms,
  (w.id IS NOT NULL)::text AS has_item,
  left(w.project::text, ${LONGEST_TEXT + 1}) AS project,
  left(w.attempts::text, 20) AS attempts,
  left(w.last_verdict::text, ${LONGEST_TEXT}) AS last_verdict`;

const EVENT = "r.payload->'merge'->>'event_id'";

/**
 * Whether a row records a merge of ours: told by its marker, just as `parseJournalRow` tells it. Were a row taken for ours
 * here and for somebody else's there, its merge would be lost, or recorded again by every comparison.
 */
function marked({ payload }: OutboxColumns): string {
  const type = (field: string): string => `${payload}_typeof(r.payload->${field})`;
  return `
    pg_column_size(r.payload) <= ${LARGEST_PAYLOAD}
    AND ${isCount("schema_version")} AND ${type("'key'")} = 'string' AND r.payload->>'key' <> ''
    AND CASE WHEN r.kind = '${SKIPPED_KIND}'
             THEN ${type("'merge'->'event_id'")} = 'string' AND ${EVENT} ~ '^-?[0-9]{1,19}$'
              AND ${type("'merge'->'work_item_id'")} IN ('string', 'null')
             ELSE ${isCount("seq")} END`;
}

function isCount(field: string): string {
  return `(r.payload->'${field}')::text ~ '^[1-9][0-9]{0,15}([.]0+)?$'`;
}

/** The event under which a work item is recorded; null for no work item. */
function recordedAs({ outbox }: Names, columns: OutboxColumns): string {
  return `
    (SELECT ${EVENT} FROM ${outbox} r
      WHERE r.work_item_id = e.work_item_id AND r.kind IN (${literals(RECORDING_KINDS)}) AND ${marked(columns)} LIMIT 1)
    AS recorded_as`;
}

export type MergeSource = {
  /** The first merges of a range, which fails where it cannot take in a row. */
  readonly first: Statement;
  readonly merges: (after: bigint, upTo: bigint) => Promise<FoundMerge[]>;
  readonly recordedEvents: (after: bigint, upTo: bigint) => Promise<string[]>;
  readonly otherMerges: (found: readonly Identified[]) => Promise<ReadonlyMap<string, readonly bigint[]>>;
  readonly pageEnd: (after: bigint, upTo: bigint, rows: number) => Promise<bigint>;
};

/** At most so many merges are the first of a range. */
export const FIRST_MERGES = 100;

const inRange = (after: string, upTo: string): string => `e.id > ${after} AND e.id <= ${upTo}`;

/** @param query for what is not said in one message with others. */
export function mergeSource(
  query: Query,
  names: Names,
  rule: MergeRule,
  columns: OutboxColumns,
  asked: "whether recorded" | "facts alone" = "whether recorded",
): MergeSource {
  const { outbox, workItems } = names;
  // Each work item by its index: OFFSET 0 keeps the planner, who takes every second row for a merge, from reading all of them.
  const from = `FROM ${outbox} e LEFT JOIN LATERAL
    (SELECT i.id, i.project, i.attempts, i.last_verdict FROM ${workItems} i WHERE i.id = e.work_item_id OFFSET 0) w ON true`;
  const recorded = asked === "facts alone" ? "NULL AS recorded_as" : recordedAs(names, columns);
  const select = `SELECT ${MERGE_COLUMNS}, ${recorded} ${from}`;
  const isMerge = `CASE WHEN e.kind = ${literal(rule.kind)} THEN e.payload->>'target' = ${literal(rule.target)} ELSE false END`;

  const statement = (after: string, upTo: string): string =>
    `${select} WHERE ${inRange(after, upTo)} AND ${isMerge} ORDER BY e.id`;

  async function merges(after: bigint, upTo: bigint): Promise<FoundMerge[]> {
    try {
      return foundIn((await query(statement(literal(after), literal(upTo)))).rows);
    } catch (error) {
      if (!isBadData(error)) throw error;
      if (upTo - after === 1n) return oddRow(upTo);
      const middle = (after + upTo) / 2n;
      return [...(await merges(after, middle)), ...(await merges(middle, upTo))];
    }
  }

  /** One row that the statement cannot take in, read as text and decided here. */
  async function oddRow(id: bigint): Promise<FoundMerge[]> {
    const { rows } = await query(
      `SELECT ${MERGE_COLUMNS}, left(e.payload::text, ${LONGEST_PAYLOAD}) AS payload ${from}
        WHERE e.id = ${literal(id)} AND e.kind = ${literal(rule.kind)}`,
    );
    const row = rows[0];
    if (row === undefined || targetOf(row["payload"] ?? null) !== rule.target) return [];
    const recording = await query(
      `SELECT r.id::text AS row_id, r.kind, left(r.payload::text, ${LONGEST_PAYLOAD}) AS payload FROM ${outbox} r
        WHERE r.work_item_id = ANY (ARRAY(SELECT e.work_item_id FROM ${outbox} e WHERE e.id = ${literal(id)}))
          AND r.kind IN (${literals(RECORDING_KINDS)})`,
    );
    const [event] = recording.rows.flatMap((one) => eventOf(parseJournalRow(rawRow(one))) ?? []);
    return [foundMerge(row, event ?? null)];
  }

  /** By the index of work items: retention may leave transitions whose record is gone. */
  async function otherMerges(found: readonly Identified[]): Promise<ReadonlyMap<string, readonly bigint[]>> {
    const events = found.flatMap(({ eventId, workItemId }) => (workItemId === null ? [] : [BigInt(eventId)]));
    const others = new Map<string, bigint[]>();
    if (events.length === 0) return others;
    const { rows } = await query(
      `SELECT e.id::text AS event_id, other.id::text AS other_id
         FROM unnest(ARRAY[${events.map(literal).join(", ")}]::bigint[]) AS place (id)
        CROSS JOIN LATERAL (SELECT o.id, o.work_item_id FROM ${outbox} o WHERE o.id = place.id OFFSET 0) e
        CROSS JOIN LATERAL (SELECT t.id, t.kind, t.payload FROM ${outbox} t
          WHERE t.work_item_id = e.work_item_id AND t.kind = ${literal(rule.kind)} AND t.id <> e.id OFFSET 0) other
        WHERE CASE WHEN other.kind = ${literal(rule.kind)} THEN other.payload->>'target' = ${literal(rule.target)} ELSE false END`,
    );
    for (const row of rows) {
      const event = row["event_id"] ?? "";
      others.set(event, [...(others.get(event) ?? []), BigInt(row["other_id"] ?? 0)]);
    }
    return others;
  }

  async function recordedEvents(after: bigint, upTo: bigint): Promise<string[]> {
    try {
      const { rows } = await query(
        `SELECT DISTINCT ${EVENT} AS event FROM ${outbox} r
          WHERE r.id > ${literal(after)} AND r.id <= ${literal(upTo)} AND r.kind IN (${literals(RECORDING_KINDS)})
            AND ${marked(columns)}`,
      );
      return rows.map((row) => row["event"] ?? "");
    } catch (error) {
      if (!isBadData(error)) throw error;
      const rows = await journal(query, names, after, upTo);
      return rows.flatMap((row) => eventOf(parseJournalRow(row)) ?? []);
    }
  }

  return {
    first: {
      name: "first_merges",
      types: ["bigint", "bigint"],
      text: (after, upTo) => `${statement(after, upTo)} LIMIT ${literal(FIRST_MERGES)}`,
    },
    merges,
    otherMerges,
    recordedEvents,
    /** Rows, not ids, make a page: ids may have gaps of any size. */
    pageEnd: async (after, upTo, pageRows) => {
      if (upTo - after <= BigInt(pageRows)) return upTo;
      const { rows } = await query(
        `SELECT max(page.id)::text AS page_end, count(*)::text AS size FROM
          (SELECT e.id FROM ${outbox} e WHERE ${inRange(literal(after), literal(upTo))} ORDER BY e.id LIMIT ${literal(pageRows)}) page`,
      );
      const end = rows[0]?.["page_end"] ?? null;
      return end === null || Number(rows[0]?.["size"]) < pageRows ? upTo : BigInt(end);
    },
  };
}

/** What the statement of merges found. */
export function foundIn(rows: readonly TextRow[]): FoundMerge[] {
  return rows.map((row) => foundMerge(row, row["recorded_as"] ?? null));
}

function foundMerge(row: TextRow, recorded: string | null): FoundMerge {
  return {
    eventId: row["event_id"] ?? "",
    workItemId: row["work_item_id"] ?? null,
    mergedAt: row["merged_at"] ?? null,
    ageMs: row["age_ms"] == null ? null : Number(row["age_ms"]),
    facts:
      row["has_item"] === "true"
        ? {
            project: row["project"] ?? null,
            attempts: row["attempts"] ?? null,
            lastVerdict: row["last_verdict"] ?? null,
          }
        : null,
    recordedAs: recorded,
  };
}

function targetOf(payload: string | null): unknown {
  try {
    const value: unknown = JSON.parse(payload ?? "");
    return typeof value === "object" && value !== null && "target" in value ? value.target : undefined;
  } catch {
    return undefined;
  }
}
