/** Verification of the journal: the walk along all of its rows, with a listener that collects every difference. */
import { Analyzer } from "./analyzer.ts";
import { proveCheckpoint } from "./checkpoint-proof.ts";
import type { Differences, Found } from "./difference.ts";
import { nextState } from "./gate.ts";
import {
  type MetricRow,
  parseJournalRow,
  type RawJournalRow,
  type SkippedRow,
  UnfitLog,
} from "./journal-row.ts";
import { asObject, parseObject } from "./json.ts";
import { about, dueKey } from "./judge.ts";
import type { Identified } from "./merge.ts";
import { MAX_WINDOW, METRIC_NAMES, type MetricSettings } from "./metric.ts";
import { CHECKPOINT_KIND, CROSSING_KIND, metricKind, SKIPPED_KIND, skippedKey } from "./metric-event.ts";
import { factsHash, RecordedMerges, SKIPPED } from "./recorded-merges.ts";
import { Walk } from "./walk.ts";

/** A row of the journal with the column that says which work item it is about. */
export type AuditRow = RawJournalRow & {
  readonly workItemId: string | null;
  /** Why the server cannot read its payload, which is null then. */
  readonly unreadable?: string;
};

export type VerifiedCounts = {
  /** Rows of kind `metric.*`. */
  rows: number;
  /** Merges of which rows were found. */
  merges: number;
  metric_rows: number;
  crossings: number;
  skipped: number;
  checkpoints: number;
  /** Rows without our marker. */
  unmarked: number;
  /** Values that cannot be judged, because some of their merges are gone. */
  not_judged: number;
  /** Rows whose state today's bounds would not give: written under other bounds. */
  other_bounds: number;
};

const OWN_KINDS: ReadonlySet<string> = new Set([
  ...METRIC_NAMES.map(metricKind),
  CROSSING_KIND,
  SKIPPED_KIND,
  CHECKPOINT_KIND,
]);

