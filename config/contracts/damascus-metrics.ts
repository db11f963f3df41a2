// Generated from the JSON Schemas beside this file by `npm run contracts`; never edited.
// A reader ignores fields and kinds that it does not know. Ranges and patterns are checked by the schemas alone.

/** The merge that this row records, with its facts as they were then. They are never read again. */
export interface Merge {
  /** events_outbox.id of the transition to merged. */
  readonly event_id: string;
  /** work_items.id as text, whatever its type. */
  readonly work_item_id: string;
  /** Any string; compared byte for byte. */
  readonly project: string;
  /** Builds it took; 1 is a first pass. */
  readonly attempts: number;
  readonly last_verdict: string | null;
  /** created_at of the transition row; null where that is not a date. */
  readonly merged_at: string | null;
}

export interface FirstPassMergeRateGlobal {
  /** Additive changes keep the version; readers ignore fields that they do not know. */
  readonly schema_version: 1;
  /** Unique among the rows of a log: drop duplicates by it. */
  readonly key: string;
  readonly metric: "first_pass_merge_rate";
  readonly scope: "global";
  readonly project: null;
  /** The merge's place in the order of all merges: 1, 2, 3 without gaps or duplicates. */
  readonly seq: number;
  /** Null until the window is full: undefined, not 0. */
  readonly value: number | null;
  /** Merges in the window that match; null for a percentile. */
  readonly numerator: number;
  /** Merges in the window so far. */
  readonly n: number;
  /** Merges in a full window. */
  readonly window: number;
  /** State of the gate after this merge; null where it has no gate. */
  readonly state: "unknown" | "high" | "low" | null;
  /** The merge that this row records, with its facts as they were then. They are never read again. */
  readonly merge: Merge;
  /** Rows that record this merge, this one included. */
  readonly set_size: number;
  /** Program and version that wrote the row. */
  readonly producer: string;
}

/** What a policy about the project must use: its own reading once defined, else the global one, else nothing. */
export interface Effective {
  /** Whose reading it is; null while neither is defined. */
  readonly scope: "global" | "project" | null;
  readonly value: number | null;
  readonly state: "unknown" | "high" | "low";
}

export interface FirstPassMergeRateProject {
  /** Additive changes keep the version; readers ignore fields that they do not know. */
  readonly schema_version: 1;
  /** Unique among the rows of a log: drop duplicates by it. */
  readonly key: string;
  readonly metric: "first_pass_merge_rate";
  readonly scope: "project";
  /** Any string; compared byte for byte. */
  readonly project: string;
  /** The merge's place in the order of the project's merges. */
  readonly seq: number;
  /** Null until the window is full: undefined, not 0. */
  readonly value: number | null;
  /** Merges in the window that match; null for a percentile. */
  readonly numerator: number;
  /** Merges in the window so far. */
  readonly n: number;
  /** Merges in a full window. */
  readonly window: number;
  /** State of the gate after this merge; null where it has no gate. */
  readonly state: "unknown" | "high" | "low" | null;
  /** What a policy about the project must use: its own reading once defined, else the global one, else nothing. */
  readonly effective?: Effective;
  /** The merge that this row records, with its facts as they were then. They are never read again. */
  readonly merge: Merge;
  /** Rows that record this merge, this one included. */
  readonly set_size: number;
  /** Program and version that wrote the row. */
  readonly producer: string;
}

/** Share of the last merges that took one attempt. */
export type FirstPassMergeRate = FirstPassMergeRateGlobal | FirstPassMergeRateProject;

export interface RebaseConflictRateGlobal {
  /** Additive changes keep the version; readers ignore fields that they do not know. */
  readonly schema_version: 1;
  /** Unique among the rows of a log: drop duplicates by it. */
  readonly key: string;
  readonly metric: "rebase_conflict_rate";
  readonly scope: "global";
  readonly project: null;
  /** The merge's place in the order of all merges: 1, 2, 3 without gaps or duplicates. */
  readonly seq: number;
  /** Null until the window is full: undefined, not 0. */
  readonly value: number | null;
  /** Merges in the window that match; null for a percentile. */
  readonly numerator: number;
  /** Merges in the window so far. */
  readonly n: number;
  /** Merges in a full window. */
  readonly window: number;
  /** State of the gate after this merge; null where it has no gate. */
  readonly state: "unknown" | "high" | "low" | null;
  /** The verdicts that counted; only where they are not ["rebase_conflict"]. */
  readonly verdicts?: readonly string[];
  /** The merge that this row records, with its facts as they were then. They are never read again. */
  readonly merge: Merge;
  /** Rows that record this merge, this one included. */
  readonly set_size: number;
  /** Program and version that wrote the row. */
  readonly producer: string;
}

