/**
 * Verification of the journal: every row is held against the facts that the rows before it recorded. `Replay` asks
 * whether a log may be built upon and stops at the first contradiction; this walk goes on to the end and tells them all.
 *
 * A row is judged by the window, the verdicts and, at a crossing, the bounds that it carries itself, so that a changed
 * configuration is no difference. After a gap the windows reach over something unknown: what stands on it is counted
 * as not judged until they are full again, so that one missing merge is one difference and not a hundred.
 */
import type { Newest } from "./analyzer.ts";
import type { Differences } from "./difference.ts";
import { IdSet } from "./id-set.ts";
import {
  type JournalRow,
  parseJournalRow,
  type RawJournalRow,
  type SkippedRow,
  UnfitLog,
} from "./journal-row.ts";
import { asObject, parseObject } from "./json.ts";
import type { Identified } from "./merge.ts";
import { METRIC_NAMES, type MetricSettings } from "./metric.ts";
import { CHECKPOINT_KIND, CROSSING_KIND, metricKind, SKIPPED_KIND } from "./metric-event.ts";
import { factsHash, RecordedMerges, SKIPPED } from "./recorded-merges.ts";
import { compareWithToday, verifyCrossing, verifyGate } from "./verified-gate.ts";
import { follow } from "./verified-order.ts";
import { verifyEffective, verifyNumbers } from "./verified-reading.ts";
import {
  type AuditRow,
  type Findings,
  lineOf,
  noCounts,
  sameItem,
  tellKeyRepeated,
  tellWrongItem,
  type VerifiedRow,
} from "./verified-row.ts";
import { Verdicts, VerifiedScope } from "./verified-scope.ts";
import { countRows, tellIncomplete, usual, usualFacts, verifySet } from "./verified-set.ts";

const OWN_KINDS: ReadonlySet<string> = new Set([
  ...METRIC_NAMES.map(metricKind),
  CROSSING_KIND,
  SKIPPED_KIND,
  CHECKPOINT_KIND,
]);

export class Verifier {
  readonly counts = noCounts();
  readonly recorded = new RecordedMerges();
  readonly verdicts = new Verdicts();
  readonly global = new VerifiedScope(this.verdicts, true);
  readonly projects = new Map<string, VerifiedScope>();
  /** Whether rows went from the old end. */
  truncated = false;
  newest: Newest | null = null;
  /** Whether a column that named a work item has become null since. */
  itemsBecameNull = false;
  /** The newest row that records a merge or a skip. */
  newestRowId: string | null = null;
  readonly #differences: Differences;
  readonly #findings: Findings;
  readonly #metrics: readonly MetricSettings[];
  readonly #keys = new IdSet();
  #set: VerifiedRow[] = [];
  /** Rows of the open set that could not be read. */
  #unreadable = 0;
  #composition: readonly string[] = [];
  #begun = false;

  /** @param metrics today's, for what is told but is no difference. */
  constructor(metrics: readonly MetricSettings[], differences: Differences) {
    this.#metrics = metrics;
    this.#differences = differences;
    this.#findings = { differences, counts: this.counts };
  }

