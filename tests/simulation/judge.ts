/**
 * The judge: looks at nothing but the simulated log and what daemons say, and knows the contract by itself. It shares
 * no code with what it judges; numbers are counted by the naive oracle of the core's tests.
 */
import type { Analyzer } from "../../src/core/analyzer.ts";
import type { DaemonEvent } from "../../src/events/daemon-event.ts";
import {
  judgeFacts,
  judgeKeys,
  judgeLowMark,
  judgePruned,
  judgeWhole,
  mergesOf,
  recordedBy,
  Violation,
} from "./judged-log.ts";
import { differences, staleness } from "./judged-memory.ts";
import { isCheckpoint, isMerge, isRecord, payloadOf, type Row } from "./rows.ts";
import type { Kind } from "./scenario.ts";
import type { Server, State } from "./server.ts";

/** The log never contradicts itself. */
const NEVER: readonly DaemonEvent["event"][] = ["db.unfit"];
/** As long as a checkpoint is left, nothing is guessed. */
const NEVER_WITH_CHECKPOINT: readonly DaemonEvent["event"][] = [
  "history.truncated",
  "merge.presumed_recorded",
];
const ONLY_WHEN_ROWS_GO: readonly DaemonEvent["event"][] = ["history.reset", "history.truncated"];

type Told = {
  readonly name: string;
  readonly daemon: { readonly analyzer: Analyzer | null; readonly due: number };
};

export class Judge {
  readonly #server: Server;
  readonly #kind: Kind["name"];
  readonly #wasCommitted: (claim: string) => boolean;
  #judged: State | null = null;

  /** @param wasCommitted whether a row that makes this claim true was ever committed. */
  constructor(server: Server, kind: Kind["name"], wasCommitted: (claim: string) => boolean) {
    this.#server = server;
    this.#kind = kind;
    this.#wasCommitted = wasCommitted;
  }

  /** What a daemon says must be so. */
  told(event: DaemonEvent): void {
    if (event.event === "merge.recorded") this.#toldTruth(event.event_id, event.seq);
    if (event.event === "merge.skipped") this.#toldTruth(event.event_id, "skipped");
    if (NEVER.includes(event.event)) throw new Violation(`must not happen: ${JSON.stringify(event)}`);
    if (NEVER_WITH_CHECKPOINT.includes(event.event) && this.#kind !== "shrinking")
      throw new Violation(`a checkpoint is left: ${JSON.stringify(event)}`);
    const lostCommits = event.event === "history.reset" && this.#server.wentBack;
    if (
      ONLY_WHEN_ROWS_GO.includes(event.event) &&
      this.#kind !== "shrinking" &&
      this.#kind !== "kept" &&
      !lostCommits
    )
      throw new Violation(`nothing went from this log: ${JSON.stringify(event)}`);
  }

  #toldTruth(eventId: string, what: number | "skipped"): void {
    if (!this.#wasCommitted(`${eventId}|${what}`))
      throw new Violation(`told of merge ${eventId} as ${what}, but nothing like that was committed`);
  }

  /** What is recorded is right and recorded once, complete or not. */
  judgeLog(): void {
    const { state } = this.#server;
    if (state === this.#judged) return;
    this.#judged = state;
    const journal = state.rows.filter(isRecord);
    judgeKeys(state);
    const merges = mergesOf(state);
    const recorded = new Map<string, string>();
    const skips = new Set<string>();
    for (const row of this.#kind === "kept" ? [...state.gone.filter(isRecord), ...journal] : journal) {
      const { merge } = payloadOf(row);
      judgeFacts(state, merges, row);
      if (row.kind === "metric.merge_skipped" && skips.has(merge.event_id))
        throw new Violation(`event ${merge.event_id} is skipped twice`);
      if (row.kind === "metric.merge_skipped") skips.add(merge.event_id);
      // Of a set cut at the old end, a crossing alone says nothing of its merge any more.
      if (row.kind === "metric.threshold_crossed") continue;
      // Of a work item that was deleted since, nothing tells any more.
      const identity = row.item ?? `event ${merge.event_id}`;
      const before = recorded.get(identity);
      if (before !== undefined && before !== merge.event_id && !isForgotten(state, before, identity))
        throw new Violation(`${identity} recorded under ${before} and ${merge.event_id}`);
      recorded.set(identity, merge.event_id);
    }
    const skipped = new Set(
      journal
        .filter((row) => row.kind === "metric.merge_skipped")
        .map((row) => payloadOf(row).merge.event_id),
    );
    for (const row of journal) {
      if (row.kind !== "metric.merge_skipped" && skipped.has(payloadOf(row).merge.event_id))
        throw new Violation(`row ${row.id}: its merge is skipped as well`);
    }
    if (this.#kind === "exact") for (const row of state.rows.filter(isCheckpoint)) judgeLowMark(state, row);
    if (state.gone.length === 0) judgeWhole(journal);
    else judgePruned(state, this.#kind === "kept");
  }

  /** Why not everything is as it must be in the end; null when it is. */
  notYetConverged(daemons: readonly Told[]): string | null {
    const { state } = this.#server;
    const journal = state.rows.filter(isRecord);
    const isRecorded = recordedBy(
      this.#kind === "kept" ? [...journal, ...state.gone.filter(isRecord)] : journal,
    );
    const floor = this.#kind === "kept" ? 0 : state.floor;
    for (const merge of state.rows) {
      if (!isMerge(merge) || isPresumed(state, floor, merge)) continue;
      if (!isRecorded(merge)) return `merge ${merge.id} of ${merge.item} is not recorded`;
    }
    for (const { name, daemon } of daemons) {
      if (daemon.analyzer === null) return `${name} knows nothing`;
      if (daemon.due > 0) return `${name} has ${daemon.due} due`;
      const difference =
        state.gone.length === 0 ? differences(daemon.analyzer, journal) : staleness(daemon.analyzer, journal);
      if (difference !== null) return `${name}: ${difference}`;
    }
    return null;
  }
}

/** What a daemon may say once this row is committed. */
export function claimOf(row: Row): string {
  const { merge, seq } = payloadOf(row);
  return `${merge.event_id}|${row.kind === "metric.merge_skipped" ? "skipped" : String(seq)}`;
}

/** Whether nothing says any more that this merge was of this work item. */
function isForgotten({ rows, gone }: State, eventId: string, wasItem: string): boolean {
  return [...rows, ...gone].some(
    ({ id, item, was }) => String(id) === eventId && item === null && was === wasItem,
  );
}

/** Whether nothing in a pruned log needs to record it: neither it nor the earlier merge that its work item has, or had. */
function isPresumed({ rows, gone }: State, floor: number, merge: Row): boolean {
  if (merge.id <= floor) return true;
  if (merge.item === null) return false;
  const ofItem = (row: Row): boolean => row.item === merge.item;
  return (
    rows.some((row) => row.id <= floor && isMerge(row) && ofItem(row)) ||
    gone.some((row) => isRecord(row) && ofItem(row) && payloadOf(row).merge.event_id !== String(merge.id))
  );
}