export interface RebaseConflictRateProject {
  /** Additive changes keep the version; readers ignore fields that they do not know. */
  readonly schema_version: 1;
  /** Unique among the rows of a log: drop duplicates by it. */
  readonly key: string;
  readonly metric: "rebase_conflict_rate";
  readonly scope: "project";
  /** Any string; compared byte for byte. */
  readonly project: string;
  /** The merge's place in the order of the project's merges. */
  readonly seq: number;
  /** Null until the window is full: undefined, not 0. */
  readonly value: number | null;
  /** Merges in the window that match; null for a percentile. */
  readonly numerator: number;
  /** Merges in the window so far. */
  readonly n: number;
  /** Merges in a full window. */
  readonly window: number;
  /** State of the gate after this merge; null where it has no gate. */
  readonly state: "unknown" | "high" | "low" | null;
  /** What a policy about the project must use: its own reading once defined, else the global one, else nothing. */
  readonly effective?: Effective;
  /** The verdicts that counted; only where they are not ["rebase_conflict"]. */
  readonly verdicts?: readonly string[];
  /** The merge that this row records, with its facts as they were then. They are never read again. */
  readonly merge: Merge;
  /** Rows that record this merge, this one included. */
  readonly set_size: number;
  /** Program and version that wrote the row. */
  readonly producer: string;
}

/** Share of the last merges whose last verdict was a rebase conflict. */
export type RebaseConflictRate = RebaseConflictRateGlobal | RebaseConflictRateProject;

export interface P95AttemptsToMergeGlobal {
  /** Additive changes keep the version; readers ignore fields that they do not know. */
  readonly schema_version: 1;
  /** Unique among the rows of a log: drop duplicates by it. */
  readonly key: string;
  readonly metric: "p95_attempts_to_merge";
  readonly scope: "global";
  readonly project: null;
  /** The merge's place in the order of all merges: 1, 2, 3 without gaps or duplicates. */
  readonly seq: number;
  /** Null until the window is full: undefined, not 0. */
  readonly value: number | null;
  /** Merges in the window that match; null for a percentile. */
  readonly numerator: null;
  /** Merges in the window so far. */
  readonly n: number;
  /** Merges in a full window. */
  readonly window: number;
  /** State of the gate after this merge; null where it has no gate. */
  readonly state: null;
  /** The merge that this row records, with its facts as they were then. They are never read again. */
  readonly merge: Merge;
  /** Rows that record this merge, this one included. */
  readonly set_size: number;
  /** Program and version that wrote the row. */
  readonly producer: string;
}

export interface P95AttemptsToMergeProject {
  /** Additive changes keep the version; readers ignore fields that they do not know. */
  readonly schema_version: 1;
  /** Unique among the rows of a log: drop duplicates by it. */
  readonly key: string;
  readonly metric: "p95_attempts_to_merge";
  readonly scope: "project";
  /** Any string; compared byte for byte. */
  readonly project: string;
  /** The merge's place in the order of the project's merges. */
  readonly seq: number;
  /** Null until the window is full: undefined, not 0. */
  readonly value: number | null;
  /** Merges in the window that match; null for a percentile. */
  readonly numerator: null;
  /** Merges in the window so far. */
  readonly n: number;
  /** Merges in a full window. */
  readonly window: number;
  /** State of the gate after this merge; null where it has no gate. */
  readonly state: null;
  /** What a policy about the project must use: its own reading once defined, else the global one, else nothing. */
  readonly effective?: Effective;
  /** The merge that this row records, with its facts as they were then. They are never read again. */
  readonly merge: Merge;
  /** Rows that record this merge, this one included. */
  readonly set_size: number;
  /** Program and version that wrote the row. */
  readonly producer: string;
}

/** 95th percentile (nearest rank) of the attempts that the last merges took. */
export type P95AttemptsToMerge = P95AttemptsToMergeGlobal | P95AttemptsToMergeProject;