  /** A row of kind `metric.*`, in the order of their ids. */
  accept(raw: AuditRow): void {
    this.counts.rows += 1;
    if (raw.unreadable !== undefined) {
      this.#damaged(raw, raw.unreadable);
      return;
    }
    const row = this.#parse(raw);
    if (row === null) return;
    if (row.type === "metric") {
      const open = this.#set[0];
      if (
        open !== undefined &&
        (open.merge.eventId !== row.merge.eventId || open.merge.workItemId !== row.merge.workItemId)
      )
        this.#close();
      this.#noteColumn(raw.workItemId, row.merge.workItemId);
      this.#set.push({ ...row, column: raw.workItemId, text: raw.payload ?? "" });
      return;
    }
    if (row.type === "foreign") {
      this.counts.foreign += 1;
      return;
    }
    this.#close();
    if (row.type === "checkpoint") this.counts.checkpoints += 1;
    if (row.type === "skipped") this.#skip(row, raw.workItemId);
    if (row.type === "other" && !this.#keys.add(row.key)) tellKeyRepeated(this.#findings, row.id, row.key);
  }

  end(): void {
    this.#close();
  }

  /** A row that the server cannot read. Where it may be one of ours, it is one row less of the set that is open. */
  #damaged({ id, kind }: AuditRow, reason: string): void {
    if (!OWN_KINDS.has(kind)) return;
    this.#unreadable += 1;
    this.#differences.add({
      kind: "unreadable",
      row_id: id,
      recorded: `${kind}, which the server cannot read (${reason})`,
      expected: "a row that can be read",
    });
  }

  #noteColumn(column: string | null, payload: string | null): void {
    this.itemsBecameNull ||= column === null && payload !== null;
  }

  #parse(raw: AuditRow): JournalRow | null {
    try {
      return parseJournalRow(raw);
    } catch (error) {
      if (!(error instanceof UnfitLog)) throw error;
      const event = eventOf(raw);
      const open = this.#set[0]?.merge.eventId;
      if (event !== null && open !== undefined && event !== open) this.#close();
      if (error.reason === "contradiction") this.#unreadable += 1;
      this.#differences.add({
        kind: error.reason === "newer_schema" ? "newer_schema" : "unreadable",
        row_id: raw.id,
        event_id: event,
        recorded: `${raw.kind}, ${(raw.payload ?? "nothing").slice(0, 200)}`,
        expected: error.reason === "newer_schema" ? "schema_version 1" : "all fields of its kind",
      });
      return null;
    }
  }

  #skip(row: SkippedRow, column: string | null): void {
    this.counts.skipped += 1;
    this.newestRowId = row.id;
    const place = { row_id: row.id, event_id: row.eventId };
    const promised = `merge_skipped|${row.eventId}`;
    if (row.key !== promised)
      this.#differences.add({ ...place, kind: "key", recorded: row.key, expected: promised });
    this.#noteColumn(column, row.workItemId);
    if (!sameItem(column, row.workItemId)) tellWrongItem(this.#findings, place, column, row.workItemId);
    const known = this.recorded.hasItemOf(row) || this.recorded.events.has(row.eventId);
    if (known)
      this.#differences.add({
        ...place,
        kind: "merge_repeated",
        recorded: `${identityText(row)} is skipped`,
        expected: "nothing: it is recorded before",
      });
    this.recorded.add(row, SKIPPED, null);
  }

  #close(): void {
    const set = this.#set;
    const unreadable = this.#unreadable;
    const [first] = set;
    if (first === undefined) return;
    this.#set = [];
    this.#unreadable = 0;
    this.counts.merges += 1;
    this.newestRowId = set.at(-1)?.id ?? this.newestRowId;
    const { repeated, merge } = this.#recordOnce(set);
    const size = usual(set.map((row) => row.setSize));
    const anchors = set.filter((row) => row.scope === "global");
    const seq = anchors.length === 0 ? null : usual(anchors.map((row) => row.seq));
    if (!this.#begun && this.#begin(set.length + unreadable < size, seq)) return;
    const missing = size - set.length - unreadable;
    if (missing > 0) tellIncomplete(set, size, this.#composition, this.#findings);
    if (repeated && (seq === null || this.global.seq === null || seq <= this.global.seq)) {
      // A copy: whatever it says, the rows after it do not stand on it.
      countRows(set, this.counts);
      return;
    }
    this.newest = { eventId: merge.eventId, workItemId: merge.workItemId, mergedAt: merge.mergedAt };
    follow(this.global, first, seq, this.#findings);
    const project = this.#project(merge.project);
    const own = set.filter((row) => row.scope === "project");
    follow(
      project,
      first,
      own.length === 0 ? null : usual(own.map((row) => row.seq)),
      this.#findings,
      merge.project,
    );
    this.global.push(merge);
    project.push(merge);
    this.#rows(set, merge, size, missing > 0, project);
    if (missing === 0 && unreadable === 0)
      this.#composition = set.filter((row) => row.crossing === null).map(lineOf);
  }

  /** The first set: rows may have gone before it. @returns whether it is itself cut, and passed over. */
  #begin(cut: boolean, seq: number | null): boolean {
    if (cut || seq !== 1) {
      this.truncated = true;
      this.global.forget();
      this.global.seq = seq === null ? null : cut ? seq : seq - 1;
    }
    if (!cut || seq !== null) this.#begun = true;
    return cut;
  }

  #recordOnce(set: readonly VerifiedRow[]): {
    readonly repeated: boolean;
    readonly merge: VerifiedRow["merge"];
  } {
    const { merge, id, seq } = usualFacts(set);
    const repeated = this.recorded.events.has(merge.eventId) || this.recorded.hasItemOf(merge);
    this.recorded.add(merge, factsHash(merge), merge.mergedAt);
    if (repeated)
      this.#differences.add({
        kind: "merge_repeated",
        row_id: id,
        event_id: merge.eventId,
        seq,
        recorded: `${identityText(merge)} under event ${merge.eventId}`,
        expected: "nothing: it is recorded before",
      });
    return { repeated, merge };
  }

  #project(name: string): VerifiedScope {
    let scope = this.projects.get(name);
    if (scope === undefined) {
      scope = new VerifiedScope(this.verdicts, !this.truncated);
      this.projects.set(name, scope);
    }
    return scope;
  }

  #rows(
    set: readonly VerifiedRow[],
    merge: VerifiedRow["merge"],
    size: number,
    incomplete: boolean,
    project: VerifiedScope,
  ): void {
    countRows(set, this.counts);
    const scopeOf = (row: VerifiedRow) => (row.scope === "global" ? this.global : project);
    const promise = { merge, size, seqOf: (row: VerifiedRow) => scopeOf(row).seq, keys: this.#keys };
    verifySet(set, promise, this.#findings, (row, index) => {
      const beside = { set, index, incomplete };
      if (row.crossing !== null) {
        verifyCrossing(row, beside, this.#findings);
        return;
      }
      verifyNumbers(row, scopeOf(row), this.#findings);
      verifyEffective(row, set, this.#findings);
      verifyGate(row, scopeOf(row), beside, this.#findings);
      compareWithToday(row, this.#metrics, this.#findings);
    });
  }
}

function identityText({ eventId, workItemId }: Identified): string {
  return workItemId === null ? `event ${eventId}` : `work item ${workItemId}`;
}

function eventOf(raw: RawJournalRow): string | null {
  const event = asObject(parseObject(raw.payload)?.["merge"])?.["event_id"];
  return typeof event === "string" ? event : null;
}
