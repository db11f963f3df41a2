/**
 * A row of the journal, parsed. The journal is the daemon's part of the outbox: rows of kind `metric.*` that carry its marker
 * (`schema_version`, `key` and, for metric rows, `seq`). Rows without the marker belong to others and are ignored. A marked row that is
 * not whole is a contradiction: nothing is recorded until an operator has decided.
 */
import { DEFAULT_VERDICTS } from "./catalogue.ts";
import { isState } from "./gate.ts";
import {
  asObject,
  isCount,
  isCountOrZero,
  isId,
  isNumber,
  isText,
  isTextOrNull,
  type Json,
  orNull,
  parseObject,
  shape,
} from "./json.ts";
import { type Identified, MAX_ATTEMPTS, type Merge } from "./merge.ts";
import { isMetricName, METRIC_NAMES } from "./metric.ts";
import {
  CHECKPOINT_KIND,
  CROSSING_KIND,
  type CrossingPayload,
  type MetricPayload,
  SCHEMA_VERSION,
  SKIPPED_KIND,
} from "./metric-event.ts";
import type { Effective } from "./scope.ts";
import type { Crossing } from "./scope-memory.ts";

/** A row as selected: `payload` is the JSON text, or null if it is too large to be a row of the daemon. */
export type RawJournalRow = { readonly id: string; readonly kind: string; readonly payload: string | null };

export type MetricRow = Pick<
  MetricPayload,
  "key" | "metric" | "scope" | "seq" | "value" | "numerator" | "n" | "window" | "state"
> & {
  readonly type: "metric";
  readonly id: string;
  readonly effective: Effective | null;
  readonly verdicts: readonly string[];
  readonly merge: Merge;
  readonly setSize: number;
  readonly crossing: RecordedCrossing | null;
};

type RecordedCrossing = Pick<
  CrossingPayload,
  "gate" | "direction" | "from" | "to" | "upper" | "lower" | "previous"
>;

export type SkippedRow = {
  readonly type: "skipped";
  readonly id: string;
  readonly key: string;
  readonly eventId: string;
  readonly workItemId: string | null;
};

export type JournalRow =
  | MetricRow
  | SkippedRow
  /** A checkpoint; its payload is read on its own. */
  | { readonly type: "checkpoint"; readonly id: string }
  /** Ours, of a kind that adds nothing to the fold. */
  | { readonly type: "other"; readonly id: string; readonly key: string }
  /** Not ours: no marker. */
  | { readonly type: "unmarked"; readonly id: string };

/** The log cannot be trusted or understood; `reason` is a stable word, the message is for a person. */
export class UnfitLog extends Error {
  readonly reason: "newer_schema" | "contradiction";
  /** The row at which it showed. */
  readonly rowId: string;

  constructor(reason: UnfitLog["reason"], rowId: string, message: string) {
    super(message);
    this.name = "UnfitLog";
    this.reason = reason;
    this.rowId = rowId;
  }
}

/** A log that contradicts itself. @param what is wrong with the row, as a clause for a person. */
export function contradiction(rowId: string, what: string): UnfitLog {
  return new UnfitLog(
    "contradiction",
    rowId,
    `events_outbox row ${rowId}: ${what}. Nothing is recorded until this is repaired: run \`metrics verify\` to list every ` +
      "difference, then restore the metric.* rows from a backup, or delete all of them to count anew from the merges.",
  );
}

/**
 * Parses one row of kind `metric.*`.
 * @throws UnfitLog for a newer `schema_version`, or a row with our marker that is not whole.
 */
export function parseJournalRow(raw: RawJournalRow): JournalRow {
  if (raw.kind === CHECKPOINT_KIND) return { type: "checkpoint", id: raw.id };
  const unmarked = { type: "unmarked", id: raw.id } as const;
  const payload = parseObject(raw.payload);
  if (payload === null) return unmarked;
  const { schema_version: version, key } = payload;
  if (!isCount(version) || typeof key !== "string" || key === "") return unmarked;
  if (version > SCHEMA_VERSION) {
    throw new UnfitLog(
      "newer_schema",
      raw.id,
      `events_outbox row ${raw.id} (${JSON.stringify(raw.kind.slice(0, 80))}) has schema_version ${version}, this daemon ` +
        `knows ${SCHEMA_VERSION}: a newer damascus-metrics has written to this log. Run that version or a newer one.`,
    );
  }
  if (raw.kind === SKIPPED_KIND) return parseSkipped(raw.id, key, payload) ?? unmarked;
  if (raw.kind === CROSSING_KIND || METRIC_NAMES.some((name) => raw.kind === `metric.${name}`)) {
    if (!isCount(payload["seq"])) return unmarked;
    const row = parseMetric(raw, key, payload);
    if (row === null)
      throw contradiction(raw.id, "it carries the marker of this daemon but not the fields of its kind");
    return row;
  }
  return { type: "other", id: raw.id, key };
}