/** The crossing before this one of the same metric and scope: its merge and when that took place. */
export interface Previous {
  /** A bigint as decimal text: it may be larger than a double holds exactly. */
  readonly event_id: string;
  /** UTC, milliseconds. */
  readonly since: string | null;
}

export interface ThresholdCrossedGlobal {
  /** Additive changes keep the version; readers ignore fields that they do not know. */
  readonly schema_version: 1;
  /** Unique among the rows of a log: drop duplicates by it. */
  readonly key: string;
  readonly metric: string;
  readonly scope: "global";
  readonly project: null;
  /** The merge's place in the order of all merges: 1, 2, 3 without gaps or duplicates. */
  readonly seq: number;
  /** Null until the window is full: undefined, not 0. */
  readonly value: number;
  /** Merges in the window that match; null for a percentile. */
  readonly numerator: number;
  /** Merges in the window so far. */
  readonly n: number;
  /** Merges in a full window. */
  readonly window: number;
  /** State of the gate after this merge; null where it has no gate. */
  readonly state: "high" | "low";
  /** The verdicts that counted; only where they are not ["rebase_conflict"]. */
  readonly verdicts?: readonly string[];
  /** The merge that this row records, with its facts as they were then. They are never read again. */
  readonly merge: Merge;
  /** Rows that record this merge, this one included. */
  readonly set_size: number;
  /** Program and version that wrote the row. */
  readonly producer: string;
  readonly gate: string;
  readonly direction: "up" | "down";
  readonly from: "unknown" | "high" | "low";
  readonly to: "high" | "low";
  /** value >= upper: high */
  readonly upper: number;
  /** value < lower: low */
  readonly lower: number;
  /** The crossing before this one of the same metric and scope: its merge and when that took place. */
  readonly previous: Previous | null;
}

export interface ThresholdCrossedProject {
  /** Additive changes keep the version; readers ignore fields that they do not know. */
  readonly schema_version: 1;
  /** Unique among the rows of a log: drop duplicates by it. */
  readonly key: string;
  readonly metric: string;
  readonly scope: "project";
  /** Any string; compared byte for byte. */
  readonly project: string;
  /** The merge's place in the order of the project's merges. */
  readonly seq: number;
  /** Null until the window is full: undefined, not 0. */
  readonly value: number;
  /** Merges in the window that match; null for a percentile. */
  readonly numerator: number;
  /** Merges in the window so far. */
  readonly n: number;
  /** Merges in a full window. */
  readonly window: number;
  /** State of the gate after this merge; null where it has no gate. */
  readonly state: "high" | "low";
  /** What a policy about the project must use: its own reading once defined, else the global one, else nothing. */
  readonly effective?: Effective;
  /** The verdicts that counted; only where they are not ["rebase_conflict"]. */
  readonly verdicts?: readonly string[];
  /** The merge that this row records, with its facts as they were then. They are never read again. */
  readonly merge: Merge;
  /** Rows that record this merge, this one included. */
  readonly set_size: number;
  /** Program and version that wrote the row. */
  readonly producer: string;
  readonly gate: string;
  readonly direction: "up" | "down";
  readonly from: "unknown" | "high" | "low";
  readonly to: "high" | "low";
  /** value >= upper: high */
  readonly upper: number;
  /** value < lower: low */
  readonly lower: number;
  /** The crossing before this one of the same metric and scope: its merge and when that took place. */
  readonly previous: Previous | null;
}

/** A gate changed its state. Follows the metric row that crossed. A global crossing changes the effective rate of every project that has none of its own. */
export type ThresholdCrossed = ThresholdCrossedGlobal | ThresholdCrossedProject;

export interface MergeSkippedMerge {
  /** A bigint as decimal text: it may be larger than a double holds exactly. */
  readonly event_id: string;
  /** work_items.id as text, whatever its type. */
  readonly work_item_id: string | null;
}

/** A merge whose facts are unusable: it is counted in no window. A skip is final. */
export interface MergeSkipped {
  /** Additive changes keep the version; readers ignore fields that they do not know. */
  readonly schema_version: 1;
  /** Unique among the rows of a log: drop duplicates by it. */
  readonly key: string;
  readonly reason: string;
  readonly merge: MergeSkippedMerge;
  /** Program and version that wrote the row. */
  readonly producer: string;
}

