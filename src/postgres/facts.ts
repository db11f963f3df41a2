/**
 * The facts of all merges from the journal as they come: a row of each merge, in columns. By COPY, because it streams, and
 * page by page, so that no transaction is long: a page is a range of ids, read by the index and without a sort.
 */
import { BEFORE_ALL } from "../core/event-id.ts";
import type { FactsSource, RawFactsRow } from "../core/fast-replay.ts";
import type { RawJournalRow } from "../core/journal-row.ts";
import { METRIC_NAMES } from "../core/metric.ts";
import { CROSSING_KIND, metricKind, SKIPPED_KIND } from "../core/metric-event.ts";
import { type CopyOut, type Query } from "./connection.ts";
import { isBadData, isOverdue } from "./failure.ts";
import { JOURNAL_COLUMNS, LARGEST_PAYLOAD, rawRow } from "./journal.ts";
import { literal, literals, type Names } from "./names.ts";

/** Ids in a page: a tenth of a second where every id is there. */
const PAGE_IDS = 100_000n;

type FactsReader = {
  readonly copyOut: CopyOut;
  readonly names: Names;
  /** The smallest id after this one. */
  readonly nextId: (after: bigint) => Promise<bigint | null>;
};

/**
 * Reads the rows of facts with id ≤ upTo, and the others that `FastReplay` wants, in the order of their ids.
 * @returns false when not all could be read: a `json` column holds a row that `->>` refuses, or the time was up.
 */
export async function facts(
  { copyOut, names: { outbox }, nextId }: FactsReader,
  source: FactsSource,
  upTo: bigint,
  row: (row: RawFactsRow) => void,
  other: (row: RawJournalRow) => void,
): Promise<boolean> {
  const projects = new Map<string, string>();
  let read = 0;
  const lines = new Lines((line) => {
    read += 1;
    tell(line, projects, row, other);
  });
  try {
    // Ids may have gaps of any size: a page begins at the next row that is there.
    for (let next = await nextId(BEFORE_ALL); next !== null && next <= upTo; ) {
      const end = next + PAGE_IDS < upTo ? next + PAGE_IDS : upTo;
      const before = read;
      await copyOut(factsStatement(outbox, source, next - 1n, end), (chunk) => lines.take(chunk));
      next = read > before ? end + 1n : await nextId(end);
    }
    return true;
  } catch (error) {
    if (isBadData(error) || isOverdue(error)) return false;
    throw error;
  }
}

function factsStatement(outbox: string, source: FactsSource, after: bigint, upTo: bigint): string {
  const order = metricKind(source.order);
  const globalOnly = source.globalOnly.map(metricKind);
  const kinds = [order, CROSSING_KIND, SKIPPED_KIND, ...globalOnly, ...source.unrecorded.map(metricKind)];
  const scope = "e.payload->>'scope'";
  const wanted = [
    ...(source.inProjects ? [`WHEN e.kind = ${literal(order)} THEN ${scope} = 'global'`] : []),
    ...(globalOnly.length > 0
      ? [`WHEN e.kind IN (${literals(globalOnly)}) THEN ${scope} IS DISTINCT FROM 'global'`]
      : []),
  ];
  const isOrder = `e.kind = ${literal(order)}`;
  return `COPY (
    SELECT e.id, e.payload->>'seq', e.payload->'merge'->>'project', e.payload->'merge'->>'attempts',
           e.payload->'merge'->>'last_verdict', e.payload->>'schema_version', ${scope},
           CASE WHEN ${isOrder} THEN NULL ELSE e.kind END, CASE WHEN ${isOrder} THEN NULL ELSE e.payload END
      FROM ${outbox} e
     WHERE e.kind IN (${literals(kinds)}) AND e.id > ${literal(after)} AND e.id <= ${literal(upTo)}
       AND pg_column_size(e.payload) <= ${literal(LARGEST_PAYLOAD)}
       ${wanted.length > 0 ? `AND CASE ${wanted.join(" ")} ELSE true END` : ""}
     ORDER BY e.id) TO STDOUT`;
}

function tell(
  line: string,
  names: Map<string, string>,
  row: (row: RawFactsRow) => void,
  other: (row: RawJournalRow) => void,
): void {
  const fields = line.split("\t");
  const kind = value(fields[7]);
  if (kind !== null) {
    other({ id: fields[0] ?? "", kind, payload: value(fields[8]) });
    return;
  }
  row({
    id: fields[0] ?? "",
    seq: value(fields[1]),
    project: kept(value(fields[2]), names),
    attempts: value(fields[3]),
    lastVerdict: value(fields[4]),
    version: value(fields[5]),
    scope: value(fields[6]),
  });
}

/**
 * A name that may be remembered. V8 cuts a longer string out of another by pointing into it, and would keep a whole chunk
 * for each project.
 */
function kept(name: string | null, names: Map<string, string>): string | null {
  if (name === null || name.length < SHORTEST_SLICE) return name;
  const known = names.get(name);
  if (known !== undefined) return known;
  const copy = Buffer.from(name).toString();
  names.set(copy, copy);
  return copy;
}

const SHORTEST_SLICE = 13;

/** A field of COPY's text format, see "File Formats" of the reference page of COPY. */
export function value(field: string | undefined): string | null {
  if (field === undefined || field === "\\N") return null;
  return field.includes("\\") ? field.replaceAll(/\\(.)/gs, (_, one: string) => ESCAPES[one] ?? one) : field;
}

const ESCAPES: Readonly<Record<string, string>> = {
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

const NEWLINE = 10;

/** Whole lines from chunks that end anywhere, also within a character. */
export class Lines {
  readonly #line: (line: string) => void;
  #rest: Buffer[] = [];

  constructor(line: (line: string) => void) {
    this.#line = line;
  }

  take(chunk: Buffer): void {
    const end = chunk.lastIndexOf(NEWLINE);
    if (end === -1) {
      this.#rest.push(chunk);
      return;
    }
    const whole = chunk.subarray(0, end);
    const text = (this.#rest.length === 0 ? whole : Buffer.concat([...this.#rest, whole])).toString("utf8");
    this.#rest = end + 1 < chunk.length ? [chunk.subarray(end + 1)] : [];
    for (const line of text.split("\n")) this.#line(line);
  }
}

/** The metric rows and crossings of the work items that these rows belong to, each found by the index, in no order. */
export async function setsOf(
  query: Query,
  { outbox }: Names,
  rowIds: readonly number[],
  upTo: bigint,
): Promise<RawJournalRow[]> {
  const ids = rowIds.map((id) => literal(BigInt(id))).join(", ");
  const { rows } = await query(
    `SELECT ${JOURNAL_COLUMNS} FROM unnest(ARRAY[${ids}]::bigint[]) AS place (id)
       CROSS JOIN LATERAL (SELECT r.id, r.kind, r.payload FROM ${outbox} r
         WHERE r.work_item_id = ANY (ARRAY(SELECT o.work_item_id FROM ${outbox} o WHERE o.id = place.id))
           AND r.kind IN (${literals([...METRIC_NAMES.map(metricKind), CROSSING_KIND])}) AND r.id <= ${literal(upTo)} OFFSET 0) e`,
  );
  return rows.map(rawRow);
}