export class Verifier {
  readonly recorded = new RecordedMerges();
  readonly analyzer: Analyzer;
  /** Whether a column that named a work item has become null since. */
  itemsBecameNull = false;
  readonly #walk: Walk;
  readonly #differences: Differences;
  /** Keys that are not as promised, and those of kinds that are not known: they may be there twice. */
  readonly #keys = new Set<string>();
  readonly #counts = {
    rows: 0,
    merges: 0,
    metric_rows: 0,
    crossings: 0,
    skipped: 0,
    checkpoints: 0,
    other_bounds: 0,
  };
  #newestRowId: string | null = null;

  /** @param metrics today's: rows written under others are counted, and are not differences. */
  constructor(metrics: readonly MetricSettings[], differences: Differences) {
    this.#differences = differences;
    this.analyzer = new Analyzer(metrics, MAX_WINDOW);
    this.#walk = new Walk(this.analyzer, {
      differs: (found) => differences.add(found),
      recorded: (row) => this.#recordOnce(row),
    });
  }

  get counts(): VerifiedCounts {
    return { ...this.#counts, unmarked: this.#walk.unmarked, not_judged: this.#walk.notJudged };
  }

  /** Whether rows went from the old end. */
  get truncated(): boolean {
    return this.analyzer.truncated;
  }

  /** A row of kind `metric.*`, in the order of their ids. */
  accept(raw: AuditRow): void {
    this.#counts.rows += 1;
    if (raw.unreadable !== undefined) {
      this.#acceptUnreadable(raw, raw.unreadable);
      return;
    }
    try {
      const row = parseJournalRow(raw);
      if (row.type === "metric") this.#noteMetric(row, raw.workItemId);
      this.#walk.accept(row);
      if (row.type === "checkpoint") this.#counts.checkpoints += 1;
      if (row.type === "skipped") this.#noteSkip(row, raw.workItemId);
      if (row.type === "other") this.#noteKey(row.id, row.key);
    } catch (error) {
      if (!(error instanceof UnfitLog)) throw error;
      this.#acceptUnfit(raw, error);
    }
  }

  /** The payload of the checkpoint that was accepted last. */
  acceptCheckpoint(rowId: string, payload: string | null): void {
    const proven = { analyzer: this.analyzer, newestRowId: this.#newestRowId };
    proveCheckpoint(proven, rowId, payload, (found) => this.#differences.add(found));
  }

  end(): void {
    this.#walk.end();
  }

  /** A row that the server cannot read. If its kind is one of the daemon's, it counts as a row of the open set. */
  #acceptUnreadable({ id, kind }: AuditRow, reason: string): void {
    if (!OWN_KINDS.has(kind)) return;
    this.#walk.acceptDamaged(null);
    this.#differences.add({
      kind: "unreadable",
      row_id: id,
      recorded: `${kind}, which the server cannot read (${reason})`,
      expected: "a row that can be read",
    });
  }

  #acceptUnfit(raw: AuditRow, { reason }: UnfitLog): void {
    const newer = reason === "newer_schema";
    const event = asObject(parseObject(raw.payload)?.["merge"])?.["event_id"];
    const eventId = typeof event === "string" ? event : null;
    if (!newer) this.#walk.acceptDamaged(eventId);
    this.#differences.add({
      kind: newer ? "newer_schema" : "unreadable",
      row_id: raw.id,
      event_id: eventId,
      recorded: `${raw.kind}, ${(raw.payload ?? "nothing").slice(0, 200)}`,
      expected: newer ? "schema_version 1" : "all fields of its kind",
    });
  }

  #noteMetric(row: MetricRow, column: string | null): void {
    if (row.crossing === null) this.#counts.metric_rows += 1;
    else this.#counts.crossings += 1;
    this.#noteColumn(about(row), column, row.merge.workItemId);
    if (row.key !== dueKey(row)) this.#noteKey(row.id, row.key);
    this.#newestRowId = row.id;
    const gate = this.analyzer.metrics.find(({ name }) => name === row.metric)?.gate ?? null;
    if (row.crossing !== null || gate === null || row.state === null || row.value === null) return;
    if (nextState(gate, row.state, row.value) !== row.state) this.#counts.other_bounds += 1;
  }

  #noteSkip(row: SkippedRow, column: string | null): void {
    this.#counts.skipped += 1;
    this.#newestRowId = row.id;
    const place = { row_id: row.id, event_id: row.eventId };
    const key = skippedKey(row.eventId);
    if (row.key !== key) this.#differences.add({ ...place, kind: "key", recorded: row.key, expected: key });
    this.#noteColumn(place, column, row.workItemId);
    if (this.recorded.has(row)) this.#reportRepeated(place, `${identityText(row)} is skipped`);
    this.recorded.add(row, SKIPPED, null);
  }

  /** A column may have become null since, as by a foreign key with ON DELETE SET NULL: the payload decides then. */
  #noteColumn(place: Partial<Found>, column: string | null, workItemId: string | null): void {
    if (column === null && workItemId !== null) this.itemsBecameNull = true;
    if (column === null || column === workItemId) return;
    this.#differences.add({
      ...place,
      kind: "work_item",
      recorded: `work_item_id ${column}`,
      expected: `work_item_id ${workItemId ?? "null"}`,
    });
  }

  #noteKey(rowId: string, key: string): void {
    if (this.#keys.has(key))
      this.#differences.add({
        kind: "key_repeated",
        row_id: rowId,
        recorded: key,
        expected: "a key of its own",
      });
    this.#keys.add(key);
  }

  #recordOnce(row: MetricRow): boolean {
    const { merge } = row;
    this.#counts.merges += 1;
    const repeated = this.recorded.has(merge);
    this.recorded.add(merge, factsHash(merge), merge.mergedAt);
    if (repeated)
      this.#reportRepeated(
        { row_id: row.id, event_id: merge.eventId, seq: row.seq },
        `${identityText(merge)} under event ${merge.eventId}`,
      );
    return repeated;
  }

  #reportRepeated(place: Partial<Found>, recorded: string): void {
    this.#differences.add({
      ...place,
      kind: "merge_repeated",
      recorded,
      expected: "nothing: it is recorded already",
    });
  }
}

function identityText({ eventId, workItemId }: Identified): string {
  return workItemId === null ? `event ${eventId}` : `work item ${workItemId}`;
}