export interface CheckpointNewest {
  /** A bigint as decimal text: it may be larger than a double holds exactly. */
  readonly event_id: string;
  /** work_items.id as text, whatever its type. */
  readonly work_item_id: string;
  /** UTC, milliseconds. */
  readonly merged_at: string | null;
}

export interface CheckpointGate {
  readonly state: "unknown" | "high" | "low";
  readonly defined: boolean;
  readonly crossed: Previous | null;
}

export interface CheckpointGlobal {
  readonly seq: number;
  /** The newest merges' facts, oldest first: attempts[:flags][*times]. */
  readonly facts: string;
  readonly gates: Readonly<Record<string, CheckpointGate>>;
}

export interface CheckpointProject {
  /** Any string; compared byte for byte. */
  readonly project: string;
  readonly seq: number;
  /** The newest merges' facts, oldest first: attempts[:flags][*times]. */
  readonly facts: string;
  readonly gates: Readonly<Record<string, CheckpointGate>>;
}

/** The daemon's memory, so that a restart replays few merges. Not meant for consumers, which skip it. */
export interface Checkpoint {
  /** Additive changes keep the version; readers ignore fields that they do not know. */
  readonly schema_version: 1;
  /** Unique among the rows of a log: drop duplicates by it. */
  readonly key: string;
  readonly seq: number;
  readonly skipped: number;
  readonly truncated: boolean;
  readonly newest: CheckpointNewest | null;
  readonly capacity: number;
  readonly verdicts: readonly (string | null)[];
  /** The newest row that it includes. */
  readonly row_id: string;
  /** A bigint as decimal text: it may be larger than a double holds exactly. */
  readonly journal_begins: string | null;
  /** A bigint as decimal text: it may be larger than a double holds exactly. */
  readonly low_mark: string;
  readonly recorded_above: string;
  readonly unrecorded: readonly string[];
  /** A bigint as decimal text: it may be larger than a double holds exactly. */
  readonly floor: string | null;
  readonly global: CheckpointGlobal;
  readonly projects: readonly CheckpointProject[];
  /** Program and version that wrote the row. */
  readonly producer: string;
}

export interface AsOf {
  /** Merges recorded. */
  readonly seq: number;
  /** A bigint as decimal text: it may be larger than a double holds exactly. */
  readonly event_id: string | null;
  /** UTC, milliseconds. */
  readonly merged_at: string | null;
  /** UTC, milliseconds. */
  readonly generated_at: string;
}

export interface SnapshotDaemon {
  /** Instances connected to the database. */
  readonly running: number;
}

export interface Lag {
  /** Merges due and not recorded; they are in no value. */
  readonly merges: number;
  /** Age of the oldest of them. */
  readonly seconds: number | null;
}

/** Merges that events_outbox refused when they were last tried; the daemon retries them. */
export interface SnapshotRefused {
  readonly total: number;
}

export interface Gate {
  readonly name: string;
  readonly state: "unknown" | "high" | "low";
  /** merged_at of the merge at which it last crossed; null where it never did, or the date is not known. */
  readonly since: string | null;
  /** value >= upper: high */
  readonly upper: number;
  /** value < lower: low */
  readonly lower: number;
}

export interface SnapshotMetricGlobal {
  readonly metric: string;
  /** A ratio 0-1 or a number of attempts; null (undefined) until n = window. */
  readonly value: number | null;
  readonly numerator: number | null;
  /** Merges in the window so far. */
  readonly n: number;
  /** Merges in a full window. */
  readonly window: number;
  readonly gate: Gate | null;
  readonly scope: "global";
  readonly project: null;
  readonly effective: null;
}

export interface SnapshotMetricProject {
  readonly metric: string;
  /** A ratio 0-1 or a number of attempts; null (undefined) until n = window. */
  readonly value: number | null;
  readonly numerator: number | null;
  /** Merges in the window so far. */
  readonly n: number;
  /** Merges in a full window. */
  readonly window: number;
  readonly gate: Gate | null;
  readonly scope: "project";
  /** Any string; compared byte for byte. */
  readonly project: string;
  /** What a policy about the project must use: its own reading once defined, else the global one, else nothing. */
  readonly effective: Effective | null;
}