/** A row, parsed; null where it is damaged or written by a newer version. */
export function readable(raw: RawJournalRow): JournalRow | null {
  try {
    return parseJournalRow(raw);
  } catch (error) {
    if (error instanceof UnfitLog) return null;
    throw error;
  }
}

/** The merge that a row records or skips; null for rows of other sorts. */
export function mergeIn(row: JournalRow): Identified | null {
  if (row.type === "metric") return row.merge;
  return row.type === "skipped" ? row : null;
}

/** The event that a row records or skips; null for rows of other sorts. */
export function eventOf(row: JournalRow): string | null {
  return mergeIn(row)?.eventId ?? null;
}

function parseSkipped(id: string, key: string, payload: Json): SkippedRow | null {
  const merge = asObject(payload["merge"]);
  if (merge === null) return null;
  const { event_id: eventId, work_item_id: workItemId } = merge;
  if (!isId(eventId) || !isTextOrNull(workItemId)) return null;
  return { type: "skipped", id, key, eventId, workItemId };
}

function parseMetric(raw: RawJournalRow, key: string, payload: Json): MetricRow | null {
  const { metric, scope, seq, value, numerator, n, window, state, set_size: setSize } = payload;
  const verdicts = payload["verdicts"] ?? DEFAULT_VERDICTS;
  const merge = parseMerge(asObject(payload["merge"]));
  const effective =
    payload["effective"] === undefined ? null : parseEffective(asObject(payload["effective"]));
  const crossing = raw.kind === CROSSING_KIND ? parseCrossing(payload) : null;
  const whole =
    merge !== null &&
    isMetricName(metric) &&
    (scope === "global" || scope === "project") &&
    payload["project"] === (scope === "global" ? null : merge.project) &&
    isCount(seq) &&
    isCount(window) &&
    isCount(setSize) &&
    isCountOrZero(n) &&
    (value === null || typeof value === "number") &&
    (numerator === null || isCountOrZero(numerator)) &&
    (state === null || isState(state)) &&
    effective !== undefined &&
    Array.isArray(verdicts) &&
    verdicts.every((verdict) => typeof verdict === "string") &&
    (raw.kind === CROSSING_KIND ? crossing !== null : raw.kind === `metric.${metric}`);
  if (!whole) return null;
  return {
    type: "metric",
    id: raw.id,
    key,
    metric,
    scope,
    seq,
    value,
    numerator,
    n,
    window,
    state,
    effective,
    verdicts,
    merge,
    setSize,
    crossing,
  };
}

function parseMerge(merge: Json | null): Merge | null {
  if (merge === null) return null;
  const { event_id, work_item_id, project, attempts, last_verdict, merged_at } = merge;
  const whole =
    isId(event_id) &&
    typeof work_item_id === "string" &&
    typeof project === "string" &&
    project !== "" &&
    isCount(attempts) &&
    attempts <= MAX_ATTEMPTS &&
    isTextOrNull(last_verdict) &&
    isTextOrNull(merged_at);
  if (!whole) return null;
  return {
    eventId: event_id,
    workItemId: work_item_id,
    project,
    attempts,
    lastVerdict: last_verdict,
    mergedAt: merged_at,
  };
}

/** @returns undefined where it is not whole. */
function parseEffective(effective: Json | null): Effective | undefined {
  if (effective === null) return undefined;
  const { scope, value, state } = effective;
  const whole =
    (scope === null || scope === "global" || scope === "project") &&
    (value === null || typeof value === "number") &&
    isState(state);
  return whole ? { scope, value, state } : undefined;
}

/** The merge at which a gate crossed, as rows and checkpoints name it. */
export const isCrossing = shape<Crossing>({ since: isTextOrNull, event_id: isId });

const isRecordedCrossing = shape<RecordedCrossing>({
  gate: (value) => isText(value) && value !== "",
  direction: (value) => value === "up" || value === "down",
  from: isState,
  to: isState,
  upper: isNumber,
  lower: isNumber,
  previous: orNull(isCrossing),
});

function parseCrossing(payload: Json): RecordedCrossing | null {
  if (!isRecordedCrossing(payload)) return null;
  const { gate, direction, from, to, upper, lower, previous } = payload;
  return { gate, direction, from, to, upper, lower, previous };
}