/** The current values of every scope: `metrics snapshot --json` and /snapshot.json. */
export interface Snapshot {
  /** Additive changes keep the version; readers ignore fields that they do not know. */
  readonly schema_version: 1;
  readonly as_of: AsOf;
  readonly daemon: SnapshotDaemon;
  readonly lag: Lag;
  /** Merges that events_outbox refused when they were last tried; the daemon retries them. */
  readonly refused: SnapshotRefused;
  readonly skipped: SnapshotRefused;
  /** Windows count up again because rows are gone from the old end of the log. */
  readonly history_truncated: boolean;
  /** Every project, most recently merged first. */
  readonly projects: readonly string[];
  /** Of all merges, then of each project in the order of their names' code points. */
  readonly metrics: readonly (SnapshotMetricGlobal | SnapshotMetricProject)[];
}

/** Today's; null where the scope has none. */
export interface HistoryGate {
  readonly name: string;
  /** value >= upper: high */
  readonly upper: number;
  /** value < lower: low */
  readonly lower: number;
}

/** The crossing at this merge, with the gate's name and bounds at that time. */
export interface Crossing {
  readonly gate: string;
  readonly from: "unknown" | "high" | "low";
  readonly to: "unknown" | "high" | "low";
  /** value >= upper: high */
  readonly upper: number;
  /** value < lower: low */
  readonly lower: number;
}

export interface Point {
  /** The merge's place in the order of the series' scope, from 1. */
  readonly seq: number;
  /** A bigint as decimal text: it may be larger than a double holds exactly. */
  readonly event_id: string;
  /** UTC, milliseconds. */
  readonly merged_at: string | null;
  /** A ratio 0-1 or a number of attempts; null (undefined) until n = window. */
  readonly value: number | null;
  readonly numerator: number | null;
  /** Merges in the window so far. */
  readonly n: number;
  /** Merges in a full window. */
  readonly window: number;
  /** State of the gate; null where the scope has none. */
  readonly state: "unknown" | "high" | "low" | null;
  /** The crossing at this merge, with the gate's name and bounds at that time. */
  readonly crossing: Crossing | null;
}

export interface SeriesGlobal {
  readonly metric: string;
  /** computed: not recorded for this scope; what the recorded merges give. */
  readonly source: "recorded" | "computed";
  /** Today's; null where the scope has none. */
  readonly gate: HistoryGate | null;
  /** Oldest first. */
  readonly points: readonly Point[];
  readonly scope: "global";
  readonly project: null;
}

export interface SeriesProject {
  readonly metric: string;
  /** computed: not recorded for this scope; what the recorded merges give. */
  readonly source: "recorded" | "computed";
  /** Today's; null where the scope has none. */
  readonly gate: HistoryGate | null;
  /** Oldest first. */
  readonly points: readonly Point[];
  readonly scope: "project";
  /** Any string; compared byte for byte. */
  readonly project: string;
}

/** Metrics over the merges: `metrics history --json`. */
export interface History {
  /** Additive changes keep the version; readers ignore fields that they do not know. */
  readonly schema_version: 1;
  readonly as_of: AsOf;
  readonly series: readonly (SeriesGlobal | SeriesProject)[];
}

export interface RecentHistoryMerge {
  readonly seq: number;
  /** A bigint as decimal text: it may be larger than a double holds exactly. */
  readonly event_id: string;
  /** work_items.id as text, whatever its type. */
  readonly work_item_id: string;
  /** Any string; compared byte for byte. */
  readonly project: string;
  readonly attempts: number;
  readonly last_verdict: string | null;
  /** UTC, milliseconds. */
  readonly merged_at: string | null;
  /** Whether one attempt was enough. */
  readonly first_pass: boolean;
  /** Whether the last verdict is one of those that count today. */
  readonly rebase_conflict: boolean;
}

export interface RecentHistoryCrossingGlobal {
  readonly gate: string;
  readonly from: "unknown" | "high" | "low";
  readonly to: "unknown" | "high" | "low";
  /** value >= upper: high */
  readonly upper: number;
  /** value < lower: low */
  readonly lower: number;
  readonly metric: string;
  /** A ratio 0-1 or a number of attempts; null (undefined) until n = window. */
  readonly value: number | null;
  /** The merge that crossed. */
  readonly event_id: string;
  /** UTC, milliseconds. */
  readonly merged_at: string | null;
  readonly scope: "global";
  readonly project: null;
}

export interface RecentHistoryCrossingProject {
  readonly gate: string;
  readonly from: "unknown" | "high" | "low";
  readonly to: "unknown" | "high" | "low";
  /** value >= upper: high */
  readonly upper: number;
  /** value < lower: low */
  readonly lower: number;
  readonly metric: string;
  /** A ratio 0-1 or a number of attempts; null (undefined) until n = window. */
  readonly value: number | null;
  /** The merge that crossed. */
  readonly event_id: string;
  /** UTC, milliseconds. */
  readonly merged_at: string | null;
  readonly scope: "project";
  /** Any string; compared byte for byte. */
  readonly project: string;
}

/** The last merges, as the daemon remembers them: /history.json. */
export interface RecentHistory {
  /** Additive changes keep the version; readers ignore fields that they do not know. */
  readonly schema_version: 1;
  /** Metrics of all merges, then the gated ones of the projects that matter most, each over the last merges of its scope. */
  readonly series: readonly (SeriesGlobal | SeriesProject)[];
  /** Oldest first. */
  readonly merges: readonly RecentHistoryMerge[];
  /** Of every scope, oldest first. */
  readonly crossings: readonly (RecentHistoryCrossingGlobal | RecentHistoryCrossingProject)[];
}

/** Facts that are no longer known, because their rows are gone, are null. */
export interface ExplanationMerge {
  /** Its place in the order of all merges. */
  readonly seq: number | null;
  /** A bigint as decimal text: it may be larger than a double holds exactly. */
  readonly event_id: string | null;
  /** work_items.id as text, whatever its type. */
  readonly work_item_id: string | null;
  /** Any string; compared byte for byte. */
  readonly project: string | null;
  readonly attempts: number;
  readonly last_verdict: string | null;
  /** UTC, milliseconds. */
  readonly merged_at: string | null;
  /** Whether it counts for the numerator; null for a percentile. */
  readonly counted: boolean | null;
}

/** The value after one further merge that counts, and after one that does not. */
export interface ExplanationNext {
  readonly if_counted: number | null;
  readonly if_not: number | null;
}

/** Null where no number of merges will do. */
export interface ExplanationReach {
  /** Further merges that it takes at least. */
  readonly merges: number;
  /** How many of these must count (to rise) or must not (to fall). */
  readonly of_kind: number;
}

export interface ExplanationMove {
  readonly to: "high" | "low";
  /** At least this to rise, less than this to fall. */
  readonly bound: number;
  /** Null where no number of merges will do. */
  readonly reach: ExplanationReach | null;
}

export interface ExplanationExplanationGlobal {
  readonly metric: string;
  /** A ratio 0-1 or a number of attempts; null (undefined) until n = window. */
  readonly value: number | null;
  readonly numerator: number | null;
  /** Merges in the window so far. */
  readonly n: number;
  /** Merges in a full window. */
  readonly window: number;
  readonly gate: Gate | null;
  readonly scope: "global";
  readonly project: null;
  readonly effective: null;
  /** The merges of the window, oldest first. */
  readonly merges: readonly ExplanationMerge[];
  /** The merge that the next one pushes out; null while the window fills. */
  readonly leaves_next: ExplanationMerge | null;
  /** The value after one further merge that counts, and after one that does not. */
  readonly next: ExplanationNext;
  /** What it takes to reach the bounds of the states that the gate is not in. A project whose window fills between the bounds takes over the global state instead. */
  readonly moves: readonly ExplanationMove[];
}

export interface ExplanationExplanationProject {
  readonly metric: string;
  /** A ratio 0-1 or a number of attempts; null (undefined) until n = window. */
  readonly value: number | null;
  readonly numerator: number | null;
  /** Merges in the window so far. */
  readonly n: number;
  /** Merges in a full window. */
  readonly window: number;
  readonly gate: Gate | null;
  readonly scope: "project";
  /** Any string; compared byte for byte. */
  readonly project: string;
  /** What a policy about the project must use: its own reading once defined, else the global one, else nothing. */
  readonly effective: Effective | null;
  /** The merges of the window, oldest first. */
  readonly merges: readonly ExplanationMerge[];
  /** The merge that the next one pushes out; null while the window fills. */
  readonly leaves_next: ExplanationMerge | null;
  /** The value after one further merge that counts, and after one that does not. */
  readonly next: ExplanationNext;
  /** What it takes to reach the bounds of the states that the gate is not in. A project whose window fills between the bounds takes over the global state instead. */
  readonly moves: readonly ExplanationMove[];
}

/** The merges behind each number, and what it takes to move its gate: `metrics explain --json`. */
export interface Explanation {
  /** Additive changes keep the version; readers ignore fields that they do not know. */
  readonly schema_version: 1;
  readonly as_of: AsOf;
  readonly lag: Lag;
  readonly explanations: readonly (ExplanationExplanationGlobal | ExplanationExplanationProject)[];
}

export interface VerificationAsOf {
  /** Merges recorded. */
  readonly seq: number | null;
  /** A bigint as decimal text: it may be larger than a double holds exactly. */
  readonly event_id: string | null;
  /** UTC, milliseconds. */
  readonly merged_at: string | null;
  /** UTC, milliseconds. */
  readonly generated_at: string;
}

export interface VerificationCounts {
  /** Rows of kind metric.* */
  readonly rows: number;
  /** Merges that have rows. */
  readonly merges: number;
  readonly metric_rows: number;
  readonly crossings: number;
  readonly skipped: number;
  readonly checkpoints: number;
  /** Rows without the daemon's marker. */
  readonly unmarked: number;
  /** Values whose merges are no longer all known. */
  readonly not_judged: number;
  /** Rows written under other bounds than today's. */
  readonly other_bounds: number;
  /** Transitions to merged. */
  readonly committed: number;
  /** Duplicates: later merges of recorded work items, which do not count. */
  readonly duplicates: number;
  /** Due, and not recorded yet. */
  readonly waiting: number;
  /** Taken as recorded by the newest checkpoint or the daemon's oldest row: their own rows are gone. */
  readonly pruned: number;
  /** Recorded with facts that differ from the work item's today. */
  readonly drifted: number;
  /** Recorded merges whose transition is gone from the old end. */
  readonly without_transition: number;
}

export interface VerificationByKind {
  /** rows of the daemon that are incomplete */
  readonly unreadable: number;
  /** rows of a newer version, which this version cannot judge */
  readonly newer_schema: number;
  /** merges that are not recorded */
  readonly merge_missing: number;
  /** merges that are recorded twice */
  readonly merge_repeated: number;
  /** rows that record an event that is not a merge */
  readonly merge_unknown: number;
  /** merges with missing rows */
  readonly set_incomplete: number;
  /** merges with more rows than were written */
  readonly set_surplus: number;
  /** rows out of order within their merge */
  readonly set_order: number;
  /** gaps in seq */
  readonly seq_gap: number;
  /** repeats in seq */
  readonly seq_repeated: number;
  /** rows whose seq is not that of the rows beside them */
  readonly seq: number;
  /** keys that are not what the contract says */
  readonly key: number;
  /** keys that are repeated */
  readonly key_repeated: number;
  /** rows whose facts differ from those beside them */
  readonly facts: number;
  /** rows filed under a work item other than their merge's */
  readonly work_item: number;
  /** values, numerators or counts that the recorded facts do not give */
  readonly number: number;
  /** states that do not follow from the recorded values */
  readonly state: number;
  /** crossings that do not follow from the recorded values */
  readonly crossing: number;
  /** effective readings that do not follow from the recorded readings */
  readonly effective: number;
  /** checkpoints that are not what a full replay gives */
  readonly checkpoint: number;
}

export interface VerificationFirst {
  readonly kind: string;
  /** The row of the log; null where the row is missing. */
  readonly row_id: string | null;
  /** The merge's transition row, as the row says. */
  readonly event_id: string | null;
  readonly metric: string | null;
  readonly scope: "global" | "project" | null;
  readonly project: string | null;
  readonly seq: number | null;
  /** What the log says, for a person. */
  readonly recorded: string;
  /** What it should say, for a person. */
  readonly expected: string;
}

export interface VerificationDifferences {
  readonly total: number;
  readonly by_kind: VerificationByKind;
  /** The first ones; --limit says how many. */
  readonly first: readonly VerificationFirst[];
}

export interface VerificationRecorded {
  readonly project: string | null;
  /** As text, because today's value may not be a number. */
  readonly attempts: string | null;
  readonly last_verdict: string | null;
  /** UTC, milliseconds. */
  readonly merged_at: string | null;
}

export interface VerificationDrifted {
  /** A bigint as decimal text: it may be larger than a double holds exactly. */
  readonly event_id: string;
  /** work_items.id as text, whatever its type. */
  readonly work_item_id: string | null;
  readonly recorded: VerificationRecorded | null;
  /** Null where the work item no longer exists. */
  readonly now: VerificationRecorded | null;
}

/** Every recorded number against the recorded facts: `metrics verify --json`. */
export interface Verification {
  /** Additive changes keep the version; readers ignore fields that they do not know. */
  readonly schema_version: 1;
  readonly as_of: VerificationAsOf;
  /** True where there are no differences. */
  readonly verified: boolean;
  readonly counts: VerificationCounts;
  /** Rows are gone from the old end of the log. */
  readonly history_truncated: boolean;
  readonly differences: VerificationDifferences;
  /** The first work items whose facts have changed since. That is not a difference: recorded facts are final. */
  readonly drifted: readonly VerificationDrifted[];
}

/** Merges after which the gate was in this state. */
export interface SimulationMerges {
  readonly unknown: number;
  readonly high: number;
  readonly low: number;
}

/** Time in this state, from the date of the first merge to that of the latest one. */
export interface SimulationSeconds {
  readonly unknown: number;
  readonly high: number;
  readonly low: number;
}

export interface SimulationCrossings {
  readonly up: number;
  readonly down: number;
}

/** Merges with a recorded state, and those of them with the same state here. */
export interface SimulationAgreement {
  readonly compared: number;
  readonly equal: number;
}

export interface SimulationToday {
  /** Merges in a full window. */
  readonly window: number;
  readonly gate: HistoryGate | null;
  /** After the newest merge. */
  readonly value: number | null;
  readonly state: "unknown" | "high" | "low";
  /** Merges after which the gate was in this state. */
  readonly merges: SimulationMerges;
  /** Time in this state, from the date of the first merge to that of the latest one. */
  readonly seconds: SimulationSeconds;
  readonly crossings: SimulationCrossings;
  /** Merges with a recorded state, and those of them with the same state here. */
  readonly agreement: SimulationAgreement;
}

export interface SimulationLine {
  readonly metric: string;
  readonly scope: "global" | "project";
  /** Null for all merges, and in the scope of projects for all projects together. */
  readonly project: string | null;
  readonly today: SimulationToday | null;
  /** Null where these settings do not record it. */
  readonly simulated: SimulationToday | null;
}

export interface SimulationCrossing {
  readonly under: "today" | "simulated";
  readonly metric: string;
  readonly scope: "global" | "project";
  /** Any string; compared byte for byte. */
  readonly project: string | null;
  readonly seq: number;
  /** A bigint as decimal text: it may be larger than a double holds exactly. */
  readonly event_id: string;
  /** UTC, milliseconds. */
  readonly merged_at: string | null;
  readonly from: "unknown" | "high" | "low";
  readonly to: "high" | "low";
  /** A ratio 0-1 or a number of attempts; null (undefined) until n = window. */
  readonly value: number | null;
}

/** What other settings would have made of the recorded merges: `metrics simulate --json`. */
export interface Simulation {
  /** Additive changes keep the version; readers ignore fields that they do not know. */
  readonly schema_version: 1;
  readonly as_of: AsOf;
  /** Rows are gone from the old end: both begin with the rows that are left. */
  readonly history_truncated: boolean;
  readonly lines: readonly SimulationLine[];
  /** The newest thousand of each line. */
  readonly crossings: readonly SimulationCrossing[];
}

/** The payload of each kind of row. */
export interface Payloads {
  readonly "metric.first_pass_merge_rate": FirstPassMergeRate;
  readonly "metric.rebase_conflict_rate": RebaseConflictRate;
  readonly "metric.p95_attempts_to_merge": P95AttemptsToMerge;
  readonly "metric.threshold_crossed": ThresholdCrossed;
  readonly "metric.merge_skipped": MergeSkipped;
  readonly "metric.checkpoint": Checkpoint;
}

/** A row of events_outbox. Its id is a bigint as text. */
export type MetricEvent = {
  readonly [Kind in keyof Payloads]: { readonly id: string; readonly kind: Kind; readonly payload: Payloads[Kind] };
}[keyof Payloads];
